"""Records seen with other names, so that a name gives no label away, and as careless writers would spell them.

A name is replaced consistently within the passage, by one of the same kind (person, abbreviation, other) from
another record; the label stays with the place in the text.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from stance.names import surname
from stance.schema import Span
from stance.text import find_sentences, find_words

#: A word that is misspelt has this many letters at least.
_MISSPELT = 4


@dataclass(frozen=True, slots=True)
class NamePool:
    """Names to swap in, by kind."""

    people: tuple[str, ...]
    acronyms: tuple[str, ...]
    others: tuple[str, ...]

    def like(self, name: str) -> tuple[str, ...]:
        """The names of the kind that ``name`` is of."""
        if surname(name, None):
            return self.people
        return self.acronyms if name.isupper() else self.others


def make_pool(names: Sequence[str]) -> NamePool:
    """Sort names by kind, leaving out those that are descriptions."""
    proper = sorted({name for name in names if name[:1].isupper() and len(name) > 1})
    people = tuple(name for name in proper if surname(name, None))
    acronyms = tuple(name for name in proper if name.isupper())
    return NamePool(people, acronyms, tuple(sorted(set(proper) - set(people) - set(acronyms))))


@dataclass(frozen=True, slots=True)
class Passage:
    """A text with the spans that matter in it, one tuple of mentions and of evidence for each actor."""

    text: str
    mentions: tuple[tuple[Span, ...], ...]
    evidence: tuple[tuple[Span, ...], ...]


def swap_names(passage: Passage, pool: NamePool, rate: float, rng: random.Random) -> Passage:
    """Replace the proper names of each actor with probability ``rate``."""
    edits: list[tuple[Span, str]] = []
    for spans in passage.mentions:
        if rng.random() < rate:
            edits += _rename(passage.text, spans, pool, rng)
    return apply_edits(passage, edits) if edits else passage


def change_case(passage: Passage, rng: random.Random) -> Passage:
    """The text, or its first line alone, in small letters or with a capital on every word.

    Lines in capitals are read in small letters anyway (:class:`stance.encoding.Encoder`).
    """
    change: Callable[[str], str] = rng.choice((str.lower, _capitalise))
    first = passage.text.find("\n")
    end = first if first > 0 and rng.random() < 0.5 else len(passage.text)
    # A letter that would become two stays, so that every span does.
    changed = [
        new if len(new := change(word)) == len(word) else word for word in re.split(r"(\s+)", passage.text[:end])
    ]
    return replace(passage, text="".join(changed) + passage.text[end:])


def _capitalise(word: str) -> str:
    return word[:1].upper() + word[1:]


def misspell(passage: Passage, share: float, rng: random.Random) -> Passage:
    """Misspell words outside the names with probability ``share``: letters change places, one is lost or doubled."""
    names = [span for spans in passage.mentions for span in spans]
    edits: list[tuple[Span, str]] = []
    for match in re.finditer(rf"[^\W\d_]{{{_MISSPELT},}}", passage.text):
        word = Span(*match.span())
        if rng.random() < share and not any(word.start < one.end and one.start < word.end for one in names):
            edits.append((word, _misspelt(match.group(), rng)))
    return apply_edits(passage, edits) if edits else passage


def _misspelt(word: str, rng: random.Random) -> str:
    place = rng.randrange(1, len(word) - 1)  # first letters are seldom wrong
    before, here, after = word[:place], word[place], word[place + 1 :]
    wrong = (f"{before}{after[0]}{here}{after[1:]}", f"{before}{after}", f"{before}{here}{here}{after}")
    return rng.choice([one for one in wrong if one != word])


def drop_sentences(passage: Passage, share: float, rng: random.Random) -> Passage:
    """Leave out each sentence with probability ``share``, with the mentions and the evidence that touch it.

    At least one sentence stays. Labels do not hold for what comes out.
    """
    sentences = find_sentences(passage.text)
    dropped = [one for one in sentences if rng.random() < share]
    if not dropped or len(dropped) == len(sentences):
        return passage
    ends = [one.start for one in sentences[1:]] + [len(passage.text)]
    gaps = [Span(one.start, end) for one, end in zip(sentences, ends, strict=True) if one in dropped]

    def outside(spans: Sequence[Span]) -> tuple[Span, ...]:
        return tuple(span for span in spans if not any(span.start < gap.end and gap.start < span.end for gap in gaps))

    left = Passage(passage.text, tuple(map(outside, passage.mentions)), tuple(map(outside, passage.evidence)))
    return apply_edits(left, [(gap, "") for gap in gaps])


def _rename(text: str, spans: Sequence[Span], pool: NamePool, rng: random.Random) -> list[tuple[Span, str]]:
    names = [text[span.start : span.end] for span in spans]
    proper = [name for name in names if any(map(str.isupper, name))]
    if not proper:
        return []
    longest = max(proper, key=len)
    choices = pool.like(longest)
    if not choices:
        return []
    new = rng.choice(choices)
    if new in text or (surname(new, None) or new) in text:
        return []
    return [(span, _form(name, longest, new)) for span, name in zip(spans, names, strict=True) if name in proper]


def _form(name: str, longest: str, new: str) -> str:
    """The form of the new name that takes the place of ``name``, itself a form of ``longest``."""
    if name == longest:
        return new
    last = surname(new, None)
    if last and " " not in name:
        return last
    if name.isupper() and len(name) > 1:
        initials = "".join(word.surface[0] for word in find_words(new) if word.surface[0].isupper())
        return initials if len(initials) > 1 else new
    return new


def apply_edits(passage: Passage, edits: Sequence[tuple[Span, str]]) -> Passage:
    """Replace stretches of the text that do not overlap, and move every span along."""
    pieces: list[str] = []
    shifts: list[tuple[int, int, int]] = []
    position = moved = 0
    for span, new in sorted(edits, key=lambda edit: edit[0]):
        if span.start < position:
            continue
        pieces += [passage.text[position : span.start], new]
        moved += len(new) - (span.end - span.start)
        shifts.append((span.start, span.end, moved))
        position = span.end
    pieces.append(passage.text[position:])

    def move(spans: Sequence[Span]) -> tuple[Span, ...]:
        return tuple(Span(_move_start(span.start, shifts), _move_end(span.end, shifts)) for span in spans)

    return Passage(
        "".join(pieces),
        tuple(move(spans) for spans in passage.mentions),
        tuple(move(spans) for spans in passage.evidence),
    )


def _move_start(offset: int, shifts: Sequence[tuple[int, int, int]]) -> int:
    before = 0
    for start, end, moved in shifts:
        if end <= offset:
            before = moved
        elif start < offset:
            return start + before
    return offset + before


def _move_end(offset: int, shifts: Sequence[tuple[int, int, int]]) -> int:
    before = 0
    for start, end, moved in shifts:
        if end <= offset:
            before = moved
        elif start < offset:
            return end + moved
    return offset + before


def find_strings(text: str, strings: Sequence[str]) -> tuple[Span, ...]:
    """Every place where one of the strings stands."""
    return tuple(sorted(Span(*match.span()) for one in strings for match in re.finditer(re.escape(one), text)))
