"""The transformer engine: an ONNX graph that reads a text once, and a light head that judges every actor in it.

The graph gives each token a row of logits: name tags (O, B, I), its own stance logits, cue logits, a key and a query.
A mention's query is the mean over its tokens; its attention over the keys of the whole document picks the cue tokens,
whose cue logits are added to the mention's own. A first row, the ``[CLS]`` token of the first window, stands for
"nothing here". An actor's probabilities are the mean of its mentions', each weighed by how sure it is of a stance, so
that background mentions do not drown the one that tells. What it attended to, and where it stands, is the evidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from stance.deadline import Deadline
from stance.encoding import Encoder, Encoding, IntArray, Window
from stance.schema import LABELS, NONE_ID, Mentioned, Process, Span

FloatArray = NDArray[np.float32]

TAGS = ("O", "B", "I")
#: A listed name is an actor's where the model gives it at least this probability.
_MAY_ACT = 0.3
#: Mentions times tokens that are judged at once: a text of "U.S. U.S. ..." would take gigabytes.
_BLOCK = 1 << 21
#: What the mention itself counts as evidence, beside what it attends to.
_OWN_SHARE = 0.2
#: What a mention counts that is sure to show no stance.
MIN_WEIGHT = 0.02


@dataclass(frozen=True, slots=True)
class HeadLayout:
    """Which columns of a token's logits mean what; ``key_size`` is the only degree of freedom."""

    key_size: int

    @property
    def tags(self) -> slice:
        """Name tags."""
        return slice(0, len(TAGS))

    @property
    def stance(self) -> slice:
        """A token's own stance logits."""
        return slice(self.tags.stop, self.tags.stop + len(LABELS))

    @property
    def cues(self) -> slice:
        """Stance logits that a token lends to the actors that attend to it."""
        return slice(self.stance.stop, self.stance.stop + len(LABELS))

    @property
    def key(self) -> slice:
        """What a token is attended by."""
        return slice(self.cues.stop, self.cues.stop + self.key_size)

    @property
    def query(self) -> slice:
        """What an actor attends with."""
        return slice(self.key.stop, self.key.stop + self.key_size)

    @property
    def size(self) -> int:
        """Number of columns."""
        return len(TAGS) + 2 * len(LABELS) + 2 * self.key_size


def link_mentions(logits: FloatArray, mentions: FloatArray, layout: HeadLayout) -> tuple[FloatArray, FloatArray]:
    """Judge mentions from token logits.

    Args:
        logits: shape ``(1 + tokens, layout.size)``; row 0 is the "nothing" row.
        mentions: shape ``(mentions, 1 + tokens)``; each row sums to 1 over the mention's tokens.

    Returns:
        Stance logits, shape ``(mentions, labels)``, and attention, shape ``(mentions, 1 + tokens)``.
    """
    return attend(mentions @ logits, logits, layout)


def attend(pooled: FloatArray, logits: FloatArray, layout: HeadLayout) -> tuple[FloatArray, FloatArray]:
    """As :func:`link_mentions`, from the means of the mentions' tokens, shape ``(mentions, layout.size)``."""
    queries = np.asarray(pooled[:, layout.query] / np.sqrt(layout.key_size), dtype=np.float32)
    attention = softmax(queries @ logits[:, layout.key].T)
    return pooled[:, layout.stance] + attention @ logits[:, layout.cues], attention


def pool_mentions(logits: FloatArray, owners: NDArray[np.int64], actors: int) -> tuple[FloatArray, FloatArray]:
    """Judge actors from their mentions: each counts by how sure it is that it shows a stance.

    Args:
        logits: shape ``(mentions, labels)``.
        owners: shape ``(mentions,)``; the actor of each mention.
        actors: number of actors; each owns at least one mention.

    Returns:
        Log-probabilities, shape ``(actors, labels)``, and each mention's share of its actor, ``(mentions,)``.
    """
    probabilities, weights = softmax(logits), mention_importance(logits)
    totals = np.zeros(actors, dtype=np.float32)
    np.add.at(totals, owners, weights)
    shares = weights / totals[owners]
    pooled = np.zeros((actors, len(LABELS)), dtype=np.float32)
    np.add.at(pooled, owners, shares[:, None] * probabilities)
    return np.log(pooled + np.float32(1e-9)), shares


def mention_importance(logits: FloatArray) -> FloatArray:
    """What each mention counts for its actor, ``(mentions,)``: how sure it is that it shows a stance."""
    return MIN_WEIGHT + 1 - softmax(logits)[:, NONE_ID]


