"""Splits that are fixed in the data: every passage is in train, dev or test for good.

Twins (one text judged on two processes) and near-duplicates are kept on one side.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.pipeline import make_pipeline

from stance.errors import CorpusError
from training.corpus import SPLITS, Located, Split
from training.files import written_whole

#: Texts whose word-trigram vectors have a cosine above this are near-duplicates.
NEAR_DUPLICATE = 0.5
#: Shares of train, dev and test.
_SHARES = (0.84, 0.08, 0.08)


def near_duplicates(texts: Sequence[str]) -> list[tuple[int, int, float]]:
    """Pairs of places in ``texts`` that are near-duplicates, with their similarity."""
    if len(texts) < 2:
        return []
    # Hashed: a table of all trigrams of the corpus takes four times as long to make.
    trigrams = HashingVectorizer(
        ngram_range=(3, 3), token_pattern=r"\w+", n_features=2**22, alternate_sign=False, norm=None
    )
    vectors = make_pipeline(trigrams, TfidfTransformer(sublinear_tf=True)).fit_transform(texts)
    transposed = vectors.T.tocsr()
    pairs: list[tuple[int, int, float]] = []
    for start in range(0, vectors.shape[0], 512):
        block = (vectors[start : start + 512] @ transposed).tocoo()
        rows = block.row + start
        kept = (block.data > NEAR_DUPLICATE) & (rows < block.col)
        pairs += zip(rows[kept].tolist(), block.col[kept].tolist(), block.data[kept].tolist(), strict=True)
    return pairs


def assign_splits(located: Sequence[Located]) -> dict[str, Split]:
    """A split for every passage: that of its twin or a near-duplicate, else one drawn by a hash of its id.

    Raises:
        CorpusError: if a record with a source, which is never trained on, has no split.
    """
    gold = [one for one in located if one.record.split is None and one.record.source is not None]
    if gold:
        raise CorpusError(
            [f"{one}: split: none, and a source; gold is never trained on: give it 'dev' or 'test'" for one in gold]
        )
    texts = {one.record.passage: one.record.text for one in located}
    fixed = {one.record.passage: one.record.split for one in located if one.record.split is not None}
    passages = list(texts)
    groups = group_pairs(len(passages), near_duplicates(list(texts.values())))
    chosen: dict[int, Split] = {}
    for passage, group in zip(passages, groups, strict=True):
        if passage in fixed:
            chosen.setdefault(group, fixed[passage])
    for passage, group in zip(passages, groups, strict=True):
        chosen.setdefault(group, _draw(passage))
    return {passage: fixed.get(passage, chosen[group]) for passage, group in zip(passages, groups, strict=True)}


def group_pairs(count: int, pairs: Sequence[tuple[int, int, float]]) -> list[int]:
    """A group number for each of ``count`` texts: the same for those that pairs of near-duplicates join."""
    rows, columns = [left for left, _, _ in pairs], [right for _, right, _ in pairs]
    adjacency = coo_array((np.ones(len(pairs), dtype=bool), (rows, columns)), shape=(count, count))
    _, labels = connected_components(adjacency, directed=False)
    return [int(label) for label in labels]


def _draw(passage: str) -> Split:
    number = int.from_bytes(hashlib.sha256(passage.encode()).digest()[:8], "big") / 2**64
    bounds = np.cumsum(_SHARES)
    return SPLITS[int(np.searchsorted(bounds[:-1], number, side="right"))]


def draw_splits(located: Sequence[Located]) -> list[Located]:
    """The same records, those without a split with the one that ``train split`` would give them; no file is changed.

    Raises:
        CorpusError: if a record with a source, which is never trained on, has no split.
    """
    if all(one.record.split is not None for one in located):
        return list(located)
    splits = assign_splits(located)
    return [
        replace(one, record=one.record.model_copy(update={"split": one.record.split or splits[one.record.passage]}))
        for one in located
    ]


def write_splits(located: Sequence[Located], splits: Mapping[str, Split]) -> int:
    """Write the splits into the records that have none; every file is replaced whole. Returns how many were changed."""
    changed = 0
    for path in sorted({one.path for one in located}):
        lines = path.read_text(encoding="utf-8-sig").split("\n")
        for one in located:
            if one.path == path and one.record.split is None:
                row = json.loads(lines[one.line - 1])
                lines[one.line - 1] = json.dumps({**row, "split": splits[one.record.passage]}, ensure_ascii=False)
                changed += 1
        with written_whole(path) as temporary:
            temporary.write_text("\n".join(lines).rstrip("\n") + "\n", encoding="utf-8")
    return changed


def missing_splits(located: Sequence[Located]) -> list[str]:
    """Passages without a split."""
    told = "split: none yet; give the file as --extra, or fix it with `train split --data data/corpus --data FILE`"
    return [f"{one}: {told}" for one in located if one.record.split is None]


def split_faults(located: Sequence[Located]) -> list[str]:
    """Passages without a split, and near-duplicates that lie in different ones."""
    faults = missing_splits(located)
    first: Mapping[str, Located] = {one.record.passage: one for one in reversed(located)}
    ones = sorted(first.values(), key=lambda one: (str(one.path), one.line))
    for left, right, similarity in near_duplicates([one.record.text for one in ones]):
        a, b = ones[left], ones[right]
        if a.record.split != b.record.split:
            faults.append(
                f"{a}: text: {similarity:.2f} like {b}, but in split {a.record.split!r} and that in {b.record.split!r}"
            )
    return faults
