"""Who is named in a text: names, aliases, abbreviations that the text introduces, surnames, and
names that no list holds but the model tags.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

from stance.names import (
    ARTICLES,
    GENERIC,
    NO_ACTORS,
    NOT_ALONE,
    PARTICLES,
    Hit,
    NameIndex,
    initials,
    make_index,
    surname,
)
from stance.schema import Actor, Mentioned, Span
from stance.text import Word, find_words, normalise

_ABBREVIATION = r"([^\W\d_][\w\-/]{1,9})"
_INTRODUCED = re.compile(
    rf"\s*(?:\(\s*(?:the\s+)?{_ABBREVIATION}\s*\)|,?\s+(?:also\s+)?known\s+as\s+(?:the\s+)?{_ABBREVIATION})"
)
_SPELLED_OUT = re.compile(r"\s*\(\s*(?:the\s+)?([^\W\d_][^()\n]{4,80})\)")
#: Abbreviations in brackets that are no other name of what stands before them.
_AGENCIES = frozenset("AP AFP TASS DPA ANSA SANA IRNA KUNA WAM SPA AA PTI UPI EFE RIA BBC CNN RT CPI".split())


class Lexicon:
    """The actors that a bundle knows by name."""

    def __init__(self, actors: Iterable[Actor]) -> None:
        self.actors = tuple(actors)
        self.index = make_index(self.actors)

    def find(self, name: str) -> Actor | None:
        """The listed actor that goes by ``name``, if exactly one does."""
        owners = self.index.owners(name)
        return self.actors[owners.pop()] if len(owners) == 1 else None

    def complete(self, requested: Actor) -> Actor:
        """The requested actor with the id, kind and country that the lexicon has for its name."""
        known = self.find(requested.name)
        return requested if known is None else replace(requested, id=known.id, kind=known.kind, country=known.country)


def find_given(text: str, actors: Sequence[Actor], lexicon: Lexicon) -> list[Mentioned]:
    """Mentions of just these actors, one entry for each, in the order given; none found leaves an empty tuple.

    The lexicon lends an actor the other names that it goes by, unless another of the actors has claimed them, and
    keeps names of others that contain an actor's name apart. Actors that are one and the same share their mentions.
    """
    completed = [lexicon.complete(actor) for actor in actors]
    finder = _Finder(text, completed, make_index(completed, base=lexicon.index), lexicon.actors)
    for number, actor in enumerate(actors):
        known = lexicon.find(actor.name)
        for name in known.names if known else ():
            finder.learn(name, number)
        for place in known.places if known else ():
            finder.learn(place, number, is_place=True)
    found = finder.result(allow_bare_surnames=True)[: len(completed)]
    shared: dict[str, tuple[Span, ...]] = {}
    for one in found:
        if one.mentions:
            shared.setdefault(_identity(one.actor), one.mentions)
    return [Mentioned(one.actor, one.mentions or shared.get(_identity(one.actor), ())) for one in found]


def _identity(actor: Actor) -> str:
    return actor.id or normalise(actor.name)


def find_all(text: str, lexicon: Lexicon, tagged: Sequence[Span]) -> list[Mentioned]:
    """Every actor that the text names, in order of first mention.

    Args:
        tagged: stretches that the model takes for an actor's name; those that no listed name
            covers become actors of their own.
    """
    finder = _Finder(text, (), NameIndex(lexicon.index), lexicon.actors)
    for span in tagged:
        finder.add_tagged(span)
    return sorted((one for one in finder.result() if one.mentions), key=lambda one: one.mentions[0])


class _Finder:
    """Collects names while it reads one text: known ones first, then those that the text itself introduces.

    Args:
        actors: the actors asked for; those of the lexicon are numbered behind them.
    """

    def __init__(self, text: str, actors: Sequence[Actor], index: NameIndex, listed: Sequence[Actor]) -> None:
        self._text = text
        self._words = find_words(text)
        self._starts = [word.start for word in self._words]
        self._ends = [word.end for word in self._words]
        self._actors = [*actors, *listed]
        self._asked = len(actors)
        self._index = index
        self._named = {hit.actor for hit in self._scan()}

    def _scan(self) -> list[Hit]:
        return self._index.scan(self._text, self._words)

    def add_tagged(self, span: Span) -> None:
        """Take a stretch that the model tagged, unless a known name covers it."""
        name = self._trim(span)
        if name is None:
            return
        surface = self._text[name.start : name.end]
        hits = self._index.scan(surface, find_words(surface))
        whole = Span(0, len(surface))
        if any(hit.span == whole or self._actors[hit.actor].kind == "person" for hit in hits):
            return
        owners = self._index.owners(surface) or self._owners_of_short_form(surface)
        if len(owners) == 1:
            owner = owners.pop()
        else:
            self._actors.append(Actor(surface))
            owner = len(self._actors) - 1
        self._named.add(owner)
        self._index.add(surface, owner)

    def _trim(self, span: Span) -> Span | None:
        """The tagged stretch widened to whole words, without a leading article; ``None`` if no name is left."""
        words = self._words[bisect_right(self._ends, span.start) : bisect_left(self._starts, span.end)]
        while words and (words[0].form in ARTICLES or not _opens_name(words[0])):
            words = words[1:]
        if not words or (words[-1].surface.islower() and words[-1].form in NO_ACTORS):
            return None
        if len(words) == 1 and (words[0].form in GENERIC | NOT_ALONE or len(words[0].surface) < 2):
            return None
        return Span(words[0].start, words[-1].end)

    def _owners_of_short_form(self, surface: str) -> set[int]:
        """The actors, already named in full in this text, that a short form may stand for."""
        return {number for number in self._named if _is_short_form(surface, self._actors[number])}

    def result(self, *, allow_bare_surnames: bool = False) -> list[Mentioned]:
        """Every actor with its mentions.

        Args:
            allow_bare_surnames: take a surname for an actor that was asked for, though its full name is nowhere.
        """
        self._learn_introduced()
        self._learn_surnames(allow_bare_surnames)
        spans: dict[int, list[Span]] = defaultdict(list)
        for hit in self._scan():
            spans[hit.actor].append(hit.span)
        return [Mentioned(actor, tuple(spans.get(number, ()))) for number, actor in enumerate(self._actors)]

    def _learn_introduced(self) -> None:
        for hit in self._scan():
            if hit.name.is_place or self._actors[hit.actor].kind == "person":
                continue
            short = _INTRODUCED.match(self._text, hit.span.end)
            name = (short.group(1) or short.group(2)) if short else ""
            if sum(map(str.isupper, name)) >= 2 and name not in _AGENCIES:
                self.learn(name, hit.actor)
            spelled = _SPELLED_OUT.match(self._text, hit.span.end)
            if spelled and initials(spelled.group(1)) == self._text[hit.span.start : hit.span.end].upper():
                self.learn(spelled.group(1), hit.actor)

    def _learn_surnames(self, allow_bare: bool) -> None:
        named = {hit.actor for hit in self._scan()}
        bare = set(range(self._asked)) if allow_bare else set()
        surnames: dict[str, set[int]] = defaultdict(set)
        for number in named | bare:
            actor = self._actors[number]
            for last in filter(None, (surname(name, actor.kind) for name in actor.names)):
                surnames[last].add(number)
        for last, owners in surnames.items():
            present = owners & named or owners
            if len(present) == 1:
                self.learn(last, present.pop(), is_person=True)

    def learn(self, name: str, owner: int, *, is_place: bool = False, is_person: bool = False) -> None:
        """Take a further name of an actor, unless another has it already."""
        owners = self._index.owners(name)
        if owners <= {owner} or min(owners) >= self._asked > owner:
            self._index.add(name, owner, is_place=is_place, is_person=is_person)


def _opens_name(word: Word) -> bool:
    return word.surface[0].isupper() or word.form in PARTICLES


def _is_short_form(surface: str, actor: Actor) -> bool:
    if surface.isupper() and 2 <= len(surface) <= 6:
        return any(initials(name) == surface for name in actor.names)
    return any(surname(name, actor.kind) == surface for name in actor.names)
