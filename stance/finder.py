"""Collects the names in one text: known ones, abbreviations that the text introduces, surnames, further names of an
actor already named, and names that no list holds but the model tags.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from stance.names import ARTICLES, GENERIC, NO_ACTORS, NOT_ALONE, PARTICLES, Hit, NameIndex, initials, surname
from stance.schema import Actor, Mentioned, Span
from stance.text import Word, find_words
from stance.variants import Root, find_roots, governments, is_adjective, is_of_state, is_seat

_ABBREVIATION = r"([^\W\d_][\w\-/]{1,9})"
_INTRODUCED = re.compile(
    rf"\s*(?:\(\s*(?:the\s+)?{_ABBREVIATION}\s*\)|,?\s+(?:also\s+)?known\s+as\s+(?:the\s+)?{_ABBREVIATION})"
)
_OPENED = re.compile(r"\s*\(\s*(?:the\s+)?$")
#: Words before a name that are no part of it.
_NO_PART = ARTICLES | frozenset("mr mrs ms dr his her its their our my this that these those".split())
#: Words that tell where a body is, which is no other body for it.
_PLACING = frozenset(("in", "inside"))
_SPELLED_OUT = re.compile(r"\s*\(\s*(?:the\s+)?([^\W\d_][^()\n]{4,80})\)")
#: Abbreviations in brackets that are no other name of what stands before them.
_AGENCIES = frozenset("AP AFP TASS DPA ANSA SANA IRNA KUNA WAM SPA AA PTI UPI EFE RIA BBC CNN RT CPI".split())
#: Common nouns that are an actor by themselves: "the government".
_COMMON = frozenset(("government", "opposition"))
#: Words after which such a noun only tells whose they are: "the government forces".
_OTHERS = frozenset(
    """
    forces troops army groups parties party leader leaders soldiers official officials figures controlled held
    source sources members delegates minister ministers fighters movement coalition bloc umbrella
    """.split()
)


class Finder:
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
        self._named: set[int] = set()
        self._by_short: dict[str, set[int]] = defaultdict(set)
        self._by_root: dict[Root, dict[int, bool]] = defaultdict(dict)
        hits = self._scan()
        for number in {hit.actor for hit in hits}:
            for name in self._actors[number].names:
                self._remember(number, name)
        self._further: dict[int, list[Span]] = defaultdict(list)
        self._ending = {hit.span.end: hit.actor for hit in hits}

    def _scan(self) -> list[Hit]:
        return self._index.scan(self._text, self._words)

    def _remember(self, number: int, name: str) -> None:
        """Take an actor for one that the text names so."""
        self._named.add(number)
        for short in _short_forms(name, self._actors[number].kind):
            self._by_short[short].add(number)
        for root in find_roots(name):
            self._by_root[root][number] = root.acts or self._by_root[root].get(number, False)

    def add_tagged(self, span: Span) -> None:
        """Take a stretch that the model tagged, unless a known name covers it."""
        name = self._trim(span)
        if name is None:
            return
        surface = self._text[name.start : name.end]
        hits = self._index.scan(surface, find_words(surface))
        if any(_is_all_but_epithets(hit.span, surface) or self._actors[hit.actor].kind == "person" for hit in hits):
            return
        owners = (
            self._index.owners(surface)
            or self._owners_of_short_form(surface)
            or self._owners_of_variant(surface)
            or self._owners_before_bracket(name)
        )
        if len(owners) == 1:
            owner = owners.pop()
        else:
            self._actors.append(Actor(surface))
            owner = len(self._actors) - 1
        self._remember(owner, surface)
        self._ending[name.end] = owner
        self._index.add(surface, owner, is_place=is_seat(surface))

    def add_common_nouns(self) -> None:
        """Take "the government" and "the opposition" for the one actor named that they can mean, or else for actors."""
        for noun in sorted(_COMMON):
            spans = list(self._described((noun,)))
            owners = {number for number in self._named if self._can_be(self._actors[number], noun)}
            if spans and not owners:
                self._actors.append(Actor(f"the {noun}"))
                owners = {len(self._actors) - 1}
            if len(owners) == 1:
                self._further[owners.pop()] += spans

    def add_descriptions(self, numbers: Sequence[int]) -> None:
        """Look for actors that were asked for in other words than their names.

        Args:
            numbers: of those that no name of theirs finds.
        """
        tails = {number: _common_tails(self._actors[number].name) for number in range(self._asked)}
        claims = Counter(tail for one in tails.values() for tail in one)
        for number in numbers:
            name = self._actors[number].name
            for other in (*governments(name), name[:1].lower() + name[1:]):
                self.learn(other, number)
            own = (list(self._described(tail)) for tail in tails[number] if claims[tail] == 1)
            self._further[number] += next(filter(None, own), [])

    def _described(self, nouns: tuple[str, ...]) -> Iterator[Span]:
        """Where the text has these nouns behind "the", and not as part of a longer description."""
        for place in range(1, len(self._words) - len(nouns) + 1):
            article, run = self._words[place - 1], self._words[place : place + len(nouns)]
            following = self._words[place + len(nouns) : place + len(nouns) + 1]
            if tuple(word.surface for word in run) != nouns or article.form != "the":
                continue
            if not (following and following[0].start == run[-1].end + 1 and following[0].form in _OTHERS):
                yield Span(run[0].start, run[-1].end)

    def _can_be(self, actor: Actor, noun: str) -> bool:
        if any(name.lower().endswith(noun) for name in actor.names):
            return True
        return noun == "government" and actor.kind != "state" and any(_is_state(name) for name in actor.names)

    def _trim(self, span: Span) -> Span | None:
        """The tagged stretch widened to whole words, without a leading article; ``None`` if no name is left."""
        words = self._words[bisect_right(self._ends, span.start) : bisect_left(self._starts, span.end)]
        while words and (words[0].form in _NO_PART or not _opens_name(words[0])):
            words = words[1:]
        if not words or (words[-1].surface.islower() and words[-1].form in NO_ACTORS):
            return None
        if len(words) == 1 and (words[0].form in GENERIC or _is_epithet(words[0]) or len(words[0].surface) < 2):
            return None
        return Span(words[0].start, words[-1].end)

    def _owners_of_short_form(self, surface: str) -> set[int]:
        """The actors, already named in full in this text, that a short form may stand for."""
        letters = "".join(filter(str.isalpha, surface))
        return set(self._by_short.get(letters if letters.isupper() else surface, ()))

    def _owners_of_variant(self, surface: str) -> set[int]:
        """The actors named so far that go by another name with the same root: "Khartoum" for "Sudan's government"."""
        owners: dict[int, bool] = {}
        for root in find_roots(surface):
            owners |= self._by_root[root]
        acting = {number for number, acts in owners.items() if acts}
        return acting if len(acting) == 1 else set(owners)

    def _owners_before_bracket(self, name: Span) -> set[int]:
        """The actor whose name an abbreviation in brackets follows: "Zapatista army (EZLN)"."""
        surface = self._text[name.start : name.end]
        opened = _OPENED.search(self._text, max(0, name.start - 8), name.start)
        if opened is None or sum(map(str.isupper, surface)) < 2 or " " in surface or surface in _AGENCIES:
            return set()
        owner = self._ending.get(opened.start())
        if owner is None or any(surname(one, self._actors[owner].kind) for one in self._actors[owner].names):
            return set()
        return {owner}

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
        taken = sorted(span for one in spans.values() for span in one)
        for owner, further in self._further.items():
            free = [span for span in further if not _overlaps(span, taken)]
            spans[owner] = sorted([*spans[owner], *free])
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


def _common_tails(name: str) -> list[tuple[str, ...]]:
    """The common nouns of a description that begins with a state's name or adjective, the longest run first."""
    surfaces = [word.surface for word in find_words(name)]
    proper = next((place for place, surface in enumerate(surfaces) if surface.islower()), len(surfaces))
    if not proper or not all(map(is_of_state, surfaces[:proper])) or not all(map(str.islower, surfaces[proper:])):
        return []
    return [tuple(surfaces[place:]) for place in range(proper, len(surfaces))]


