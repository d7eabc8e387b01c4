"""A text as arrays for the encoder. The only truncation policy is here: there is none.

A text longer than a window is read in several, each of whole sentences where they fit, each but the first opening with
the last short sentences of the one before as context. Every token of the text belongs to exactly one window.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from stance.errors import DocumentError
from stance.schema import Process, Span
from stance.text import find_sentences

IntArray = NDArray[np.int64]

_SURROGATE = re.compile("[\ud800-\udfff]")
#: A line in capitals with so many of them, and a word of so many, is a headline; others are abbreviations.
_HEADLINE, _LONG_WORD = 12, re.compile(r"[^\W\d_]{6,}")
#: A process name may take up at most this share of a window.
_MAX_PROCESS_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Window:
    """One input of the encoder: ``[CLS] process [SEP] context text [SEP]``.

    Attributes:
        input_ids: shape ``(sequence,)``.
        token_type_ids: shape ``(sequence,)``; 0 for the process, 1 for the text.
        first: place of the window's first own token in ``input_ids`` (context comes before it).
        count: number of own tokens.
    """

    input_ids: IntArray
    token_type_ids: IntArray
    first: int
    count: int


@dataclass(frozen=True, slots=True)
class Encoding:
    """A text in windows.

    Attributes:
        windows: at least one, in order.
        offsets: shape ``(tokens, 2)``; start and end, in code points, of each token of the text; they are equal where
            a token is but white space.
    """

    windows: tuple[Window, ...]
    offsets: IntArray

    def token_mask(self, spans: Iterable[Span]) -> NDArray[np.bool_]:
        """Which tokens touch any of the spans; shape ``(tokens,)``."""
        mask = np.zeros(len(self.offsets), dtype=bool)
        for span in spans:
            first, last = self.token_range(span)
            mask[first:last] = True
        return mask

    def token_range(self, span: Span) -> tuple[int, int]:
        """First and one past the last of the tokens that touch the span."""
        first = int(np.searchsorted(self.offsets[:, 1], span.start, side="right"))
        last = int(np.searchsorted(self.offsets[:, 0], span.end, side="left"))
        return first, max(first, last)


def _find_delimiters(tokenizer: Tokenizer) -> tuple[int, int]:
    """What opens a text and what closes each part of it, as the tokenizer's own template has it."""
    ids = tokenizer.encode("").ids
    if len(ids) != 2:
        raise ValueError(
            f"the tokenizer puts {len(ids)} tokens around a text; expected two, such as [CLS] and [SEP] or <s> and "
            "</s>; take one whose template has them"
        )
    return ids[0], ids[1]


def _readable(text: str) -> str:
    """The text as it is read: no lone surrogates, and headlines in capitals in small letters, of as many characters."""
    lines = _SURROGATE.sub("\ufffd", text).split("\n")
    return "\n".join(_lower(line) if line.isupper() else line for line in lines)


def _lower(line: str) -> str:
    small = line.lower()
    headline = sum(map(str.isupper, line)) >= _HEADLINE and _LONG_WORD.search(line)
    return small if headline and len(small) == len(line) else line


def _last_of_each_end(offsets: IntArray) -> NDArray[np.bool_]:
    """The tokens to be kept, so that a text has no more tokens than characters, shape ``(tokens,)``.

    One character may become many when the tokenizer folds it: U+FDFA eighteen, which are fifteen tokens.
    """
    return np.asarray(np.diff(offsets[:, 1], append=-1) != 0)


def _without_spaces(text: str, offsets: IntArray) -> IntArray:
    """Offsets without the white space before a word, which SentencePiece's tokens take along."""
    trimmed = offsets.copy()
    trimmed[:, 0] = [end - len(text[start:end].lstrip()) for start, end in offsets.tolist()]
    return trimmed


class Encoder:
    """Turns a text into windows of at most ``max_length`` tokens.

    Args:
        tokenizer: a fast tokenizer without truncation or padding.
        max_length: tokens in a window, the process and special tokens included.
        context: at most this many tokens of the window before are read again.
    """

    def __init__(self, tokenizer: Tokenizer, *, max_length: int, context: int) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._context = context
        self._cls, self._sep = _find_delimiters(tokenizer)

    def encode(self, text: str, process: Process) -> Encoding:
        """Encode a text toward a process.

        Raises:
            DocumentError: if the process name alone fills half a window.
        """
        name = process.name_in(text)
        head = self._encode_process(name, "process.name" if name == process.name else "process.aliases")
        whole = self._tokenizer.encode(_readable(text), add_special_tokens=False)
        spans = np.asarray(whole.offsets, dtype=np.int64).reshape(-1, 2)
        kept = _last_of_each_end(spans)
        offsets = _without_spaces(text, spans[kept])
        ids = np.asarray(whole.ids, dtype=np.int64)[kept]
        cuts = self._cut(offsets, find_sentences(text), self._max_length - len(head) - 1)
        windows = tuple(self._window(head, ids, context, first, last) for context, first, last in cuts)
        return Encoding(windows, offsets)

    def _encode_process(self, name: str, field: str) -> list[int]:
        ids = self._tokenizer.encode(_SURROGATE.sub("\ufffd", name), add_special_tokens=False).ids
        limit = int(self._max_length * _MAX_PROCESS_SHARE) - 2
        if len(ids) > limit:
            raise DocumentError(
                f"the process name {name[:30]!r}... is {len(ids)} tokens long; at most {limit} are allowed; "
                "use a shorter name",
                code="process_name_too_long",
                field=field,
            )
        return [self._cls, *ids, self._sep]

    def _cut(self, offsets: IntArray, sentences: Sequence[Span], room: int) -> list[tuple[int, int, int]]:
        """Windows as (first token of context, first own token, one past the last)."""
        ends = [int(np.searchsorted(offsets[:, 0], sentence.end, side="left")) for sentence in sentences]
        bounds = sorted({0, *ends, len(offsets)})
        cuts: list[tuple[int, int, int]] = []
        start = 0
        while start < len(offsets) or not cuts:
            context = self._context_start(bounds, start, room)
            limit = context + room
            fitting = [bound for bound in bounds if start < bound <= limit]
            end = fitting[-1] if fitting else min(limit, len(offsets))
            cuts.append((context, start, end))
            start = end
            bounds = [bound for bound in bounds if bound >= context]
        return cuts

    def _context_start(self, bounds: Sequence[int], start: int, room: int) -> int:
        earliest = max(0, start - min(self._context, room // 2))
        return min((bound for bound in bounds if earliest <= bound <= start), default=start)

    def _window(self, head: list[int], ids: IntArray, context: int, first: int, last: int) -> Window:
        body = ids[context:last]
        input_ids = np.concatenate([np.asarray(head, dtype=np.int64), body, np.asarray([self._sep], dtype=np.int64)])
        token_type_ids = np.ones(len(input_ids), dtype=np.int64)
        token_type_ids[: len(head)] = 0
        return Window(input_ids, token_type_ids, len(head) + first - context, last - first)
