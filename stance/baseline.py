"""The scikit-learn engine: TF-IDF of the words around an actor's mentions, names masked, and a logistic regression."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import skops.io
from sklearn.pipeline import Pipeline

from stance.deadline import Deadline
from stance.errors import BundleCorrupt
from stance.head import FloatArray
from stance.schema import LABELS, Mentioned, Process, Span

#: What stands in the place of the actor judged and of the other actors.
OWN, OTHER = "actorself", "actorother"


def describe(text: str, own: Sequence[Span], others: Sequence[Span], sentences: Sequence[Span]) -> str:
    """The sentences that mention an actor, its own mentions and the others' masked: what the vectoriser sees."""
    masks = sorted([(span, OWN) for span in own] + [(span, OTHER) for span in others])
    pieces: list[str] = []
    for sentence in sentences:
        if not any(sentence.start <= span.start < sentence.end for span in own):
            continue
        position = sentence.start
        for span, mask in masks:
            if position <= span.start < sentence.end:
                pieces += [text[position : span.start], mask]
                position = span.end
        pieces.append(text[position : sentence.end])
    return " ".join(pieces)


class BaselineReading:
    """One text, ready to be judged actor by actor."""

    tagged: tuple[Span, ...] = ()

    def __init__(self, text: str, pipeline: Pipeline) -> None:
        self._text = text
        self._pipeline = pipeline

    @property
    def tokens(self) -> int:
        """How many words the text has, between spaces."""
        return len(self._text.split())

    def acts(self, span: Span) -> bool:
        """Listed names count wherever they stand: nothing here tells a place from an actor."""
        return True

    def judge(
        self, mentioned: Sequence[Mentioned], sentences: Sequence[Span], *, deadline: Deadline | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Stance log-probabilities, ``(actors, labels)``, and shares of each sentence, ``(actors, sentences)``.

        Raises:
            DeadlineExceeded: if the deadline passed.
        """
        if not mentioned:
            return np.zeros((0, len(LABELS)), np.float32), np.zeros((0, len(sentences)), np.float32)
        rows = []
        for number in range(len(mentioned)):
            if deadline is not None:
                deadline.check(f"after {number} of {len(mentioned)} actors were judged")
            rows.append(self._describe(number, mentioned, sentences))
        return self._log_probabilities(rows), self._shares(mentioned, sentences)

    def _describe(self, number: int, mentioned: Sequence[Mentioned], sentences: Sequence[Span]) -> str:
        others = [span for place, one in enumerate(mentioned) if place != number for span in one.mentions]
        return describe(self._text, mentioned[number].mentions, others, sentences)

    def _log_probabilities(self, rows: list[str]) -> FloatArray:
        by_class = dict(zip(self._pipeline.classes_, self._pipeline.predict_log_proba(rows).T, strict=True))
        missing = np.full(len(rows), -20.0)
        return np.stack([by_class.get(label, missing) for label in LABELS], axis=1).astype(np.float32)

    def _shares(self, mentioned: Sequence[Mentioned], sentences: Sequence[Span]) -> FloatArray:
        shares = np.zeros((len(mentioned), len(sentences)), dtype=np.float32)
        for row, one in zip(shares, mentioned, strict=True):
            for column, sentence in enumerate(sentences):
                row[column] = any(sentence.start <= span.start < sentence.end for span in one.mentions)
            row /= max(row.sum(), 1)
        return shares


class BaselineEngine:
    """Serves a fitted pipeline by the same interface as the transformer."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline

    def read(self, text: str, process: Process, *, deadline: Deadline | None = None) -> BaselineReading:
        """Prepare a text. The process is not looked at: the baseline is a bag of words around a name."""
        return BaselineReading(text, self._pipeline)


def save_pipeline(pipeline: Pipeline, path: Path) -> None:
    """Write a fitted pipeline as skops (no pickle)."""
    skops.io.dump(pipeline, path)


def load_pipeline(path: Path) -> Pipeline:
    """Load a pipeline that :func:`save_pipeline` wrote.

    Raises:
        BundleCorrupt: if the file holds types that are not trusted by skops.
    """
    unknown: list[Any] = skops.io.get_untrusted_types(file=path)
    if unknown:
        raise BundleCorrupt(f"{path}: holds types that are not trusted: {unknown}; make the bundle again")
    return skops.io.load(path)