def _opens_name(word: Word) -> bool:
    return word.surface[0].isupper() or word.form in PARTICLES


def _is_epithet(word: Word) -> bool:
    return word.form in NOT_ALONE or is_adjective(word.surface)


def _is_state(name: str) -> bool:
    return any(root.is_state for root in find_roots(name))


def _overlaps(span: Span, taken: Sequence[Span]) -> bool:
    """Whether a stretch overlaps one of those in order, none of which overlaps another."""
    place = bisect_right(taken, span.start, key=lambda one: one.end)
    return place < len(taken) and taken[place].start < span.end


def _is_all_but_epithets(hit: Span, surface: str) -> bool:
    """Whether a listed name is all of a stretch, but for adjectives before it and a place behind it."""
    before, behind = find_words(surface[: hit.start]), find_words(surface[hit.end :])
    return all(map(_is_epithet, before)) and (not behind or behind[0].form in _PLACING)


def _short_forms(name: str, kind: str | None) -> Iterator[str]:
    """The initials of a name, and of a person's the surname; the forename too where no list tells who it is."""
    letters = initials(name)
    if 2 <= len(letters) <= 7:
        yield letters
    last = surname(name, kind)
    if last is not None:
        yield last
        forename = find_words(name)[0].surface
        if kind is None and len(forename) > 3:
            yield forename
