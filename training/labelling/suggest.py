"""Picks what is most worth labelling: documents of which the model is unsure, and no two alike."""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from stance.errors import CorpusError
from training.labelling.judged import Judged, Suggestion, read_judged
from training.labelling.texts import load_texts
from training.splits import near_duplicates

#: The least certain documents that are looked at, for each one wanted, and at least.
_POOL_SHARE = 20
_MIN_POOL = 400


def suggest(
    results: Path,
    texts: Path,
    *,
    count: int,
    column: str = "text",
    labelled: Sequence[str] = (),
    max_length: int | None = None,
) -> list[Suggestion]:
    """Pick at most ``count`` documents of a batch, the most worth labelling first.

    Args:
        results: what ``stance batch`` wrote.
        texts: what it read.
        column: of ``texts`` that holds the text.
        labelled: texts that have labels already; none like them is picked.
        max_length: longest text, in characters.

    Raises:
        CorpusError: if a file is not what it should be.
        ExtraMissing: if pyarrow is not installed, for Parquet.
    """
    pool = least_certain(read_judged(results), max(_MIN_POOL, _POOL_SHARE * count))
    if not pool:
        raise CorpusError([f"{results}: has no document with an actor in it; name actors with `stance batch --actors`"])
    found = load_texts(texts, pool, column=column)
    kept = [(one, text) for one, text in zip(pool, found, strict=True) if len(text) <= (max_length or len(text))]
    chosen = choose([one for one, _ in kept], [text for _, text in kept], count=count, labelled=labelled)
    picked = [kept[place] for place in chosen]
    ids = [one.doc_id for one, _ in picked]
    return [
        Suggestion(one.doc_id if ids.count(one.doc_id) == 1 else f"{one.doc_id}#{one.index}", text, one)
        for one, text in picked
    ]


def least_certain(documents: Iterable[Judged], count: int) -> list[Judged]:
    """The documents with several plausible stances, by uncertainty, then the others; memory is bounded by ``count``."""
    return heapq.nlargest(count, documents, key=lambda one: (one.undecided, one.uncertainty))


def choose(documents: Sequence[Judged], texts: Sequence[str], *, count: int, labelled: Sequence[str] = ()) -> list[int]:
    """Places of at most ``count`` documents, each by turns the one whose uncertainty, times its distance from those
    chosen before, is the greatest; no near-duplicates. Documents with one plausible stance come after all others.

    Args:
        texts: one for each document.
        labelled: texts of which no near-duplicate is chosen.
    """
    if not documents:
        return []
    alike = _alike(texts, labelled)
    blocked = np.zeros(len(texts), dtype=bool)
    blocked[list(alike[-1])] = True
    vectors = TfidfVectorizer(sublinear_tf=True, token_pattern=r"\w+").fit_transform(texts)
    weights = np.asarray([one.uncertainty for one in documents])
    undecided = np.asarray([one.undecided for one in documents])
    nearest: NDArray[np.float64] = np.zeros(len(texts))
    chosen: list[int] = []
    while len(chosen) < count and not blocked.all():
        free = ~blocked & undecided if (~blocked & undecided).any() else ~blocked
        worth = np.where(free, weights * (1 - nearest), -1.0)
        place = int(worth.argmax())
        chosen.append(place)
        blocked[[place, *alike[place]]] = True
        similarity = (vectors @ vectors[place].T).toarray().ravel()
        nearest = np.maximum(nearest, np.clip(similarity, 0, 1))
    return chosen


def _alike(texts: Sequence[str], labelled: Sequence[str]) -> dict[int, set[int]]:
    """Near-duplicates of each text, by place; under -1 those of labelled texts."""
    same: dict[str, set[int]] = defaultdict(set)
    for place, text in enumerate(texts):  # texts of fewer than three words have no trigrams to compare
        same[text].add(place)
    alike: dict[int, set[int]] = defaultdict(set, {place: set(same[text]) for place, text in enumerate(texts)})
    alike[-1] = {place for text in labelled for place in same.get(text, ())}
    for left, right, _ in near_duplicates([*texts, *labelled]):
        if right < len(texts):
            alike[left].add(right)
            alike[right].add(left)
        elif left < len(texts):
            alike[-1].add(left)
    return alike
