"""What the model tagged as names: whole words, put together where it took one name for several, without what only leads
up to a name; and the names of bodies that it missed.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence

from stance.deadline import Deadline
from stance.names import (
    ARTICLES,
    GENERIC,
    MAX_NAME_WORDS,
    NO_ACTORS,
    NOT_ALONE,
    PARTICLES,
    close_bracket,
    split_bracketed,
    surname,
    without_titles,
)
from stance.schema import MAX_NAME_LENGTH, Span
from stance.text import Word, find_words
from stance.variants import is_adjective, is_people, is_state

#: What may part two stretches of one name: 'Abdirahman Warsame "Dheere"'.
_WITHIN = re.compile(r""" ?["“”'‘’]? ?""")
_HONORIFICS = frozenset("Mr Mrs Ms Dr".split())
_PRONOUNS = frozenset("his her its their our my this that these those".split())
#: Nouns by which a text calls a body that it has named in full: "the Front".
BODIES = tuple(
    """
    Alliance Army Assembly Association Authority Bloc Coalition Commission Committee Council Federation Forces
    Foundation Front Group League Movement Network Organisation Organization Parliament Party Platform Senate Union
    """.split()
)
#: Words before "the" after which a body is only a place.
_INSIDE = frozenset("at in inside outside".split())
#: Words before that noun at most.
_MAX_BODY = 6


