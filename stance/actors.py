"""Who is named in a text: names, aliases, abbreviations that the text introduces, surnames, and
names that no list holds but the model tags.

Matching works on whole words, folds case and accents in the way of :func:`stance.text.normalise`, and takes
the longest name at each place, so that "Syrian Democratic Council" is never the state.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from stance.schema import Actor, Mentioned, Span
from stance.text import Word, find_words

_GAP = re.compile(r"[\s.\-‐‑–’'/&,]{0,3}")
_INTRODUCED = re.compile(
    r"\s*(?:\(\s*(?:the\s+)?|,?\s+(?:also\s+)?(?:or|known\s+as)\s+(?:the\s+)?)([^\W\d_][\w\-/]{1,9})\s*(\))?"
)
_SPELLED_OUT = re.compile(r"\s*\(\s*(?:the\s+)?([^\W\d_][^()\n]{4,80})\)")
_PARTICLES = frozenset(
    [
        "al",
        "el",
        "as",
        "ash",
        "an",
        "ar",
        "at",
        "ad",
        "de",
        "da",
        "del",
        "van",
        "von",
        "der",
        "bin",
        "ben",
        "ibn",
        "abu",
        "ould",
        "ag",
    ]
)
_GENERIC = frozenset(
    [
        "agency",
        "alliance",
        "army",
        "assembly",
        "association",
        "authority",
        "battalion",
        "bloc",
        "board",
        "brigade",
        "brigades",
        "bureau",
        "cabinet",
        "chamber",
        "church",
        "coalition",
        "command",
        "commission",
        "committee",
        "community",
        "conference",
        "congress",
        "corps",
        "council",
        "delegation",
        "department",
        "division",
        "envoy",
        "federation",
        "force",
        "forces",
        "forum",
        "foundation",
        "front",
        "government",
        "group",
        "groups",
        "guild",
        "house",
        "initiative",
        "institute",
        "junta",
        "kingdom",
        "league",
        "liberation",
        "majlis",
        "ministry",
        "mission",
        "movement",
        "nation",
        "nations",
        "network",
        "office",
        "opposition",
        "organisation",
        "organization",
        "parliament",
        "party",
        "people",
        "peoples",
        "platform",
        "police",
        "presidency",
        "process",
        "rebels",
        "regime",
        "republic",
        "resistance",
        "revolutionary",
        "secretariat",
        "senate",
        "society",
        "state",
        "states",
        "syndicate",
        "talks",
        "team",
        "tribunal",
        "tribes",
        "tribe",
        "union",
        "united",
        "unions",
        "wing",
        "women",
        "youth",
        "ahrar",
        "ansar",
        "faylaq",
        "harakat",
        "hayat",
        "hizb",
        "jabhat",
        "jaish",
        "jaysh",
        "liwa",
        "tahrir",
        "tajammu",
        "north",
        "south",
        "east",
        "west",
        "northern",
        "southern",
        "eastern",
        "western",
        "central",
        "saudi",
        "new",
        "free",
        "sri",
        "republican",
        "democratic",
        "national",
        "foreign",
        "general",
        "islamic",
        "christian",
        "ministers",
        "ministry",
    ]
)
_ARTICLES = frozenset(("the", "a", "an"))
_PLACE_BEFORE = frozenset(
    ["in", "at", "from", "to", "near", "outside", "around", "into", "via", "toward", "towards", "through", "of"]
)
_DATELINE = re.compile(r"[^\n.]{0,40}?(?:\([\w .]{2,20}\)\s*)?[—–:-]\s")


@dataclass(frozen=True, slots=True)
class _Name:
    forms: tuple[str, ...]
    surfaces: tuple[str, ...]
    actor: int
    is_place: bool

    def fits(self, words: Sequence[Word], *, any_case: bool) -> bool:
        return any_case or all(_same_case(own, word.surface) for own, word in zip(self.surfaces, words, strict=True))


def _same_case(own: str, found: str) -> bool:
    if len(own) > 1 and own.isupper():
        return found.isupper()
    return not own[0].isupper() or found[0].isupper()


class _Index:
    """Names by their first word; a scan costs one look-up a word."""

    def __init__(self) -> None:
        self._names: dict[str, list[_Name]] = defaultdict(list)

    def add(self, name: str, actor: int, *, is_place: bool = False) -> None:
        words = find_words(name)
        if len(words) > 2 and words[0].form in _ARTICLES:
            self._insert(words[1:], actor, is_place)
        self._insert(words, actor, is_place)

    def add_actor(self, actor: Actor, number: int) -> None:
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

    def copy(self) -> _Index:
        other = _Index()
        other._names.update({form: list(bucket) for form, bucket in self._names.items()})
        return other

    def owners(self, name: str) -> set[int]:
        forms = tuple(word.form for word in find_words(name))
        return {known.actor for known in self._names.get(forms[0], ()) if known.forms == forms} if forms else set()

    def scan(self, text: str, words: Sequence[Word]) -> list[tuple[Span, int]]:
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
    pairs = zip(run, run[1:], strict=False)
    return all(_GAP.fullmatch(text, left.end, right.start) is not None for left, right in pairs)


def _is_mere_place(text: str, words: Sequence[Word], position: int, end: int) -> bool:
    """Whether a seat of government is only where something happens: after a preposition, or in a dateline."""
    if position and words[position - 1].form in _PLACE_BEFORE:
        return True
    start = words[position].start
    opens_line = not text[max(0, start - 1) : start].strip(" ")
    return opens_line and words[position].surface.isupper() and _DATELINE.match(text, end) is not None


def _make_index(actors: Sequence[Actor]) -> _Index:
    index = _Index()
    for number, actor in enumerate(actors):
        index.add_actor(actor, number)
    return index


class Lexicon:
    """The actors that a bundle knows by name."""

    def __init__(self, actors: Iterable[Actor]) -> None:
        self.actors = tuple(actors)
        self._index = _make_index(self.actors)

    @property
    def index(self) -> _Index:
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
    finder = _Finder(text, completed, _make_index(completed))
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

    def __init__(self, text: str, actors: Sequence[Actor], index: _Index) -> None:
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
            if spelled and _initials(spelled.group(1)) == surface.upper():
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
    """The tagged stretch from its first to its last whole word, without a leading article; ``None`` if no name is left."""
    words = [word for word in find_words(text[span.start : span.end])]
    while words and words[0].form in _ARTICLES:
        words = words[1:]
    if not words or not any(word.surface[0].isupper() for word in words):
        return None
    if len(words) == 1 and (words[0].form in _GENERIC or len(words[0].surface) < 2):
        return None
    return Span(span.start + words[0].start, span.start + words[-1].end)


def _initials(name: str) -> str:
    return "".join(word.surface[0].upper() for word in find_words(name) if word.surface[0].isupper())


def _is_short_form(surface: str, actor: Actor) -> bool:
    if surface.isupper() and 2 <= len(surface) <= 6:
        return any(_initials(name) == surface for name in actor.names)
    return any(surname(name, actor.kind) == surface for name in actor.names)


def surname(name: str, kind: str | None) -> str | None:
    """The part of a person's name that a second mention uses ("Yahya al-Aridi" gives "Aridi"); ``None`` for no person."""
    words = find_words(name)
    if kind not in (None, "person") or not 2 <= len(words) <= 6:
        return None
    proper = [word for word in words if word.form not in _PARTICLES]
    if len(proper) < 2 or any(not word.surface[0].isupper() or word.form in _GENERIC for word in proper):
        return None
    last = proper[-1].surface
    return None if last.isupper() or len(last) < 3 else last
