"""What the peers have in common: a fitted method, and how it is measured."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from training.corpus import Located, ProcessNames
from training.metrics import Ids, Interval, macro_by_subset


@dataclass(frozen=True, slots=True)
class Fitted:
    """A method that has been trained.

    Attributes:
        predict: label ids of the clear actors of some records, in order, shape ``(actors,)``.
        seconds: what the training took.
        note: what a reader of the figures has to know.
    """

    name: str
    predict: Callable[[Sequence[Located]], Ids]
    seconds: float
    note: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """A row of the comparison; ``document_ms`` is wall time for a document with all its actors, alone."""

    name: str
    macro_f1: dict[str, Interval]
    training_seconds: float
    document_ms: float
    note: str


def timed(
    name: str, fit: Callable[[], Any], predict: Callable[[Any, Sequence[Located]], Ids], note: str = ""
) -> Fitted:
    """Fit an estimator against the clock."""
    started = time.monotonic()
    estimator = fit()
    seconds = time.monotonic() - started
    return Fitted(name, lambda located: predict(estimator, located), seconds, note)


def measure(fitted: Fitted, held_out: Sequence[Located], names: ProcessNames) -> Measured:
    """Score a method on held-out records, one at a time and against the clock."""
    fitted.predict(held_out[:1])  # what a first call loads is not a document's cost
    started = time.perf_counter()
    y_pred = np.concatenate([fitted.predict([one]) for one in held_out])
    document_ms = 1000 * (time.perf_counter() - started) / len(held_out)
    macro_f1 = macro_by_subset(held_out, y_pred, names)
    return Measured(fitted.name, macro_f1, fitted.seconds, document_ms, fitted.note)
