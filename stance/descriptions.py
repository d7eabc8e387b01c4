"""Actors that a text calls by common nouns: "the government", "the army", "former detainees"."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from stance.schema import Span
from stance.text import Word, find_words
from stance.variants import find_roots, is_state

#: Words behind a common noun that make it one of a longer description: "the government forces", "the army of Chad".
_LONGER = frozenset(
    """
    of in for forces troops army groups parties party leader leaders soldiers official officials figures controlled
    held backed source sources members delegates minister ministers fighters movement coalition bloc umbrella chief
    """.split()
)
#: Of a description no more nouns than these are looked for.
_MAX_TAIL = 3


class Descriptions:
    """The common nouns of one text, and where they stand for an actor."""

    def __init__(self, text: str, words: Sequence[Word]) -> None:
        self._text = text
        self._words = words
        self._places: dict[str, list[int]] = defaultdict(list)
        for place, word in enumerate(words):
            if word.surface.islower():
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
    """The state that a description is of, and its common nouns, the longest run first; nothing of other names."""
    words = find_words(name)
    governing = {root.name for root in find_roots(name) if root.is_state and root.acts}
    if governing and any(word.form == "government" for word in words):
        return governing, [("government",)]  # "Government of Chad" too
    proper = next((place for place, word in enumerate(words) if word.surface.islower()), len(words))
    tail = tuple(word.surface for word in words[proper:])
    states = {root.name for root in find_roots(name[: words[proper].start]) if root.is_state} if tail else set()
    if not states or not all(map(str.islower, tail)):
        return set(), []
    return states, [tail[place:] for place in range(max(0, len(tail) - _MAX_TAIL), len(tail))]


def without_capital(name: str) -> Iterator[str]:
    """A description without the capital that it begins with: "former detainees", "mediators"."""
    words = find_words(name)
    is_common = words[1].surface.islower() if len(words) > 1 else words and words[0].form.endswith("s")
    if is_common and not is_state(words[:1]) and not words[0].surface.isupper():
        yield name[0].lower() + name[1:]
