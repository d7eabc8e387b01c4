"""Sentences and words of a text, with character offsets that are always exact.

The splitter is our own: it must return offsets into the text as given, in time linear in its
length, for any Unicode; the well-kept splitters that do need a language model beside the one served.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from stance.schema import Span

_TITLES = "Mr Mrs Ms Dr Prof St Gen Lt Col Maj Capt Sgt Brig Adm Cmdr Gov Sen Rep Rev Hon Pres Amb Sec Messrs"
_SHORT = "vs etc approx dept est Co Corp Inc Ltd Jan Feb Mar Apr Jun Jul Aug Sept Sep Oct Nov Dec"
#: Abbreviations only before a number.
_NUMBERED = frozenset(("no", "nos", "art", "fig", "res"))
_ABBREVIATIONS = frozenset((_TITLES + " " + _SHORT).lower().split())
#: Characters of a sentence: a longer one counts as several. The longest of an article known here has 790.
MAX_SENTENCE = 2_000
_BREAK = re.compile(r"""(?<![.!?…])[.!?…]++["'”’»)\]]*+(?=\s)|\n""")
_FIRST_WORD = re.compile(r"\S+")
#: Lines that go on in small letters: so many, and a third of all, tell that lines were broken to a width.
_FEW_BROKEN = 2
#: Characters of the longest line of such a text.
_NARROWEST, _WIDEST = 40, 120
_LAST_WORD = re.compile(r"([^\W\d_]+)\.$")
_INITIALS = re.compile(r"(?:^|[\s(\"“])(?:[^\W\d_]\.)+$")
_OPENING = re.compile(r"""\s*["'“‘«(\[]*(\S)""")
#: Letters that transliterations use as apostrophes.
_MODIFIERS = frozenset("ʹʻʼʽʾʿˈ")
#: Letters, with the marks that combine with them in decomposed text, and soft hyphens; Python counts these to no word.
_LETTERS = r"[^\W_]++(?:(?:[\u0300-\u036f]|\u00ad(?=[^\W_]))++[^\W_]*+)*+"
_WORD = re.compile(rf"{_LETTERS}(?:['’`´]{_LETTERS})*")


def join_lines(text: str) -> str:
    """A text whose lines were broken to a width, as in e-mail, with a space for each such break; others as they are.

    A line was broken where the next goes on with a word that found no room in it. The characters stay as many.
    """
    lines = text.split("\n")
    width = max(len(line.rstrip()) for line in lines)
    following = [(before, after) for before, after in pairwise(lines) if before.strip() and after.strip()]
    broken = sum(after[:1].islower() and before.rstrip()[-1:].isalnum() for before, after in following)
    if not _NARROWEST <= width <= _WIDEST or broken < max(_FEW_BROKEN, len(following) // 3):
        return text
    joined = (_join(before, after, width) for before, after in pairwise(lines))
    return "".join([*joined, lines[-1]])


def _join(line: str, following: str, width: int) -> str:
    """A line and what ends it: spaces if it goes on in the next."""
    if not _goes_on(line.rstrip(), following, width):
        return f"{line}\n"
    return f"{line[:-1]}  " if line.endswith("\r") else f"{line} "


def _goes_on(line: str, following: str, width: int) -> bool:
    first = _FIRST_WORD.match(following)
    return bool(line) and first is not None and len(line) + 1 + len(first.group()) > width


def find_sentences(text: str) -> list[Span]:
    """Spans of the sentences, in order, without surrounding white space; they never overlap.

    A line break ends a sentence too: headlines, datelines and list items stand on lines of their own. One of more than
    ``MAX_SENTENCE`` characters is parted at spaces, or else where it has so many.
    """
    spans: list[Span] = []
    start = 0
    for match in _BREAK.finditer(text):
        if text[match.start()] != "\n" and not _ends_sentence(text, start, match):
            continue
        _append(spans, text, start, match.end())
        start = match.end()
    _append(spans, text, start, len(text))
    return spans


def _ends_sentence(text: str, start: int, match: re.Match[str]) -> bool:
    opening = _OPENING.match(text, match.end(), match.end() + 64)
    if opening and opening.group(1).islower():
        return False
    if text[match.start()] != ".":
        return True
    before = text[max(start, match.start() - 24) : match.start() + 1]
    if _INITIALS.search(before):
        return False
    word = _LAST_WORD.search(before)
    if word is None:
        return True
    if word.group(1).lower() in _NUMBERED and opening and opening.group(1).isdigit():
        return False
    return word.group(1).lower() not in _ABBREVIATIONS


def _append(spans: list[Span], text: str, start: int, end: int) -> None:
    while end - start > MAX_SENTENCE:
        limit = start + MAX_SENTENCE
        space = text.rfind(" ", start + 1, limit)
        cut = limit if space < 0 else space
        _append(spans, text, start, cut)
        start = cut
    piece = text[start:end]
    stripped = piece.strip()
    if stripped:
        offset = start + len(piece) - len(piece.lstrip())
        spans.append(Span(offset, offset + len(stripped)))


def overlaps(span: Span, taken: Sequence[Span]) -> bool:
    """Whether a span overlaps one of those in order, none of which overlaps another."""
    place = bisect_right(taken, span.start, key=lambda one: one.end)
    return place < len(taken) and taken[place].start < span.end


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a text and its normalised form (see :func:`normalise`)."""

    start: int
    end: int
    surface: str
    form: str


def find_words(text: str) -> list[Word]:
    """The words of a text in order; a possessive ending belongs to no word."""
    words = []
    for match in _WORD.finditer(text):
        surface = match.group()
        if len(surface) > 2 and surface[-2] in "'’`´" and surface[-1] in "sS":
            surface = surface[:-2]
        start = match.start()
        words.append(Word(start, start + len(surface), surface, normalise(surface)))
    return words


def normalise(word: str) -> str:
    """Fold case, accents and apostrophes, so that spellings of one name compare equal."""
    if word.isascii() and word.isalnum():
        return word.lower()
    decomposed = unicodedata.normalize("NFKD", word)
    return "".join(char for char in decomposed if char.isalnum() and char not in _MODIFIERS).casefold()
