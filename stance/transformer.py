"""The transformer engine: an ONNX graph that reads a text once, and the head that judges every actor in it.

The graph gives each token a row of logits (:mod:`stance.head`). What an actor's mentions attended to, and where they
stand, is the evidence.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from stance.deadline import Deadline
from stance.encoding import Encoder, Encoding, IntArray, Window
from stance.head import (
    FloatArray,
    HeadLayout,
    attend,
    find_tagged,
    join_windows,
    mention_importance,
    mention_ranges,
    pool_mentions,
    softmax,
)
from stance.schema import LABELS, Mentioned, Process, Span

#: A listed name is an actor's where the model gives it at least this probability.
_MAY_ACT = 0.3
#: Mentions times tokens that are judged at once: a text of "U.S. U.S. ..." would take gigabytes.
_BLOCK = 1 << 21
#: What the mention itself counts as evidence, beside what it attends to.
_OWN_SHARE = 0.2


class TransformerReading:
    """One text as the encoder read it."""

    def __init__(self, encoding: Encoding, logits: FloatArray, layout: HeadLayout) -> None:
        self._encoding = encoding
        self._logits = logits
        self._layout = layout

    @property
    def tagged(self) -> list[Span]:
        """Stretches that the model takes for actors' names."""
        return find_tagged(self._logits[1:, self._layout.tags], self._encoding.offsets)

    def acts(self, span: Span) -> bool:
        """Whether a stretch may well be an actor's name where it stands."""
        first, last = self._encoding.token_range(span)
        tags = softmax(self._logits[1 + first : 1 + last, self._layout.tags])
        return bool(len(tags)) and float(1 - tags[:, 0].min()) > _MAY_ACT

    @property
    def tokens(self) -> int:
        """How many tokens the text has."""
        return len(self._encoding.offsets)

    def judge(
        self, mentioned: Sequence[Mentioned], sentences: Sequence[Span], *, deadline: Deadline | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Stance log-probabilities, ``(actors, labels)``, and shares of each sentence, ``(actors, sentences)``.

        A mention has its own stance logits beside those that it attends to, so that its own sentence counts too.

        Raises:
            DeadlineExceeded: if the deadline passed.
        """
        ranges, owners = mention_ranges(self._encoding, [one.spans for one in mentioned])
        pooled = _average(self._logits, ranges)
        size = max(1, _BLOCK // len(self._logits))
        bounds = np.asarray([self._encoding.token_range(one) for one in sentences], dtype=np.int64).reshape(-1, 2)
        shares, totals = np.zeros((len(mentioned), len(sentences)), dtype=np.float32), np.zeros(len(mentioned))
        parts = [np.zeros((0, len(LABELS)), dtype=np.float32)]
        for start in range(0, len(ranges), size):
            if deadline is not None:
                deadline.check(f"after {start} of {len(ranges)} mentions were judged")
            some = slice(start, start + size)
            logits, attention = attend(pooled[some], self._logits, self._layout)
            actors, rows = np.unique(owners[some], return_inverse=True)
            importance = mention_importance(logits)
            looked_at = _look(attention, ranges[some], rows, importance)
            before = np.cumsum(looked_at, axis=1)  # of the "nothing" row and so many tokens
            shares[actors] += before[:, bounds[:, 1]] - before[:, bounds[:, 0]]
            totals[actors] += np.bincount(rows, importance)
            parts.append(logits)
        judged = pool_mentions(np.concatenate(parts), owners, len(mentioned))
        return judged, np.asarray(shares / totals[:, None], dtype=np.float32)


def _average(logits: FloatArray, ranges: Sequence[tuple[int, int]]) -> FloatArray:
    """The means over ranges of rows, shape ``(ranges, columns)``."""
    means = np.empty((len(ranges), logits.shape[1]), dtype=np.float32)
    for row, (first, last) in zip(means, ranges, strict=True):
        row[:] = logits[first:last].mean(axis=0)
    return means


def _look(
    attention: FloatArray, ranges: Sequence[tuple[int, int]], rows: NDArray[np.int64], importance: FloatArray
) -> FloatArray:
    """How much of each token some actors look at: what their mentions attend to, and where they stand.

    Args:
        attention: shape ``(mentions, 1 + tokens)``.
        ranges: of each mention's tokens.
        rows: shape ``(mentions,)``; of the actor of each mention.
        importance: shape ``(mentions,)``; what each mention counts.

    Returns:
        Shape ``(actors, 1 + tokens)``.
    """
    weights = np.zeros((rows.max() + 1, len(rows)), dtype=np.float32)
    weights[rows, np.arange(len(rows))] = importance
    looked_at = np.asarray((1 - _OWN_SHARE) * weights @ attention, dtype=np.float32)
    for row, (first, last), counts in zip(rows, ranges, importance, strict=True):
        looked_at[row, first:last] += _OWN_SHARE * counts / (last - first)
    return looked_at


class TransformerEngine:
    """Runs the graph of a bundle.

    Args:
        model: the ONNX graph, without external data: serialised, or its file, of which ONNX Runtime keeps no copy.
        threads: threads of the session; 0 lets ONNX Runtime take one a core.
    """

    def __init__(self, model: bytes | Path, encoder: Encoder, layout: HeadLayout, *, threads: int = 0) -> None:
        onnxruntime.disable_telemetry_events()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Without it sums of int8 products overflow on CPUs that have AVX2 but no VNNI, for a tenth more time.
        options.add_session_config_entry("session.x64quantprecision", "1")
        options.enable_mem_pattern = False  # would hold memory for every length of window that it has seen
        graph = model if isinstance(model, bytes) else str(model)
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._inputs = {one.name for one in self._session.get_inputs()}
        self._encoder = encoder
        self._layout = layout

    def read(self, text: str, process: Process, *, deadline: Deadline | None = None) -> TransformerReading:
        """Read a text once, window by window.

        Args:
            deadline: after which no further window is read.

        Raises:
            DeadlineExceeded: if the deadline passed.
        """
        encoding = self._encoder.encode(text, process)
        return TransformerReading(encoding, self.run_windows(encoding.windows, deadline=deadline), self._layout)

    def run_windows(self, windows: Sequence[Window], *, deadline: Deadline | None = None) -> FloatArray:
        """Token logits of a document, shape ``(1 + tokens, layout.size)``; row 0 is the "nothing" row."""
        return join_windows(windows, self._run_all(windows, deadline))

    def _run_all(self, windows: Sequence[Window], deadline: Deadline | None) -> Iterator[FloatArray]:
        for number, window in enumerate(windows):
            if deadline is not None:
                deadline.check(f"after {number} of {len(windows)} windows")
            yield self._run(window)

    def feeds(self, window: Window) -> dict[str, IntArray]:
        """What the graph is given for a window: an array for each of its inputs, shape ``(1, tokens)``."""
        feeds = {
            "input_ids": window.input_ids[None],
            "attention_mask": np.ones((1, len(window.input_ids)), dtype=np.int64),
            "token_type_ids": window.token_type_ids[None],
        }
        return {name: feeds[name] for name in self._inputs}

    def _run(self, window: Window) -> FloatArray:
        (logits,) = self._session.run(["logits"], self.feeds(window))
        return np.asarray(logits[0], dtype=np.float32)
