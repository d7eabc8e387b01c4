"""Names as strings of words: how one is looked up, and what its short forms are.

Matching works on whole words, folds case and accents in the way of :func:`stance.text.normalise`, and takes
the longest name at each place, so that "Syrian Democratic Council" is never the state.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from stance.schema import Actor, Span
from stance.text import Word, find_words

ARTICLES = frozenset(("the", "a", "an"))
_PARTICLES = frozenset(
    """
    al el as ash an ar at ad de da del van von der bin ben ibn abu ould ag
    """.split()
)
#: Words that make a name one of a body, never of a person.
GENERIC = frozenset(
    """
    agency alliance army assembly association authority battalion bloc board brigade brigades bureau cabinet
    chamber church coalition command commission committee community conference congress corps council delegation
    department division envoy federation force forces forum foundation front government group groups guild house
    initiative institute junta kingdom league liberation majlis ministry mission movement nation nations network
    office opposition organisation organization parliament party people peoples platform police presidency
    process rebels regime republic resistance revolutionary secretariat senate society state states syndicate
    talks team tribunal tribes tribe union united unions wing women youth ahrar ansar faylaq harakat hayat hizb
    jabhat jaish jaysh liwa tahrir tajammu north south east west northern southern eastern western central saudi
    new free sri republican democratic national foreign general islamic christian ministers ministry
    """.split()
)
_PLACE_BEFORE = frozenset(
    """
    in at from to near outside around into via toward towards through of
    """.split()
)
_GAP = re.compile(r"[\s.\-‐‑–’'/&,]{0,3}")
_DATELINE = re.compile(r"[^\n.]{0,40}?(?:\([\w .]{2,20}\)\s*)?[—–:-]\s")


@dataclass(frozen=True, slots=True)
class _Name:
    forms: tuple[str, ...]
    surfaces: tuple[str, ...]
    actor: int
    is_place: bool

    def fits(self, words: Sequence[Word], *, any_case: bool) -> bool:
        """Whether the case of the words agrees: capitals of the name must be capitals in the text."""
        return any_case or all(_same_case(own, word.surface) for own, word in zip(self.surfaces, words, strict=True))


def _same_case(own: str, found: str) -> bool:
    if len(own) > 1 and own.isupper():
        return found.isupper()
    return not own[0].isupper() or found[0].isupper()


class NameIndex:
    """Names by their first word; a scan costs one look-up a word."""

    def __init__(self) -> None:
        self._names: dict[str, list[_Name]] = defaultdict(list)

    def add(self, name: str, actor: int, *, is_place: bool = False) -> None:
        """Take a name of an actor, with and without a leading article."""
        words = find_words(name)
        if len(words) > 2 and words[0].form in ARTICLES:
            self._insert(words[1:], actor, is_place)
        self._insert(words, actor, is_place)

    def add_actor(self, actor: Actor, number: int) -> None:
        """Take all names and seats of an actor."""
        for name in actor.names:
            self.add(name, number)
        for place in actor.places:
            self.add(place, number, is_place=True)

    def _insert(self, words: Sequence[Word], actor: int, is_place: bool) -> None:
        if not words:
            return
        entry = _Name(tuple(word.form for word in words), tuple(word.surface for word in words), actor, is_place)
        bucket = self._names[entry.forms[0]]
        if all(known.forms != entry.forms or known.surfaces != entry.surfaces for known in bucket):
            bucket.append(entry)
            bucket.sort(key=lambda known: -len(known.forms))

    def copy(self) -> NameIndex:
        """A copy that can be added to."""
        other = NameIndex()
        other._names.update({form: list(bucket) for form, bucket in self._names.items()})
        return other

    def owners(self, name: str) -> set[int]:
        """The actors that go by exactly this name, case apart."""
        forms = tuple(word.form for word in find_words(name))
        return {known.actor for known in self._names.get(forms[0], ()) if known.forms == forms} if forms else set()

    def scan(self, text: str, words: Sequence[Word]) -> list[tuple[Span, int]]:
        """The names in a text in order, none overlapping another, the longest at each place."""
        any_case = not any(char.isupper() for char in text)
        found = []
        position = 0
        while position < len(words):
            name = self._longest(text, words, position, any_case)
            if name is None:
                position += 1
                continue
            last = words[position + len(name.forms) - 1]
            found.append((Span(words[position].start, last.end), name.actor))
            position += len(name.forms)
        return found

    def _longest(self, text: str, words: Sequence[Word], position: int, any_case: bool) -> _Name | None:
        for name in self._names.get(words[position].form, ()):
            run = words[position : position + len(name.forms)]
            if len(run) == len(name.forms) and all(
                word.form == form for word, form in zip(run, name.forms, strict=True)
            ):
                if not _is_joined(text, run) or not name.fits(run, any_case=any_case):
                    continue
                if not (name.is_place and _is_mere_place(text, words, position, run[-1].end)):
                    return name
        return None


def _is_joined(text: str, run: Sequence[Word]) -> bool:
    pairs = pairwise(run)
    return all(_GAP.fullmatch(text, left.end, right.start) is not None for left, right in pairs)


def _is_mere_place(text: str, words: Sequence[Word], position: int, end: int) -> bool:
    """Whether a seat of government is only where something happens: after a preposition, or in a dateline."""
    if position and words[position - 1].form in _PLACE_BEFORE:
        return True
    start = words[position].start
    opens_line = not text[max(0, start - 1) : start].strip(" ")
    return opens_line and words[position].surface.isupper() and _DATELINE.match(text, end) is not None


def make_index(actors: Sequence[Actor]) -> NameIndex:
    """An index of the actors' names; an actor's number is its place."""
    index = NameIndex()
    for number, actor in enumerate(actors):
        index.add_actor(actor, number)
    return index


def initials(name: str) -> str:
    """The first letters of a name's capitalised words."""
    return "".join(word.surface[0].upper() for word in find_words(name) if word.surface[0].isupper())


def surname(name: str, kind: str | None) -> str | None:
    """What a second mention of a person uses ("Yahya al-Aridi" gives "Aridi"); ``None`` for no person."""
    words = find_words(name)
    if kind not in (None, "person") or not 2 <= len(words) <= 6:
        return None
    proper = [word for word in words if word.form not in _PARTICLES]
    if len(proper) < 2 or any(not word.surface[0].isupper() or word.form in GENERIC for word in proper):
        return None
    last = proper[-1].surface
    return None if last.isupper() or len(last) < 3 else last
