"""What is said twice: near-duplicate texts, and sentences that open alike."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from stance.text import find_sentences
from training.splits import group_pairs, near_duplicates

#: Words of an opening, and how often one may be used.
OPENING_WORDS = 6
MAX_USES = 5
_WORD = re.compile(r"\w+(?:['’]\w+)*")


@dataclass(frozen=True, slots=True)
class PlacedText:
    """A text, once for all its records, and the part of the data that it is in."""

    part: str
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two different texts that are near-duplicates, with the cosine of their word trigrams, 0..1."""

    left: PlacedText
    right: PlacedText
    similarity: float

    @property
    def crosses(self) -> bool:
        """Whether they lie in different parts."""
        return self.left.part != self.right.part


@dataclass(frozen=True, slots=True)
class Opening:
    """The first words of a sentence.

    Attributes:
        uses: sentences that begin so.
        groups: the same, with all texts that are near-duplicates of each other taken for one.
    """

    words: str
    uses: int
    groups: int


def find_pairs(texts: Sequence[PlacedText]) -> tuple[list[Pair], list[int]]:
    """Near-duplicates, the most similar first, and a number for each text, the same for near-duplicates."""
    found = near_duplicates([one.text for one in texts])
    pairs = [Pair(texts[left], texts[right], similarity) for left, right, similarity in found]
    return sorted(pairs, key=lambda pair: -pair.similarity), group_pairs(len(texts), found)


def find_openings(texts: Sequence[str], groups: Sequence[int], *, max_uses: int = MAX_USES) -> list[Opening]:
    """Openings used more than ``max_uses`` times, the most used first; shorter sentences have none.

    Args:
        groups: a number for each text, the same for near-duplicates.
    """
    uses: dict[str, list[int]] = defaultdict(list)
    for text, group in zip(texts, groups, strict=True):
        for opening in _openings(text):
            uses[opening].append(group)
    found = [Opening(words, len(used), len(set(used))) for words, used in uses.items() if len(used) > max_uses]
    return sorted(found, key=lambda one: (-one.groups, -one.uses, one.words))


def _openings(text: str) -> list[str]:
    found = []
    for span in find_sentences(text):
        words = _WORD.findall(text, span.start, min(span.end, span.start + 200))[:OPENING_WORDS]
        if len(words) == OPENING_WORDS:
            found.append(" ".join(words).casefold())
    return found
