"""Actors that a text calls by a part of their name: "the government", "former detainees", "the National Assembly"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from stance.names import MAX_NAME_WORDS
from stance.schema import Span
from stance.text import Word, find_words
from stance.variants import find_roots, is_state

#: Words behind a common noun that make it one of a longer description: "the government forces", "the army of Chad".
_LONGER = frozenset(
    """
    of in inside from at within for forces troops army groups parties party
    leader leaders soldiers official officials figures controlled
    held backed source sources members delegates minister ministers fighters movement coalition bloc umbrella chief
    """.split()
)
#: Words behind which a description tells whose or where it is: "organisers of the congress".
_BEFORE_WHOSE = frozenset("of in inside from at within".split())
#: Roles that a process has but once; "the members" and "the leaders" may be anybody's.
_ROLES = frozenset("organisers organizers hosts sponsors guarantors mediators facilitators".split())
#: What a state or an organisation has one of, unlike "the Red Cross" of a country.
_ORGANS = frozenset(
    "assembly bureau cabinet command commission committee congress council parliament ministry staff".split()
)
#: Of a description no more nouns than these are looked for.
_MAX_TAIL = 3


class Descriptions:
    """The words of one text, and where some of them stand for an actor."""

    def __init__(self, text: str, words: Sequence[Word]) -> None:
        self._text = text
        self._words = words
        self._places: dict[str, list[int]] = defaultdict(list)
        for place, word in enumerate(words):
            self._places[word.surface].append(place)

    def find(self, nouns: tuple[str, ...]) -> list[Span]:
        """Where the text has these nouns in a row behind "the", and not as part of a longer description."""
        spans = []
        for place in self._runs(nouns):
            end = self._words[place + len(nouns) - 1].end
            following = self._words[place + len(nouns) : place + len(nouns) + 1]
            is_longer = self._text[end : end + 1] == "-" or (
                following
                and following[0].start == end + 1
                and (following[0].form in _LONGER or following[0].surface[0].isupper())
            )
            if place and self._words[place - 1].form == "the" and not is_longer:
                spans.append(Span(self._words[place].start, end))
        return spans

    def states_before(self, nouns: tuple[str, ...]) -> set[str]:
        """The states whose these nouns are by the word before them: "the Chadian army"."""
        before = (self._words[place - 1] for place in self._runs(nouns) if place)
        return {root.name for word in before for root in find_roots(word.surface) if root.is_state}

    def _runs(self, nouns: tuple[str, ...]) -> Iterator[int]:
        for place in self._places.get(nouns[0], ()):
            if tuple(word.surface for word in self._words[place : place + len(nouns)]) == nouns:
                yield place


def split_description(name: str) -> tuple[set[str], list[tuple[str, ...]]]:
    """The states that a description is of, and the nouns that may stand for it, the longest run first; no nouns of
    other names.

    "Chadian former rebels" may be "former rebels" or "rebels", "Organisers of the congress" the "organisers", "ULFA
    central executive" the "central executive", "Iraqi National Assembly" the "National Assembly".
    """
    words = find_words(name)
    surfaces = [word.surface for word in words]
    governing = {root.name for root in find_roots(name) if root.is_state and root.acts}
    if governing and any(word.form == "government" for word in words):
        return governing, [("government",)]  # "Government of Chad" too
    whose = next((place for place, word in enumerate(words) if place and word.form in _BEFORE_WHOSE), 0)
    if whose:
        head = (surfaces[0].lower(), *surfaces[1:whose])
        is_common = all(map(str.islower, head)) and (len(head) > 1 or head[0] in _ROLES)  # no "Army of Islam"
        return _states_in(name[words[whose].end :]), [head] if is_common else []
    common = next((place for place, one in enumerate(surfaces) if one.islower()), len(words))
    if common < len(words):
        states, tail = _states_in(name[: words[common].start]), tuple(surfaces[common:])
        if not common or not all(map(str.islower, tail)):
            return set(), []
        shortest = 1 if states else max(2, len(tail))
        return states, [tail[-count:] for count in range(min(_MAX_TAIL, len(tail)), shortest - 1, -1)]
    is_abbreviation = bool(words) and len(surfaces[0]) > 1 and surfaces[0].isupper()
    lead = max((count for count in range(1, len(words)) if is_state(words[:count])), default=int(is_abbreviation))
    if lead and len(words) - lead > 1 and words[-1].form in _ORGANS:
        return _states_in(name[: words[lead].start]), [tuple(surfaces[lead:])]
    return set(), []


def _states_in(name: str) -> set[str]:
    return {root.name for root in find_roots(name) if root.is_state}


def other_wordings(name: str) -> Iterator[str]:
    """A description without the capital that it begins with: "former detainees", "mediators"; a name the other way
    round: "General Staff of the Free Syrian Army" for "Free Syrian Army General Staff".
    """
    words = find_words(name)
    is_common = words[1].surface.islower() if len(words) > 1 else words and words[0].form.endswith("s")
    if is_common and not is_state(words[:1]) and not words[0].surface.isupper():
        yield name[0].lower() + name[1:]
    is_name = len(words) <= MAX_NAME_WORDS and all(word.surface[0].isupper() for word in words)
    for word in words[2:] if is_name else ():
        whole, part = name[: word.start].rstrip(), name[word.start :]
        yield from (f"{part} of the {whole}", f"{part} of {whole}")
