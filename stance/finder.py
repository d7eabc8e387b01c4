"""Collects the names in one text: known ones, abbreviations that the text introduces, surnames, further names of an
actor already named, and names that no list holds but the model tags.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence, Set

from stance.deadline import Deadline
from stance.descriptions import Descriptions, other_wordings, split_description
from stance.names import (
    GENERIC,
    NOT_ALONE,
    PARTICLES,
    Hit,
    NameIndex,
    initials,
    person_parts,
    surname,
    without_titles,
)
from stance.schema import Actor, Mentioned, Span
from stance.tagged import BODIES, Tagged, is_person
from stance.text import find_words, normalise, overlaps
from stance.variants import (
    Root,
    acts_for_state,
    find_roots,
    find_state,
    governments,
    is_seat,
    is_state,
    those_who_act_for,
)

_ABBREVIATION = r"([^\W\d_][\w\-/]{1,9})"
_INTRODUCED = re.compile(
    rf"\s*+(?:\(\s*+(?:the\s++)?{_ABBREVIATION}\s*+\)"
    rf"|(?:,\s++|(?<=\s))(?:also\s++)?known\s++as\s++(?:the\s++)?{_ABBREVIATION})"
)
_OPENED = re.compile(r"\s*\(\s*(?:the\s+)?$")
#: What stands between a name and another that it is told to go by, which may have a title: "known as Commander Tagub".
_CALLED = re.compile(
    r"(?:,?\s+(?:(?:also|better|widely)\s+)?known\s+as|,?\s+alias|,?\s+who\s+goes\s+by|,\s+called)"
    r"\s+(?:the\s+)?(?:[A-Z][a-z]+\.?\s+)?[\"“']?$"
)
_SPELLED_OUT = re.compile(r"\s*+\(\s*+(?:the\s++)?([^\W\d_][^()\n]{4,80})\)")
#: Abbreviations in brackets that are no other name of what stands before them.
_AGENCIES = frozenset("AP AFP TASS DPA ANSA SANA IRNA KUNA WAM SPA AA PTI UPI EFE RIA BBC CNN RT CPI".split())
#: Common nouns that are an actor by themselves: "the government".
_COMMON = ("government", "opposition")


class Finder:
    """Collects names while it reads one text: known ones first, then those that the text itself introduces.

    Args:
        actors: the actors asked for; those of the lexicon are numbered behind them.
        deadline: when the search stops with :class:`stance.errors.DeadlineExceeded`.
    """

    def __init__(
        self,
        text: str,
        actors: Sequence[Actor],
        index: NameIndex,
        listed: Sequence[Actor],
        *,
        deadline: Deadline | None = None,
    ) -> None:
        self._text = text
        self._words = find_words(text)
        self._listed = listed
        self._actors = [*actors, *listed]
        self._asked = len(actors)
        self._index = index
        self._deadline = deadline
        self._named: set[int] = set()
        self._by_short: dict[str, set[int]] = defaultdict(set)
        self._by_letters: dict[str, set[int]] = defaultdict(set)
        self._by_stem: dict[str, set[int]] = defaultdict(set)
        self._persons: dict[int, list[list[str]]] = defaultdict(list)
        self._by_word: dict[str, set[int]] = defaultdict(set)
        self._by_root: dict[Root, dict[int, bool]] = defaultdict(dict)
        self._described: dict[int, list[Span]] = defaultdict(list)
        hits = self._scan()
        self._ending = {hit.span.end: hit.actor for hit in hits}
        self._governing: set[int] = {hit.actor for hit in hits if acts_for_state(self._surface(hit.span))}
        self._acting: set[int] = self._governing | {hit.actor for hit in hits if hit.name.is_place}
        for number in {hit.actor for hit in hits}:
            for name in self._actors[number].names:
                self._remember(number, name)

    def _surface(self, span: Span) -> str:
        return self._text[span.start : span.end]

    def _is_state(self, number: int) -> bool:
        return self._actors[number].kind == "state"

    def _scan(self) -> list[Hit]:
        return self._index.scan(self._text, self._words, deadline=self._deadline)

    def _remember(self, number: int, name: str) -> None:
        """Take an actor for one that the text names so."""
        self._named.add(number)
        for short in _short_forms(name, self._actors[number].kind):
            self._by_short[short].add(number)
        for letters in _letters(name):
            self._by_letters[letters].add(number)
        self._by_stem[initials(name)[:-1]].add(number)
        if is_person(name, self._actors[number].kind):
            forms = [word.form for word in find_words(name)]
            self._persons[number].append(forms)
            for form in forms:
                self._by_word[form].add(number)
        for root in find_roots(name):
            self._by_root[root][number] = root.acts or self._by_root[root].get(number, False)

    def add_tagged(self, spans: Iterable[Span], acts: Callable[[Span], bool]) -> None:
        """Take stretches that the model tagged, unless a known name covers them; the longest first, so that it is known
        whose short forms the others can be.

        Args:
            acts: whether the model takes a stretch that it did not tag for an actor's name all the same.
        """
        names = Tagged(self._text, self._words, self._is_known, acts, deadline=self._deadline).names(spans)
        for name in sorted(names, key=lambda one: (_called_before(self._text, one) is not None, one.start - one.end)):
            self._add_name(name)

    def _is_known(self, span: Span) -> bool:
        name = self._surface(span)
        return bool(self._index.owners(name)) or is_state(find_words(name))

    def _add_name(self, name: Span) -> None:
        surface = self._text[name.start : name.end]
        hits = self._index.scan(surface, find_words(surface), deadline=self._deadline)
        if any(self._actors[hit.actor].kind == "person" or self._is_whole(hit, surface) for hit in hits):
            return
        owners = (
            self._index.owners(surface)
            or self._owners_of_short_form(surface)
            or self._owners_of_part(surface)
            or self._owners_of_variant(surface)
            or self._owners_before(name)
            or self._owners_of_state(surface)
        )
        if len(owners) == 1:
            owner = owners.pop()
        else:
            self._actors.append(Actor(surface))
            owner = len(self._actors) - 1
        self._remember(owner, surface)
        self._ending[name.end] = owner
        if is_seat(surface) or acts_for_state(surface):
            self._acting.add(owner)
        if acts_for_state(surface):
            self._governing.add(owner)
        self._index.add(surface, owner, is_place=is_seat(surface))

    def _is_whole(self, hit: Hit, surface: str) -> bool:
        """Whether a listed name is all of a stretch, but for its country: "Democratic Union Party in Syria"."""
        before, behind = find_words(surface[: hit.span.start]), find_words(surface[hit.span.end :])
        if behind and behind[0].form != "in":
            return False
        country = self._actors[hit.actor].country
        own = {
            root
            for state in self._listed
            if state.kind == "state" and state.country == country
            for root in find_roots(state.name)
        }
        epithets = [word for word in before if is_state((word,)) or word.form not in NOT_ALONE]
        return all(find_roots(word.surface) & own for word in (*epithets, *behind[1:]))

    def _owners_of_short_form(self, surface: str) -> set[int]:
        """The actors, already named in full in this text, that a short form may stand for."""
        letters = "".join(filter(str.isalpha, surface))
        if not letters.isupper():
            return set(self._by_short.get(surface, ()))
        alike = self._by_letters.get("".join(sorted(letters)), set())
        # who is "SPLMN" for short is a branch of the "SPLM", not that body
        return set(self._by_short.get(letters, ())) or alike - self._by_stem.get(letters, set())

    def _owners_of_part(self, surface: str) -> set[int]:
        """The persons, already named in full, whose names have these words in this order: "Sheikh bin Fareed"."""
        words = without_titles(find_words(surface))
        if len(words) < 2 or not all(word.surface[0].isupper() or word.form in PARTICLES for word in words):
            return self._owners_of_short_form(words[0].surface) if len(words) == 1 else set()
        forms = [word.form for word in words]
        owners = set.intersection(*(self._by_word.get(form, set()) for form in forms))
        return {number for number in owners if any(_is_part(forms, whole) for whole in self._persons[number])}

    def _owners_of_variant(self, surface: str) -> set[int]:
        """The actors named so far that go by another name with the same root: "Khartoum" for "Sudan's government"."""
        owners: dict[int, bool] = {}
        for root in find_roots(surface):
            owners |= self._by_root[root]
        acting = {number for number, acts in owners.items() if acts}
        return acting if len(acting) == 1 else set(owners)

    def _owners_of_state(self, surface: str) -> set[int]:
        """The listed actor that a state, or those who act for it, is by another name: "Turkish officials"."""
        state = find_state(surface)
        names = () if state is None else (*governments(surface), state.name)
        return next(filter(None, map(self._index.owners, names)), set())

    def _owners_before(self, name: Span) -> set[int]:
        """The actor that a name is told to be another name of: "Zapatista army (EZLN)", "X, better known as Y"."""
        called = _called_before(self._text, name)
        owner = self._ending.get(called.start()) if called else None
        if owner is None:
            return self._owners_before_bracket(name)
        return set() if self._is_state(owner) else {owner}  # "a group in Mali, known as Ganda Koy"

    def _owners_before_bracket(self, name: Span) -> set[int]:
        surface = self._surface(name)
        opened = _OPENED.search(self._text, max(0, name.start - 8), name.start)
        owner = self._ending.get(opened.start()) if opened else None
        if owner is None or " " in surface or surface in _AGENCIES or self._is_state(owner):
            return set()
        names = self._actors[owner].names
        if any(surname(one, self._actors[owner].kind) for one in names):
            return set()  # a person's party, not the person
        is_body = any(word.form in GENERIC for one in names for word in find_words(one))
        is_short = sum(map(str.isupper, surface)) >= 2 or (is_body and not is_state(find_words(surface)))
        return {owner} if is_short else set()

    def add_common_nouns(self) -> None:
        """Take "the government" and "the opposition" for the one actor named that they can mean, or else for actors."""
        descriptions = Descriptions(self._text, self._words)
        is_only_state = sum(map(self._is_state, self._named)) == 1
        acting = self._acting if is_only_state else self._governing  # "Washington" may be any text's bystander
        for noun in _COMMON:
            spans = descriptions.find((noun,))
            owners = {number for number in self._named if self._can_be(number, noun, acting)}
            if spans and not owners:
                self._actors.append(Actor(f"the {noun}"))
                owners = {len(self._actors) - 1}
            if len(owners) == 1:
                self._described[owners.pop()] += spans
        for noun in BODIES:
            owners = {number for number in self._named if self._has_noun(number, noun)}
            if len(owners) == 1:
                self._described[owners.pop()] += descriptions.find((noun,))

    def _has_noun(self, number: int, noun: str) -> bool:
        return any(noun in name.split() for name in self._actors[number].names)

    def _can_be(self, number: int, noun: str, acting: Set[int]) -> bool:
        """Whether a common noun can mean an actor: one that is called so, or a state's government by another name."""
        is_called_so = any(name.lower().endswith(noun) for name in self._actors[number].names)
        return is_called_so or (noun == "government" and number in acting)

    def add_descriptions(self, numbers: Sequence[int]) -> None:
        """Look for actors that were asked for in other words than their names.

        Args:
            numbers: of those that no name of theirs finds.
        """
        descriptions = Descriptions(self._text, self._words)
        asked = {normalise(one.name): one.name for one in self._actors[: self._asked]}
        claims = Counter(tail for name in asked.values() for tail in split_description(name)[1])
        for number in numbers:
            name = self._actors[number].name
            for other in (*governments(name), *those_who_act_for(name), *other_wordings(name)):
                self.learn(other, number)
            own, tails = split_description(name)
            free = (tail for tail in tails if claims[tail] == 1 and descriptions.states_before(tail) <= own)
            self._described[number] += next(filter(None, map(descriptions.find, free)), [])

    def result(self, *, allow_bare_surnames: bool = False) -> list[Mentioned]:
        """Every actor with its mentions.

        Args:
            allow_bare_surnames: take a surname for an actor that was asked for, though its full name is nowhere.
        """
        self.learn_introduced()
        self._learn_surnames(allow_bare_surnames)
        spans: dict[int, list[Span]] = defaultdict(list)
        for hit in self._scan():
            spans[hit.actor].append(hit.span)
        for number, described in self._described.items():
            taken = sorted(span for one in spans.values() for span in one)
            free = [span for span in described if not overlaps(span, taken)]
            spans[number] = sorted([*spans[number], *free])
        return [Mentioned(actor, tuple(spans.get(number, ()))) for number, actor in enumerate(self._actors)]

    def learn_introduced(self) -> None:
        """Take the abbreviations that the text introduces, and the names that it spells out behind abbreviations."""
        for hit in self._scan():
            if hit.name.is_place or self._actors[hit.actor].kind == "person":
                continue
            short = _INTRODUCED.match(self._text, hit.span.end)
            name = (short.group(1) or short.group(2)) if short else ""
            if name and name == initials(self._text[hit.span.start : hit.span.end]):
                self._index.add(name, hit.actor)  # whoever else goes by it, in other texts
            elif sum(map(str.isupper, name)) >= 2 and name not in _AGENCIES and not self._is_state(hit.actor):
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