class Tagged:
    """The names among stretches of one text that the model tagged.

    Args:
        is_known: whether a stretch is a name that is known without the model.
        acts: whether the model takes a stretch that it did not tag for an actor's name all the same.
        deadline: when the work stops with :class:`stance.errors.DeadlineExceeded`.
    """

    def __init__(
        self,
        text: str,
        words: Sequence[Word],
        is_known: Callable[[Span], bool],
        acts: Callable[[Span], bool],
        *,
        deadline: Deadline | None = None,
    ) -> None:
        self._text = text
        self._words = words
        self._starts = [word.start for word in words]
        self._ends = [word.end for word in words]
        self._is_known = is_known
        self._acts = acts
        self._deadline = deadline

    def names(self, spans: Iterable[Span]) -> list[Span]:
        """The names, in order; none is longer than a name may be."""
        bodies = list(filter(self._acts, self._find_bodies()))
        joined = self._join(map(self._without_bracket, spans))
        tagged = sorted([*bodies, *(span for span in joined if not _within(span, bodies))])
        return [
            close_bracket(self._text, Span(words[0].start, words[-1].end)) for words in map(self._trim, tagged) if words
        ]

    def _surface(self, span: Span) -> str:
        return self._text[span.start : span.end]

    def _find_bodies(self) -> list[Span]:
        """Names in capitals behind "the" that end in a noun of bodies, in order: "the Peace Monitoring Group"; not
        where they go on, or only tell a place: "at the National Assembly".
        """
        found = []
        for last in (place for place, word in enumerate(self._words) if word.surface in BODIES):
            first = last
            while first and last - first < _MAX_BODY and self._adjoins(first) and self._is_capital(first - 1):
                first -= 1
            behind = self._words[last + 1] if last + 1 < len(self._words) and self._adjoins(last + 1) else None
            goes_on = behind is not None and (behind.surface[0].isupper() or behind.form in ("of", "for"))
            lead = [word.form for word in self._words[max(0, first - 2) : first]]
            if first < last and not goes_on and lead[-1:] == ["the"] and lead[0] not in _INSIDE:
                found.append(Span(self._words[first].start, self._words[last].end))
        return found

    def _adjoins(self, place: int) -> bool:
        """Whether only a space parts a word from the one before."""
        return self._text[self._words[place - 1].end : self._words[place].start] == " "

    def _is_capital(self, place: int) -> bool:
        return self._words[place].surface[0].isupper() and self._words[place].form not in ARTICLES

    def _join(self, spans: Iterable[Span]) -> list[Span]:
        """The stretches as whole words, those that only a space, a hyphen or a quotation mark parts as one; but a state
        or a listed name is not joined to its neighbour.
        """
        joined: list[Span] = []
        for span in spans:
            if self._deadline is not None:
                self._deadline.check("while tagged names were put together")
            first, last = bisect_right(self._ends, span.start), bisect_left(self._starts, span.end)
            if first >= last:
                continue
            one = self._with_hyphens(first, last)
            if joined and self._goes_on(joined[-1], one):
                joined[-1] = Span(joined[-1].start, one.end)
            else:
                joined.append(one)
        return joined

    def _with_hyphens(self, first: int, last: int) -> Span:
        """Words, and those that hyphens add up to a capital: "Sudan People's Liberation Movement-in-Opposition"."""
        words, end, most = self._words, last, min(len(self._words), first + MAX_NAME_WORDS)
        while not is_state(words[first:last]) and end < most and self._is_hyphen(words[end - 1].end, words[end]):
            end += 1
            if words[end - 1].surface[0].isupper():
                last = end
        return Span(words[first].start, words[last - 1].end)

    def _is_hyphen(self, end: int, following: Word) -> bool:
        return following.start == end + 1 and self._text[end] == "-"

    def _goes_on(self, span: Span, following: Span) -> bool:
        if following.end - span.start > MAX_NAME_LENGTH:
            return False
        before, gap = self._surface(span), self._text[span.end : following.start]
        if not gap.strip("-"):
            return not all(map(self._is_known, (following, span)))  # unlike "Russia-Turkey"
        is_initial = gap in (". ", ".") and len(before) <= 2 and not before[1:].isupper()  # or "Ma. Teresa"
        if not (is_initial or _WITHIN.fullmatch(gap)) or any(map(self._is_known, (span, following))):
            return False
        return not (before.endswith(" of") and is_person(self._surface(following), None))

    def _without_bracket(self, span: Span) -> Span:
        """A tagged stretch without the abbreviation in brackets behind it, which the text introduces."""
        name, *_ = split_bracketed(self._text[span.start : span.end])
        return Span(span.start, span.start + len(name))

    def _trim(self, span: Span) -> Sequence[Word]:
        """The words of a tagged stretch, without articles, honorifics and pronouns; none if no name is left."""
        first, last = bisect_right(self._ends, span.start), bisect_left(self._starts, span.end)
        while first < last and not self._opens_name(first, last):
            first += 1
        words = self._words[first:last]
        if not words or len(words) > MAX_NAME_WORDS or words[-1].end - words[0].start > MAX_NAME_LENGTH:
            return ()
        if len(words) > 1 and words[-1].surface == "of":
            words = words[:-1]
        if words[-1].surface.islower() and words[-1].form in NO_ACTORS:
            return ()
        bare = without_titles(words)
        if is_person(self._surface(Span(bare[0].start, bare[-1].end)), None):
            return bare
        return words if len(words) > 1 or self._may_stand_alone(words[0], first) else ()

    def _opens_name(self, first: int, last: int) -> bool:
        word = self._words[first]
        is_proper = word.surface[0].isupper() or word.form in PARTICLES
        return is_proper and not _leads_up(self._words[first : min(first + 2, last)])

    def _may_stand_alone(self, word: Word, place: int) -> bool:
        if word.form in GENERIC or word.form in NOT_ALONE or len(word.surface) < 2:
            return False
        behind_article = place > 0 and self._words[place - 1].form == "the"
        return not is_adjective(word.surface) or (behind_article and is_people(word.surface))


def _leads_up(words: Sequence[Word]) -> bool:
    """Whether the first of the words only leads up to a name; "Our Ukraine" is one, "Our government" none."""
    first = words[0]
    if first.form in _PRONOUNS:
        return len(words) == 1 or words[1].surface.islower()
    return first.form in ARTICLES or first.surface in _HONORIFICS


def is_person(name: str, kind: str | None) -> bool:
    """Whether a name is a person's; "Guinea-Bissau" and "Pakistani Taliban" are not."""
    words = find_words(name)
    return surname(name, kind) is not None and not (is_state(words[:1]) or is_state(words[-1:]) or is_state(words))


def _within(span: Span, others: Sequence[Span]) -> bool:
    """Whether a stretch lies within one of those in order, none of which overlaps another."""
    place = bisect_right(others, span.start, key=lambda one: one.end)
    return place < len(others) and others[place].start <= span.start and span.end <= others[place].end
