"""Who is named in a text: names, aliases, abbreviations that the text introduces, surnames, and
names that no list holds but the model tags.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from stance.names import ARTICLES, GENERIC, NameIndex, initials, make_index, surname
from stance.schema import Actor, Mentioned, Span
from stance.text import find_words

_INTRODUCED = re.compile(
    r"\s*(?:\(\s*(?:the\s+)?|,?\s+(?:also\s+)?(?:or|known\s+as)\s+(?:the\s+)?)([^\W\d_][\w\-/]{1,9})\s*(\))?"
)
_SPELLED_OUT = re.compile(r"\s*\(\s*(?:the\s+)?([^\W\d_][^()\n]{4,80})\)")


class Lexicon:
    """The actors that a bundle knows by name."""

    def __init__(self, actors: Iterable[Actor]) -> None:
        self.actors = tuple(actors)
        self._index = make_index(self.actors)

    @property
    def index(self) -> NameIndex:
        """A copy of the names, to be added to."""
        return self._index.copy()

    def find(self, name: str) -> Actor | None:
        """The listed actor that goes by ``name``, if exactly one does."""
        owners = self._index.owners(name)
        return self.actors[owners.pop()] if len(owners) == 1 else None

    def complete(self, requested: Actor) -> Actor:
        """The requested actor with the id, kind and country that the lexicon has for its name."""
        known = self.find(requested.name)
        return requested if known is None else replace(requested, id=known.id, kind=known.kind, country=known.country)


def find_given(text: str, actors: Sequence[Actor], lexicon: Lexicon) -> list[Mentioned]:
    """Mentions of just these actors, one entry for each, in the order given; none found leaves an empty tuple.

    The lexicon lends an actor the other names that it goes by, unless another of the actors has claimed them.
    """
    completed = [lexicon.complete(actor) for actor in actors]
    finder = _Finder(text, completed, make_index(completed))
    for number, actor in enumerate(actors):
        known = lexicon.find(actor.name)
        for name in known.names if known else ():
            finder.learn(name, number)
        for place in known.places if known else ():
            finder.learn(place, number, is_place=True)
    return finder.result()


def find_all(text: str, lexicon: Lexicon, tagged: Sequence[Span]) -> list[Mentioned]:
    """Every actor that the text names, in order of first mention.

    Args:
        tagged: stretches that the model takes for an actor's name; those that no listed name
            covers become actors of their own.
    """
    finder = _Finder(text, lexicon.actors, lexicon.index)
    for span in tagged:
        finder.add_tagged(span)
    return sorted((one for one in finder.result() if one.mentions), key=lambda one: one.mentions[0])


class _Finder:
    """Collects names while it reads one text: known ones first, then those that the text itself introduces."""

    def __init__(self, text: str, actors: Sequence[Actor], index: NameIndex) -> None:
        self._text = text
        self._words = find_words(text)
        self._actors = list(actors)
        self._index = index

    def add_tagged(self, span: Span) -> None:
        name = _trim(self._text, span)
        if name is None:
            return
        surface = self._text[name.start : name.end]
        hits = self._index.scan(surface, find_words(surface))
        if any(hit.end - hit.start == len(surface) or self._actors[owner].kind == "person" for hit, owner in hits):
            return
        owner = self._owner_of(surface)
        if owner is None:
            self._actors.append(Actor(surface))
            owner = len(self._actors) - 1
        self._index.add(surface, owner)

    def _owner_of(self, surface: str) -> int | None:
        """The actor, already named in full in this text, that a short form stands for."""
        seen = {owner for _, owner in self._index.scan(self._text, self._words)}
        matches = [number for number in sorted(seen) if _is_short_form(surface, self._actors[number])]
        return matches[0] if len(matches) == 1 else None

    def result(self) -> list[Mentioned]:
        self._learn_introduced()
        self._learn_surnames()
        spans: dict[int, list[Span]] = defaultdict(list)
        for span, owner in self._index.scan(self._text, self._words):
            spans[owner].append(span)
        return [Mentioned(actor, tuple(spans.get(number, ()))) for number, actor in enumerate(self._actors)]

    def _learn_introduced(self) -> None:
        for span, owner in self._index.scan(self._text, self._words):
            short = _INTRODUCED.match(self._text, span.end)
            if short and (short.group(2) or "(" not in short.group()) and sum(map(str.isupper, short.group(1))) >= 2:
                self.learn(short.group(1), owner)
            surface = self._text[span.start : span.end]
            spelled = _SPELLED_OUT.match(self._text, span.end)
            if spelled and initials(spelled.group(1)) == surface.upper():
                self.learn(spelled.group(1), owner)

    def _learn_surnames(self) -> None:
        surnames: dict[str, set[int]] = defaultdict(set)
        for number, actor in enumerate(self._actors):
            for name in actor.names:
                last = surname(name, actor.kind)
                if last:
                    surnames[last].add(number)
        if not surnames:
            return
        named = {owner for _, owner in self._index.scan(self._text, self._words)}
        for last, owners in surnames.items():
            present = owners & named or owners
            if len(present) == 1:
                self.learn(last, present.pop())

    def learn(self, name: str, owner: int, *, is_place: bool = False) -> None:
        """Take a further name of an actor, unless one has it already."""
        if not self._index.owners(name):
            self._index.add(name, owner, is_place=is_place)


def _trim(text: str, span: Span) -> Span | None:
    """The tagged stretch as whole words, without a leading article; ``None`` if no name is left."""
    words = find_words(text[span.start : span.end])
    while words and words[0].form in ARTICLES:
        words = words[1:]
    if not words or not any(word.surface[0].isupper() for word in words):
        return None
    if len(words) == 1 and (words[0].form in GENERIC or len(words[0].surface) < 2):
        return None
    return Span(span.start + words[0].start, span.start + words[-1].end)


def _is_short_form(surface: str, actor: Actor) -> bool:
    if surface.isupper() and 2 <= len(surface) <= 6:
        return any(initials(name) == surface for name in actor.names)
    return any(surname(name, actor.kind) == surface for name in actor.names)
