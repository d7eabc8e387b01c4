"""The light head behind the encoder, in NumPy: it judges every actor of a text from one row of logits a token.

A row holds name tags (O, B, I), the token's own stance logits, cue logits, a key and a query. A mention's query is the
mean over its tokens; its attention over the keys of the whole document picks the cue tokens, whose cue logits are added
to the mention's own. A first row, the ``[CLS]`` token of the first window, stands for "nothing here". An actor's
probabilities are the mean of its mentions', each weighed by how sure it is of a stance, so that background mentions do
not drown the one that tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from stance.schema import LABELS, NONE_ID, Span

if TYPE_CHECKING:
    from stance.encoding import Encoding, Window

FloatArray = NDArray[np.float32]

TAGS = ("O", "B", "I")
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


def join_windows(windows: Sequence[Window], logits: Iterable[FloatArray]) -> FloatArray:
    """A document's token logits: each window's own tokens, behind the "nothing" row.

    Args:
        windows: at least one, in order.
        logits: of each window, shape ``(sequence, columns)``.

    Returns:
        Shape ``(1 + tokens, columns)``.
    """
    rows: list[FloatArray] = []
    for window, read in zip(windows, logits, strict=True):
        if not rows:
            rows.append(read[:1])
        rows.append(read[window.first : window.first + window.count])
    return np.concatenate(rows)


def link_mentions(logits: FloatArray, mentions: FloatArray, layout: HeadLayout) -> FloatArray:
    """Judge mentions from token logits.

    Args:
        logits: shape ``(1 + tokens, layout.size)``; row 0 is the "nothing" row.
        mentions: shape ``(mentions, 1 + tokens)``; each row sums to 1 over the mention's tokens.

    Returns:
        Stance logits, shape ``(mentions, labels)``.
    """
    return attend(mentions @ logits, logits, layout)[0]


def attend(pooled: FloatArray, logits: FloatArray, layout: HeadLayout) -> tuple[FloatArray, FloatArray]:
    """As :func:`link_mentions`, from the means of the mentions' tokens, shape ``(mentions, layout.size)``.

    Returns:
        Stance logits, shape ``(mentions, labels)``, and attention, shape ``(mentions, 1 + tokens)``.
    """
    queries = np.asarray(pooled[:, layout.query] / np.sqrt(layout.key_size), dtype=np.float32)
    attention = softmax(queries @ logits[:, layout.key].T)
    return pooled[:, layout.stance] + attention @ logits[:, layout.cues], attention


def pool_mentions(logits: FloatArray, owners: NDArray[np.int64], actors: int) -> FloatArray:
    """Judge actors from their mentions: each counts by how sure it is that it shows a stance.

    Args:
        logits: shape ``(mentions, labels)``.
        owners: shape ``(mentions,)``; the actor of each mention.
        actors: number of actors; each owns at least one mention.

    Returns:
        Log-probabilities, shape ``(actors, labels)``.
    """
    probabilities, weights = softmax(logits), mention_importance(logits)
    totals = np.zeros(actors, dtype=np.float32)
    np.add.at(totals, owners, weights)
    pooled = np.zeros((actors, len(LABELS)), dtype=np.float32)
    np.add.at(pooled, owners, (weights / totals[owners])[:, None] * probabilities)
    return np.asarray(np.log(pooled + np.float32(1e-9)), dtype=np.float32)


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


def mention_weights(encoding: Encoding, mentioned: Sequence[Sequence[Span]]) -> tuple[FloatArray, NDArray[np.int64]]:
    """Weights that average over each mention's tokens, ``(mentions, 1 + tokens)``, and whose mention it is."""
    ranges, owners = mention_ranges(encoding, mentioned)
    weights = np.zeros((len(ranges), 1 + len(encoding.offsets)), dtype=np.float32)
    for row, (first, last) in zip(weights, ranges, strict=True):
        row[first:last] = 1 / (last - first)
    return weights, owners


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
