"""What the data is made of, counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from stance.schema import LABELS
from training.agreement import Agreement, measure_agreement
from training.corpus import FULL_LENGTH, SPLITS, Located, ProcessNames, Record, Register, Tag, fold_name
from training.overview.names import NameGap, measure_name_gaps
from training.overview.repetition import Opening, Pair, PlacedText, find_openings, find_pairs

QUANTILES: tuple[float, ...] = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
#: The parts that sum up others.
CORPUS_PART, GOLD_PART = "corpus", "gold"
NO_SPLIT = "no split"
#: All processes that are not known by key.
OTHERS = "others"

#: Counts by part of the data, by value.
Counts = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class Lengths:
    """Words of the distinct texts of a part.

    Attributes:
        words: of each text.
        quantiles: in words, at :data:`QUANTILES`.
        full_length: texts of at least :data:`training.corpus.FULL_LENGTH` words.
    """

    words: tuple[int, ...]
    quantiles: tuple[float, ...]
    full_length: int


@dataclass(frozen=True, slots=True)
class Overview:
    """All that is told of the data.

    Attributes:
        names: finds the known process that a record means.
        parts: name -> records, in the order shown; ``corpus`` and ``gold`` sum up their splits.
        totals: of records, distinct texts, labels, twins and ambiguous labels.
        processes: records by known process, and of ``others``.
        distinct_others: part -> number of other processes, told apart by their names.
        registers, tags: records.
        labels: actors.
        label_by_register: actors of the corpus, register -> label -> count.
        agreement: of gold's blind readers; None where no actor has two readings.
        pairs: near-duplicates, of different texts.
        openings: of sentences, that occur more often than allowed.
        name_gaps: by subset of the test split; empty where there are too few labels to tell.
    """

    names: ProcessNames
    parts: Mapping[str, Sequence[Record]]
    totals: Counts
    processes: Counts
    distinct_others: Mapping[str, int]
    registers: Counts
    labels: Counts
    tags: Counts
    label_by_register: Counts
    lengths: Mapping[str, Lengths]
    agreement: Agreement | None
    pairs: Sequence[Pair]
    openings: Sequence[Opening]
    name_gaps: Sequence[NameGap]

    @property
    def crossing(self) -> list[Pair]:
        """Near-duplicates that lie in different parts."""
        return [pair for pair in self.pairs if pair.crosses]


def measure_overview(corpus: Sequence[Located], gold: Sequence[Located], names: ProcessNames) -> Overview:
    """Count and measure all of it.

    Args:
        corpus, gold: checked records.
        names: finds the known process that a record means.
    """
    parts = divide(corpus, gold)
    texts = distinct_texts(parts)
    pairs, groups = find_pairs(texts)
    test = [one for one in corpus if one.record.split == "test"]
    kinds = [*(one.key for one in names.known), OTHERS]
    return Overview(
        names=names,
        parts=parts,
        totals=_totals(parts),
        processes=_count(parts, kinds, lambda one: [names.resolve(one.process).key or OTHERS]),
        distinct_others={part: len(_others(ones, names)) for part, ones in parts.items()},
        registers=_count(parts, get_args(Register), lambda one: [one.text_register]),
        labels=_count(parts, LABELS, lambda one: [actor.label for actor in one.actors]),
        tags=_count(parts, get_args(Tag), lambda one: one.tags),
        label_by_register=_label_by_register(parts[CORPUS_PART]),
        lengths={part: _lengths(ones) for part, ones in parts.items()},
        agreement=_agreement(gold),
        pairs=pairs,
        openings=find_openings([one.text for one in texts], groups),
        name_gaps=measure_name_gaps([one for one in corpus if one.record.split == "train"], test, names),
    )


def divide(corpus: Sequence[Located], gold: Sequence[Located]) -> dict[str, list[Record]]:
    """The records by part, empty ones left out: the splits, ``corpus``, then gold's splits and ``gold``."""
    parts: dict[str, list[Record]] = {}
    for whole, prefix, located in ((CORPUS_PART, "", corpus), (GOLD_PART, "gold ", gold)):
        for split in (*SPLITS, None):
            ones = [one.record for one in located if one.record.split == split]
            if ones:
                parts[f"{prefix}{split or NO_SPLIT}"] = ones
        if located or whole == CORPUS_PART:
            parts[whole] = [one.record for one in located]
    return parts


def is_whole(part: str) -> bool:
    """Whether the part sums up others."""
    return part in (CORPUS_PART, GOLD_PART)


def distinct_texts(parts: Mapping[str, Sequence[Record]]) -> list[PlacedText]:
    """Every text once, in order."""
    texts: dict[str, PlacedText] = {}
    for part, ones in parts.items():
        for one in ones if not is_whole(part) else ():
            texts.setdefault(one.text, PlacedText(part, one.id, one.text))
    return list(texts.values())


def _totals(parts: Mapping[str, Sequence[Record]]) -> dict[str, dict[str, int]]:
    measures: dict[str, Callable[[Sequence[Record]], int]] = {
        "records": len,
        "distinct texts": lambda ones: len({one.text for one in ones}),
        "twins (texts judged on a second process)": lambda ones: len(ones) - len({one.passage for one in ones}),
        "labels": lambda ones: sum(len(one.actors) for one in ones),
        "ambiguous labels": lambda ones: sum(actor.ambiguous for one in ones for actor in one.actors),
        "distinct actor names": lambda ones: len({actor.actor for one in ones for actor in one.actors}),
        "records without tags": lambda ones: sum(not one.tags for one in ones),
    }
    return {name: {part: measure(ones) for part, ones in parts.items()} for name, measure in measures.items()}


def _count(
    parts: Mapping[str, Sequence[Record]], values: Iterable[str], of: Callable[[Record], Iterable[str]]
) -> dict[str, dict[str, int]]:
    counted = {part: Counter(value for one in ones for value in of(one)) for part, ones in parts.items()}
    return {value: {part: counter[value] for part, counter in counted.items()} for value in values}


def _label_by_register(records: Sequence[Record]) -> dict[str, dict[str, int]]:
    counted = Counter((one.text_register, actor.label) for one in records for actor in one.actors)
    return {
        register: {label: counted[register, label] for label in LABELS}
        for register in get_args(Register)
        if any(counted[register, label] for label in LABELS)
    }


def _others(records: Sequence[Record], names: ProcessNames) -> set[str]:
    return {fold_name(one.process) for one in records if not names.resolve(one.process).key}


def _lengths(records: Sequence[Record]) -> Lengths:
    words = tuple(len(text.split()) for text in dict.fromkeys(one.text for one in records))
    quantiles = tuple(float(value) for value in np.quantile(words, QUANTILES)) if words else ()
    return Lengths(words, quantiles, sum(count >= FULL_LENGTH for count in words))


def _agreement(gold: Sequence[Located]) -> Agreement | None:
    read_twice = any(len(actor.readings) > 1 for one in gold for actor in one.record.actors)
    return measure_agreement(gold) if read_twice else None
