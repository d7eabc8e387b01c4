"""Camps: who stood with whom, by the stances that actors take in the same documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from serving.report.results import Statement
from stance.schema import LABELS

_TAKEN = tuple(label for label in LABELS if label != "none")


@dataclass(frozen=True, slots=True)
class Camps:
    """Who agrees with whom.

    Attributes:
        actors: in the order of the camps, those who stand alone last.
        camps: groups of at least two, the largest first; indices into ``actors``.
        agreement: -1..1, ``(actors, actors)``: same stance less opposed ones, over documents shared and one more.
        together: documents in which both take a stance, ``(actors, actors)``; 0 for an actor and itself.
    """

    actors: tuple[str, ...]
    camps: tuple[tuple[int, ...], ...]
    agreement: NDArray[np.float64]
    together: NDArray[np.int64]


def find_camps(statements: Sequence[Statement], actors: Sequence[str]) -> Camps:
    """Group actors whose stances agree, on average, in more documents than they are opposed.

    Same stance counts 1, support against boycott -1, ``conditional`` beside another 0; ``none`` takes no part. The sum
    is divided by one document more than are shared, so that a single one does not weigh as much as many. Grouped by
    average linkage, down to an average agreement of 0.
    """
    taking = _matrices(statements, actors)
    present = sum(taking.values(), np.zeros_like(taking["support"]))
    together = present.T @ present
    same = sum((one.T @ one for one in taking.values()), np.zeros_like(together))
    opposed = taking["support"].T @ taking["boycott"]
    agreement = (same - opposed - opposed.T) / (together + 1)
    np.fill_diagonal(together, 0)
    groups = _cluster(agreement, actors)
    order = [index for group in groups for index in group]
    camps, start = [], 0
    for group in groups:
        if len(group) > 1:
            camps.append(tuple(range(start, start + len(group))))
        start += len(group)
    grid = np.ix_(order, order)
    names = tuple(actors[index] for index in order)
    return Camps(names, tuple(camps), agreement[grid].astype(np.float64), together[grid].astype(np.int64))


def _matrices(statements: Sequence[Statement], actors: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """For each label but ``none``: which actor takes it in which document, ``(documents, actors)``, 0 or 1."""
    columns = {actor: index for index, actor in enumerate(actors)}
    taken = [one for one in statements if one.stance != "none" and one.actor in columns]
    lines = {index: line for line, index in enumerate(dict.fromkeys(one.article.index for one in taken))}
    matrices: dict[str, NDArray[np.float64]] = {label: np.zeros((len(lines), len(actors))) for label in _TAKEN}
    for one in taken:
        matrices[one.stance][lines[one.article.index], columns[one.actor]] = 1
    return matrices


def _cluster(agreement: NDArray[np.float64], actors: Sequence[str]) -> list[list[int]]:
    if len(actors) < 2:
        return [[index] for index in range(len(actors))]
    from sklearn.cluster import AgglomerativeClustering

    # Not quite 1: actors that never met have an agreement of 0 and must not be joined.
    model = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="average", distance_threshold=1 - 1e-9
    )
    distance = 1 - agreement
    np.fill_diagonal(distance, 0)
    groups: dict[int, list[int]] = {}
    for index, group in enumerate(model.fit_predict(distance)):
        groups.setdefault(int(group), []).append(index)
    return sorted(groups.values(), key=lambda group: (-len(group), group))
