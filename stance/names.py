"""Names as strings of words: how one is looked up, and what its short forms are.

Matching works on whole words, folds case and accents in the way of :func:`stance.text.normalise`, and takes
the longest name at each place, so that "Syrian Democratic Council" is never the state.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from stance.deadline import Deadline
from stance.schema import Actor, Span
from stance.text import Word, find_words

#: Of a longer name these count; a tagged stretch of more is none.
MAX_NAME_WORDS = 16
#: Words that are looked at between two looks at the clock, which takes as long as one of them.
_AT_ONCE = 64
ARTICLES = frozenset(("the", "a", "an"))
PARTICLES = frozenset(
    """
    al el as ash an ar at ad ul de da das del dela di dos du la le los van von der den ter bin ben ibn abu ould ag wa y
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
    new free sri republican democratic national foreign general islamic christian ministers international watch
    minister prime president cross helmets street coast lobby region rights human africa america asia europe
    islands island republics amnesty report agreement
    """.split()
)
#: Adjectives and host cities, which alone are no actor.
NOT_ALONE = frozenset(
    """
    american arab british chinese egyptian european french german iranian iraqi israeli jordanian
    kazakh kurdish lebanese
    palestinian russian saudi syrian turkish ukrainian western astana geneva riyadh sochi vienna
    """.split()
)
#: Nouns at whose end a tagged stretch is an event or a paper, no actor.
NO_ACTORS = frozenset(
    """
    civil war conflict crisis talks congress conference summit negotiations process peace accord accords agreement
    statement resolution constitution dialogue referendum election elections offensive operation ceasefire truce plan
    """.split()
)
#: Words that stand before a person's surname without being part of the name.
_TITLES = frozenset(
    """
    president minister premier secretary ambassador envoy general colonel major captain brigadier sheikh king
    prince princess emir sultan mr mrs ms dr sir spokesman spokeswoman spokesperson leader chief commander
    senator chancellor deputy foreign defence defense state vice mufti patriarch bishop archbishop pope
    ayatollah mullah haji lord lady then chairman chairwoman director professor judge speaker governor mayor
    """.split()
)
#: Words after which a seat of government is only a place.
_PLACE_BEFORE = frozenset(
    """
    in at from to near outside around into via toward towards through of visit visits visited visiting left
    leave leaves leaving reached reach greater downtown
    """.split()
)
#: Nouns that a seat of government only qualifies.
_PLACE_AFTER = frozenset(
    """
    suburbs suburb countryside conference airport talks meeting summit process accord accords agreement round
    rounds governorate province city region post times statement declaration communique based born format
    platform track airbase area street
    """.split()
)
#: Abbreviations that are words too; in capitals among capitals they are taken for the word.
_ALSO_WORDS = frozenset("is who us it".split())
_GAP = re.compile(r"(?:['’`´][sS]?)?\.?[ \t\u00a0\u202f]{0,2}(?:\n[ \t]*)?[\-‐‑–/&]?[ \t]{0,2}")
_BRACKETED = re.compile(r"(.*\S)\s*\(([^\W\d_][\w\-/]{1,9})\)")
_DATELINE = re.compile(r"\s*(?:\(|/|--|[—–:-]\s)")
#: What stands behind a state that only tells whose somebody is.
_WHOSE = re.compile(r"['’]s\b| [A-Z]")
#: What a government has, and no town: "in Moscow's view".
_POSSESSED = re.compile(
    r"(?:['’]s|(?<=s)['’])\s+(?:views?|eyes|opinion|favou?r|interests?|name|behalf|position|support|terms|objections?"
    r"|request|invitation|proposals?|delegat(?:ion|es)|allies|envoys?)\b"
)


@dataclass(frozen=True, slots=True)
class Name:
    """One name of one actor, by what tells where it can stand.

    Attributes:
        capitals: of each of its words, whether it begins with a capital.
        is_acronym: a single short word in capitals.
        actor: the actor's number.
        is_place: a seat of government, which counts only where it acts.
        is_person: a single word that names a person.
    """

    capitals: tuple[bool, ...]
    is_acronym: bool
    actor: int
    is_place: bool = False
    is_person: bool = False


@dataclass(slots=True)
class _Node:
    children: dict[str, _Node] = field(default_factory=dict)
    names: list[Name] = field(default_factory=list)  # of those that are written alike the first
    owners: set[int] = field(default_factory=set)
    gaps: frozenset[str] = frozenset()  # what may stand before the word here, beside what may stand in any name


@dataclass(frozen=True, slots=True)
class Hit:
    """A name found in a text."""

    span: Span
    name: Name
    actor: int


class NameIndex:
    """A tree of names, word by word; a scan costs no more than the names that a text begins.

    Args:
        base: further names, found too; at equal length the index's own win.
        offset: added to the actors' numbers of ``base``.
    """

    def __init__(self, base: NameIndex | None = None, *, offset: int = 0) -> None:
        self._root = _Node()
        self._base = base
        self._offset = offset

    def add(self, name: str, actor: int, *, is_place: bool = False, is_person: bool = False) -> None:
        """Take a name of an actor, with and without a leading article."""
        words = find_words(name)[:MAX_NAME_WORDS]
        bare = without_article(words)
        for kept in (bare, words) if bare is not words else (words,):
            self._insert(name, kept, actor, is_place, is_person)

    def add_actor(self, actor: Actor, number: int) -> None:
        """Take all names and seats of an actor."""
        for name in actor.names:
            self.add(name, number, is_person=actor.kind == "person")
        for place in actor.places:
            self.add(place, number, is_place=True)

    def _insert(self, text: str, words: Sequence[Word], actor: int, is_place: bool, is_person: bool) -> None:
        if not words:
            return
        node = self._root.children.setdefault(words[0].form, _Node())
        for before, word in pairwise(words):
            node = node.children.setdefault(word.form, _Node())
            gap = text[before.end : word.start]
            if _GAP.fullmatch(gap) is None or "." in gap:
                node.gaps |= {gap}
        node.owners.add(actor)
        capitals = tuple(word.surface[0].isupper() for word in words)
        is_acronym = len(words) == 1 and 1 < len(words[0].form) <= 5 and words[0].surface.isupper()
        if all((known.capitals, known.is_acronym) != (capitals, is_acronym) for known in node.names):
            node.names.append(Name(capitals, is_acronym, actor, is_place, is_person and len(words) == 1))

    def owners(self, name: str) -> set[int]:
        """The actors that go by exactly this name, case apart."""
        return self._owners(find_words(name)[:MAX_NAME_WORDS])

    def _owners(self, words: Sequence[Word]) -> set[int]:
        node: _Node | None = self._root
        for word in words:
            node = node.children.get(word.form) if node else None
        own = node.owners if node else set()
        return set(own) or ({one + self._offset for one in self._base._owners(words)} if self._base else set())

    def scan(self, text: str, words: Sequence[Word], *, deadline: Deadline | None = None) -> list[Hit]:
        """The names in a text in order, none overlapping another, the longest at each place.

        Raises:
            DeadlineExceeded: if the deadline passed.
        """
        context = _Context(text, words, not any(char.isupper() for char in text))
        found = []
        position = checked = 0
        while position < len(words):
            if deadline is not None and position >= checked:
                deadline.check("while names were looked for")
                checked = position + _AT_ONCE
            hit = self._longest(context, position)
            if hit is None:
                position += 1
                continue
            found.append(hit)
            position += len(hit.name.capitals)
        return found

    def _longest(self, context: _Context, position: int) -> Hit | None:
        """The longest name at a place; of several the one that was taken first, and one of the base last."""
        best: Hit | None = None
        for name in self._walk(context, position):
            if (best is None or len(name.capitals) > len(best.name.capitals)) and context.fits(name, position):
                best = Hit(context.span(position, position + len(name.capitals)), name, name.actor)
        other = self._base._longest(context, position) if self._base else None
        if other is None or (best is not None and len(other.name.capitals) <= len(best.name.capitals)):
            return best
        return Hit(other.span, other.name, other.actor + self._offset)

    def _walk(self, context: _Context, position: int) -> Iterator[Name]:
        """Names that the words from a position on spell, the shortest first."""
        node, last = self._root, position
        while last < len(context.words):
            following = node.children.get(context.words[last].form)
            if following is None or not (last == position or context.joined(last - 1, following.gaps)):
                return
            yield from following.names
            node, last = following, last + 1


@dataclass(frozen=True, slots=True)
class _Context:
    """A text and its words, to judge whether a spelling at a place is a name."""

    text: str
    words: Sequence[Word]
    any_case: bool

    def joined(self, position: int, gaps: Container[str] = ()) -> bool:
        """Whether a word and the next can be parts of one name: one that has such a gap itself, or any."""
        left, right = self.words[position], self.words[position + 1]
        if self.text[left.end : right.start] in gaps:
            return True
        if right.start - left.end == 1:
            return self.text[left.end] in " -‐‑–’'/&" or (self.text[left.end] == "." and len(left.surface) == 1)
        gap = _GAP.fullmatch(self.text, left.end, right.start)
        return gap is not None and ("." not in gap.group() or len(left.surface) <= 2)

    def span(self, first: int, last: int) -> Span:
        """Where some words stand, with a bracket that closes what opened among them."""
        return close_bracket(self.text, Span(self.words[first].start, self.words[last - 1].end))

    def fits(self, name: Name, position: int) -> bool:
        if name.is_acronym and not self._is_acronym(position):
            return False
        run = self.words[position : position + len(name.capitals)]
        if not name.is_acronym and not self.any_case:
            pairs = zip(name.capitals, run, strict=True)
            if any(is_capital and not word.surface[0].isupper() for is_capital, word in pairs):
                return False
        if name.is_place and self._is_mere_place(position, position + len(run)):
            return False
        return not (name.is_person and self._has_other_forename(position))

    def _is_acronym(self, position: int) -> bool:
        word = self.words[position]
        if not word.surface.isupper():
            return self.any_case and word.form not in _ALSO_WORDS and len(word.form) > 2
        if word.form not in _ALSO_WORDS:
            return True
        around = [self.words[place] for place in (position - 1, position + 1) if 0 <= place < len(self.words)]
        return not any(len(one.form) > 1 and one.surface.isupper() and one.form.isalpha() for one in around)

    def _is_mere_place(self, position: int, following: int) -> bool:
        """Whether a seat of government is only where something happens, or part of another name."""
        words = self.words
        end = words[following - 1].end
        if self._possesses(end):
            return False
        if position and words[position - 1].form in _PLACE_BEFORE and self.joined(position - 1):
            return True
        if position > 2 and words[position - 1].form in ("and", "or") and words[position - 3].form in _PLACE_BEFORE:
            return True
        line = self.text[self.text.rfind("\n", 0, words[position].start) + 1 : words[position].start]
        in_capitals = words[position].surface.isupper()
        is_dateline = _DATELINE.match(self.text, end) or (in_capitals and self.text[end : end + 1] == ",")
        if (not line.strip() or line.endswith("/")) and is_dateline:
            return True
        return following < len(words) and self.joined(following - 1) and self._is_qualifier(following, end)

    def _possesses(self, end: int) -> bool:
        """Whether what follows is a seat of government's, and what only a government has."""
        return _POSSESSED.match(self.text, end) is not None

    def _is_qualifier(self, following: int, end: int) -> bool:
        word = self.words[following]
        possessive = self.text[end : end + 1] in "'’"
        return not possessive and (
            word.form in _PLACE_AFTER or (word.surface[0].isupper() and not word.surface.isupper())
        )

    def _has_other_forename(self, position: int) -> bool:
        """Whether a bare surname stands behind somebody else's first name ("Ron Johnson" for Boris Johnson)."""
        if not position or not self.joined(position - 1):
            return False
        before = self.words[position - 1]
        if before.form in _TITLES or before.form in GENERIC or before.form in PARTICLES:
            return False
        if not before.surface[0].isupper() or before.surface.isupper():
            return False
        lead = self.text[max(0, before.start - 3) : before.start].rstrip("\"'“‘( ")
        opens_sentence = not lead or lead[-1] in ".!?\n:;"
        possessive = self.text[before.end : before.end + 1] in "'’"
        return not opens_sentence and not possessive