def _called_before(text: str, name: Span) -> re.Match[str] | None:
    return _CALLED.search(text, max(0, name.start - 48), name.start)


def _short_forms(name: str, kind: str | None) -> Iterator[str]:
    """The initials of a name, and of a person's the surname; its other parts too where no list tells who it is."""
    letters = initials(name)
    if 2 <= len(letters) <= 7:
        yield letters
    if not is_person(name, kind):
        return
    last = surname(name, kind)
    yield from filter(None, (last,))
    for part in person_parts(name, kind) if kind is None else ():
        one = name[part[0].start : part[-1].end]
        if one != last and len(one) > 3 and not is_state(part):
            yield one


def _letters(name: str) -> Iterator[str]:
    """Letters that an abbreviation in another language may have, in order: those of "URNG" for "Guatemalan National
    Revolutionary Unity", and of "FMLN" for "Farabundo Martí National Liberation Front".
    """
    letters = "".join(sorted(initials(name)))
    if 4 <= len(letters) <= 7:
        yield letters
    if 5 <= len(letters) <= 7:
        yield from {letters[:place] + letters[place + 1 :] for place in range(len(letters))}


def _is_part(words: Sequence[str], whole: Sequence[str]) -> bool:
    """Whether a name has some words in their order."""
    rest = iter(whole)
    return all(word in rest for word in words)
