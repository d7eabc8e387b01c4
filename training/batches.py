"""Records as arrays, arrays as batches, and the order that they come in."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Sampler
from transformers.trainer_pt_utils import get_length_grouped_indices

from stance.actors import Lexicon
from stance.encoding import Encoder
from stance.head import mention_weights
from stance.schema import LABEL2ID, Process
from training.augment import (
    NamePool,
    Passage,
    change_case,
    drop_sentences,
    find_strings,
    misspell,
    swap_names,
)
from training.config import TrainingConfig
from training.corpus import ProcessNames, Record

#: The id of what is not to be learnt from, as PyTorch has it.
IGNORE = -100
#: Share of the sentences that a thinned record loses.
_DROPPED = 0.3
#: Share of the words of a careless text that are misspelt.
_MISSPELT = 0.08
#: What the sizes of a rounded batch are multiples of.
_TOKENS, _ACTORS, _MENTIONS = 32, 16, 32


class RecordEncoder:
    """Turns records into arrays, with other names at each sight when training.

    Args:
        seed: of the augmentation, drawn anew for each record and :attr:`epoch`; ``None`` leaves records as they are.

    Attributes:
        epoch: to be set at the start of each; what a record looks like in it depends on nothing else.
    """

    def __init__(
        self,
        encoder: Encoder,
        lexicon: Lexicon,
        processes: Sequence[Process],
        config: TrainingConfig,
        *,
        pool: NamePool | None = None,
        seed: int | None = None,
    ) -> None:
        self._encoder = encoder
        self._lexicon = lexicon
        self._names = ProcessNames(processes)
        self._config = config
        self._pool = pool
        self._seed = seed
        self.epoch = 0

    def __call__(self, record: Record) -> dict[str, Any]:
        """Arrays of one record: its windows, and for each actor weights, evidence and label."""
        passage, labels = self._passage(record)
        tagged = passage
        process = self._names.resolve(record.process)
        if self._seed is not None and self._pool is not None:
            rng = random.Random(f"{self._seed}:{self.epoch}:{record.id}:{record.process}")
            process = self._written_process(record, rng)
            passage = swap_names(passage, self._pool, self._config.swap_rate, rng)
            if rng.random() < self._config.typo_rate:
                passage = misspell(passage, _MISSPELT, rng)
            if self._config.teacher and rng.random() < self._config.drop_rate:
                whole, passage = passage, drop_sentences(passage, _DROPPED, rng)
                labels = labels if passage is whole else [IGNORE] * len(labels)
            tagged = passage  # whose capitals tell a name
            if rng.random() < self._config.case_rate:
                passage = change_case(passage, rng)
        encoding = self._encoder.encode(passage.text, process)
        mentions, owners = mention_weights(encoding, passage.mentions)
        return {
            "windows": encoding.windows,
            "mentions": mentions,
            "owners": owners,
            "evidence": np.stack([encoding.token_mask(spans) for spans in passage.evidence]),
            "tags": _tags(encoding.offsets, tagged),
            "labels": np.asarray(labels, dtype=np.int64),
        }

    def _passage(self, record: Record) -> tuple[Passage, list[int]]:
        mentioned = record.mentioned(self._lexicon)
        evidence = tuple(find_strings(record.text, one.evidence) for one in record.actors)
        labels = [
            LABEL2ID[actor.label] if found.mentions and not actor.ambiguous else IGNORE for actor, found in mentioned
        ]
        return Passage(record.text, tuple(found.mentions for _, found in mentioned), evidence), labels

    def _written_process(self, record: Record, rng: random.Random) -> Process:
        known = self._names.resolve(record.process)
        if known.key and rng.random() < self._config.process_rate:
            return Process(known.name, key=known.key)
        return Process(record.process, key=known.key)


def _tags(offsets: np.ndarray, passage: Passage) -> np.ndarray:
    """B and I on proper names, O elsewhere; shape ``(tokens,)``."""
    tags = np.zeros(len(offsets), dtype=np.int64)
    for spans in passage.mentions:
        for span in spans:
            if not any(map(str.isupper, passage.text[span.start : span.end])):
                continue
            inside = (offsets[:, 1] > span.start) & (offsets[:, 0] < span.end)
            tags[inside] = 2
            if inside.any():
                tags[int(inside.argmax())] = 1
    return tags


@dataclass(frozen=True, slots=True)
class Collator:
    """Pads encoded records into one batch of tensors.

    ``labels`` is a dictionary. ``index`` ``(records, 1 + tokens)`` points from a record's tokens (row 0: its first
    ``[CLS]``) into the flattened windows; ``mentions`` are ``(records, mentions, 1 + tokens)``, ``owners``
    ``(records, actors, mentions)``, one-hot over actors; ``evidence`` is ``(records, actors, 1 + tokens)``; ``tags``
    and ``mask`` ``(records, 1 + tokens)``; ``stances`` ``(records, actors)``.

    Attributes:
        rounded: pad, so that batches come in few shapes (:mod:`training.graphs`): multiples of 32 tokens, 16 actors,
            32 mentions, and windows in a multiple of the records, of which the added ones are empty.
    """

    encode: Callable[[Any], dict[str, Any]]
    pad_token_id: int
    parse: Callable[[str], Any] = Record.model_validate_json
    rounded: bool = False

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """One batch; each row holds a record as JSON."""
        encoded = [self.encode(self.parse(row["json"])) for row in rows]
        windows = [(number, window) for number, one in enumerate(encoded) for window in one["windows"]]
        width = self._round(max(len(window.input_ids) for _, window in windows), _TOKENS)
        count = self._round(len(windows), len(rows))
        batch = {
            "input_ids": torch.full((count, width), self.pad_token_id),
            "attention_mask": torch.zeros((count, width), dtype=torch.long),
            "token_type_ids": torch.zeros((count, width), dtype=torch.long),
        }
        batch["attention_mask"][len(windows) :, 0] = 1  # attention over nothing at all is not a number
        places: list[list[int]] = [[] for _ in encoded]
        for row, (number, window) in enumerate(windows):
            length = len(window.input_ids)
            batch["input_ids"][row, :length] = torch.from_numpy(window.input_ids)
            batch["attention_mask"][row, :length] = 1
            batch["token_type_ids"][row, :length] = torch.from_numpy(window.token_type_ids)
            places[number] += [row * width] if not places[number] else []
            places[number] += range(row * width + window.first, row * width + window.first + window.count)
        size = (
            self._round(max(map(len, places)), width),
            self._round(max(len(one["labels"]) for one in encoded), _ACTORS),
            self._round(max(len(one["owners"]) for one in encoded), _MENTIONS),
        )
        return {**batch, "labels": _pad_labels(encoded, places, *size)}

    def _round(self, size: int, unit: int) -> int:
        return -(-size // unit) * unit if self.rounded else size


def _pad_labels(
    encoded: Sequence[dict[str, Any]], places: Sequence[list[int]], tokens: int, actors: int, mentions: int
) -> dict[str, torch.Tensor]:
    records = len(encoded)
    labels = {
        "index": torch.zeros((records, tokens), dtype=torch.long),
        "mask": torch.zeros((records, tokens), dtype=torch.bool),
        "tags": torch.full((records, tokens), IGNORE),
        "mentions": torch.zeros((records, mentions, tokens)),
        "owners": torch.zeros((records, actors, mentions)),
        "evidence": torch.zeros((records, actors, tokens), dtype=torch.bool),
        "stances": torch.full((records, actors), IGNORE),
    }
    for row, (one, place) in enumerate(zip(encoded, places, strict=True)):
        size, count = len(place), len(one["labels"])
        labels["index"][row, :size] = torch.tensor(place)
        labels["mask"][row, :size] = True
        labels["tags"][row, 1:size] = torch.from_numpy(one["tags"])
        owners = torch.from_numpy(one["owners"])
        labels["mentions"][row, : len(owners), :size] = torch.from_numpy(one["mentions"])
        labels["owners"][row, owners, torch.arange(len(owners))] = 1
        labels["evidence"][row, :count, 1:size] = torch.from_numpy(one["evidence"])
        labels["stances"][row, :count] = torch.from_numpy(one["labels"])
    return labels


class StagedSampler(Sampler[int]):
    """Stages one after the other in each pass, each in random order and grouped by length.

    Args:
        stages: indices of the rows.
        lengths: of all rows.
    """

    def __init__(self, stages: Sequence[NDArray[np.int64]], lengths: Sequence[int], batch_size: int) -> None:
        self._stages, self._lengths, self._batch_size = stages, lengths, batch_size

    def __len__(self) -> int:
        return sum(map(len, self._stages))

    def __iter__(self) -> Iterator[int]:
        for stage in filter(len, self._stages):
            lengths = [self._lengths[int(index)] for index in stage]
            yield from (int(stage[place]) for place in get_length_grouped_indices(lengths, self._batch_size))