def without_article(words: Sequence[Word]) -> Sequence[Word]:
    """The words of a name without a leading article; "the army" is no name without it."""
    if len(words) < 2 or words[0].form not in ARTICLES:
        return words
    stands_alone = words[1].surface[0].isupper() and words[1].form not in GENERIC | NOT_ALONE
    return words[1:] if len(words) > 2 or stands_alone else words


def is_mere_place(text: str, span: Span) -> bool:
    """Whether a state only tells where something happens or whose somebody is: "a visit to Chad", "Kosovo Serbs"."""
    before = find_words(text[max(0, span.start - 24) : span.start])
    before = before[:-1] if before and before[-1].form in ARTICLES else before
    return bool(before and before[-1].form in _PLACE_BEFORE) or _WHOSE.match(text, span.end) is not None


def without_titles(words: Sequence[Word]) -> Sequence[Word]:
    """The words of a name without those that stand before a person's: "Sheikh Hamad"."""
    while len(words) > 1 and words[0].form in _TITLES:
        words = words[1:]
    return words


def close_bracket(text: str, span: Span) -> Span:
    """A stretch, and the bracket behind it if it opens one: "Communist Party of India (Maoist)"."""
    is_open = text.count("(", span.start, span.end) > text.count(")", span.start, span.end)
    return Span(span.start, span.end + 1) if is_open and text.startswith(")", span.end) else span


