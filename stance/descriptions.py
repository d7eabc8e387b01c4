"""Actors that a text calls by a part of their name: "the government", "former detainees", "the National Assembly"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from stance.names import MAX_NAME_WORDS
from stance.schema import Span
from stance.text import Word, find_words
from stance.variants import FEDERAL, find_roots, is_state

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
#: Titles of those whose government it is: "the government of President Santos".
_HEADS = frozenset(("president", "prime"))
#: Of a description no more nouns than these are looked for.
_MAX_TAIL = 3
#: Words of a state's adjective at most: "Papua New Guinean".
_MAX_STATE = 3

Forms = tuple[str, ...]
Split = tuple[set[str], list[Forms]]


class Descriptions:
    """The words of one text, and where some of them stand for an actor."""

    def __init__(self, text: str, words: Sequence[Word]) -> None:
        self._text = text
        self._words = words
        self._places: dict[str, list[int]] = defaultdict(list)
        for place, word in enumerate(words):
            self._places[word.surface].append(place)

    def find(self, nouns: Forms) -> list[Span]:
        """Where the text has these nouns in a row behind "the", and not as part of a longer description."""
        spans = []
        for place in self._runs(nouns):
            end = self._words[place + len(nouns) - 1].end
            following = self._words[place + len(nouns) : place + len(nouns) + 2]
            is_longer = self._text[end : end + 1] == "-" or (
                following
                and following[0].start == end + 1
                and (following[0].form in _LONGER or following[0].surface[0].isupper())
                and not (len(following) > 1 and following[0].form == "of" and following[1].form in _HEADS)
            )
            first = place
            while first and self._words[first - 1].form in FEDERAL:
                first -= 1
            if first and self._words[first - 1].form == "the" and not is_longer:
                spans.append(Span(self._words[first].start, end))
        return spans

    def states_before(self, nouns: Forms) -> set[str]:
        """The states whose these nouns are by the words before them: "the South Sudanese army"."""
        return set().union(*map(self._state_before, self._runs(nouns)))

    def _state_before(self, place: int) -> set[str]:
        for first in range(max(0, place - _MAX_STATE), place):
            if is_state(self._words[first:place]):
                return _states_in(self._text[self._words[first].start : self._words[place - 1].end])
        return set()

    def _runs(self, nouns: Forms) -> Iterator[int]:
        for place in self._places.get(nouns[0], ()):
            if tuple(word.surface for word in self._words[place : place + len(nouns)]) == nouns:
                yield place


def split_description(name: str) -> tuple[set[str], list[Forms]]:
    """The states that a description is of, and the nouns that may stand for it, the longest run first; no nouns of
    other names.

    "Chadian former rebels" may be "former rebels" or "rebels", "Organisers of the congress" the "organisers", "ULFA
    central executive" the "central executive", "Iraqi National Assembly" the "National Assembly".
    """
    words = find_words(name)
    kinds = (_split_government, _split_whose, _split_common, _split_organ)
    return next(filter(None, (split(name, words) for split in kinds)), (set(), []))


def _split_government(name: str, words: Sequence[Word]) -> Split | None:
    """A state's government, either way round."""
    states = {root.name for root in find_roots(name) if root.is_state and root.acts}
    return (states, [("government",)]) if states and any(word.form == "government" for word in words) else None


def _split_whose(name: str, words: Sequence[Word]) -> Split | None:
    """Nouns and whose or where they are; but no "Army of Islam"."""
    whose = next((place for place, word in enumerate(words) if place and word.form in _BEFORE_WHOSE), None)
    if whose is None:
        return None
    head = (words[0].surface.lower(), *(word.surface for word in words[1:whose]))
    is_common = all(map(str.islower, head)) and (len(head) > 1 or head[0] in _ROLES)
    return _states_in(name[words[whose].end :]), [head] if is_common else []


def _split_common(name: str, words: Sequence[Word]) -> Split | None:
    """A name or an adjective, and common nouns behind it."""
    common = next((place for place, word in enumerate(words) if word.surface.islower()), None)
    if common is None:
        return None
    states, tail = _states_in(name[: words[common].start]), tuple(word.surface for word in words[common:])
    if not common or not all(map(str.islower, tail)):
        return set(), []
    shortest = 1 if states else max(2, len(tail))
    return states, [tail[-count:] for count in range(min(_MAX_TAIL, len(tail)), shortest - 1, -1)]


def _split_organ(name: str, words: Sequence[Word]) -> Split | None:
    """A state or an abbreviation, and the organ of which it has one."""
    is_abbreviation = bool(words) and len(words[0].surface) > 1 and words[0].surface.isupper()
    lead = max((count for count in range(1, len(words)) if is_state(words[:count])), default=int(is_abbreviation))
    if not lead or len(words) - lead < 2 or words[-1].form not in _ORGANS:
        return None
    return _states_in(name[: words[lead].start]), [tuple(word.surface for word in words[lead:])]


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