def softmax(logits: FloatArray) -> FloatArray:
    """Softmax over the last axis."""
    shifted = np.asarray(logits - logits.max(axis=-1, keepdims=True), dtype=np.float32)
    np.exp(shifted, out=shifted)  # in place: the attention of a block is as large as memory allows
    shifted /= shifted.sum(axis=-1, keepdims=True)
    return shifted


def mention_ranges(
    encoding: Encoding, mentioned: Sequence[Sequence[Span]]
) -> tuple[list[tuple[int, int]], NDArray[np.int64]]:
    """The rows of each mention's tokens, first and one past the last, and whose mention it is.

    An actor none of whose mentions covers a token is given the "nothing" row for one.

    Returns:
        Ranges, one for each mention, and owners, shape ``(mentions,)``, in order.
    """
    found: list[tuple[int, int]] = []
    owners: list[int] = []
    for owner, spans in enumerate(mentioned):
        ranges = [(1 + first, 1 + last) for first, last in map(encoding.token_range, spans) if last > first]
        found += ranges or [(0, 1)]
        owners += [owner] * max(1, len(ranges))
    return found, np.asarray(owners, dtype=np.int64)


def weigh_tokens(ranges: Sequence[tuple[int, int]], rows: int) -> FloatArray:
    """Weights that average over each mention's tokens, shape ``(mentions, rows)``."""
    weights = np.zeros((len(ranges), rows), dtype=np.float32)
    for row, (first, last) in zip(weights, ranges, strict=True):
        row[first:last] = 1 / (last - first)
    return weights


def mention_weights(encoding: Encoding, mentioned: Sequence[Sequence[Span]]) -> tuple[FloatArray, NDArray[np.int64]]:
    """Weights that average over each mention's tokens, ``(mentions, 1 + tokens)``, and whose mention it is."""
    ranges, owners = mention_ranges(encoding, mentioned)
    return weigh_tokens(ranges, 1 + len(encoding.offsets)), owners


def find_tagged(tag_logits: FloatArray, offsets: NDArray[np.int64]) -> list[Span]:
    """Stretches tagged as actors' names.

    Args:
        tag_logits: shape ``(tokens, 3)``, for :data:`TAGS`.
        offsets: shape ``(tokens, 2)``.
    """
    spans: list[Span] = []
    start = end = -1
    for tag, (left, right) in zip(tag_logits.argmax(axis=1).tolist(), offsets.tolist(), strict=True):
        if start >= 0 and (tag == 0 or (tag == 1 and left > end)):
            spans.append(Span(start, end))
            start = -1
        if tag and start < 0:
            start = left
        end = right
    if start >= 0:
        spans.append(Span(start, end))
    return spans


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
        ranges, owners = mention_ranges(self._encoding, [one.mentions for one in mentioned])
        pooled = _average(self._logits, ranges)
        size = max(1, _BLOCK // len(self._logits))
        bounds = np.asarray([self._encoding.token_range(one) for one in sentences], dtype=np.int64).reshape(-1, 2)
        shares = np.zeros((len(mentioned), len(sentences)), dtype=np.float32)
        parts = [np.zeros((0, len(LABELS)), dtype=np.float32)]
        for start in range(0, len(ranges), size):
            if deadline is not None:
                deadline.check(f"after {start} of {len(ranges)} mentions were judged")
            some = slice(start, start + size)
            logits, attention = attend(pooled[some], self._logits, self._layout)
            actors, rows = np.unique(owners[some], return_inverse=True)
            looked_at = _look(attention, ranges[some], rows, mention_importance(logits))
            before = np.cumsum(looked_at, axis=1)  # of the "nothing" row and so many tokens
            shares[actors] += before[:, bounds[:, 1]] - before[:, bounds[:, 0]]
            parts.append(logits)
        mention_logits = np.concatenate(parts)
        totals = np.bincount(owners, mention_importance(mention_logits), minlength=len(mentioned))
        judged, _ = pool_mentions(mention_logits, owners, len(mentioned))
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
        rows: list[FloatArray] = []
        for number, window in enumerate(windows):
            if deadline is not None:
                deadline.check(f"after {number} of {len(windows)} windows")
            logits = self._run(window)
            if number == 0:
                rows.append(logits[:1])
            rows.append(logits[window.first : window.first + window.count])
        return np.concatenate(rows)

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