def split_bracketed(name: str) -> tuple[str, ...]:
    """A name and the abbreviation in brackets behind it ("Zapatista army (EZLN)"), or the name alone."""
    match = _BRACKETED.fullmatch(name)
    return match.groups() if match and sum(map(str.isupper, match[2])) >= 2 else (name,)


def make_index(actors: Sequence[Actor], *, base: NameIndex | None = None) -> NameIndex:
    """An index of the actors' names; an actor's number is its place, those of ``base`` follow."""
    index = NameIndex(base, offset=len(actors))
    for number, actor in enumerate(actors):
        index.add(actor.name, number, is_person=actor.kind == "person")
    for number, actor in enumerate(actors):  # an alias that is another's own name is not taken
        index.add_actor(actor, number)
    return index


def initials(name: str) -> str:
    """The first letters of a name's capitalised words."""
    return "".join(word.surface[0].upper() for word in find_words(name) if word.surface[0].isupper())


def surname(name: str, kind: str | None) -> str | None:
    """What a second mention of a person uses: "Aridi" of "Yahya al-Aridi", "Park" of "Park Sang-cheol"; ``None`` for no
    person.
    """
    parts = person_parts(name, kind)
    if not parts:
        return None
    is_given_last = len(parts[-1]) > 1 and parts[-1][-1].surface.islower()  # as in Korea
    part = [word for word in parts[0 if is_given_last else -1] if word.form not in PARTICLES]
    last = name[part[0].start : part[-1].end]
    return None if last.isupper() or len(last) < (2 if is_given_last else 3) else last


def person_parts(name: str, kind: str | None) -> list[list[Word]]:
    """The parts of a person's name without titles and particles that stand alone, words joined by a hyphen as one part;
    none for no person.
    """
    words = without_titles(find_words(name))
    parts: list[list[Word]] = []
    for word in words:
        if parts and name[parts[-1][-1].end : word.start] == "-":
            parts[-1].append(word)
        else:
            parts.append([word])
    parts = [part for part in parts if any(word.form not in PARTICLES for word in part)]
    if kind not in (None, "person") or not 2 <= len(parts) <= (4 if kind is None else 5):
        return []
    heads = (next(word for word in part if word.form not in PARTICLES) for part in parts)
    is_person = all(word.surface[0].isupper() for word in heads) and not any(word.form in GENERIC for word in words)
    return parts if is_person else []
