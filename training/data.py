"""All that a run learns from and is measured on: the divided corpus, the lexicon and the known processes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from stance.actors import Lexicon
from stance.bundle import parse_actors, parse_processes
from stance.errors import CorpusError
from stance.schema import Process
from training.calibrate import MIN_CASES
from training.corpus import (
    DATA,
    SPLITS,
    Located,
    ProcessNames,
    Record,
    Split,
    corpus_digest,
    corpus_files,
    load_corpus,
    spread,
)
from training.processes import load_processes
from training.splits import draw_splits, missing_splits, near_duplicates, split_faults


@dataclass(frozen=True, slots=True)
class Data:
    """All that a run learns from and is measured on.

    Attributes:
        splits: the corpus, divided.
        calibration: records that the probabilities are fitted on, never the test split.
        digest: of the corpus, the listed actors and the known processes.
        own_files: of labels of the user's own, among the corpus.
    """

    splits: Mapping[Split, Sequence[Located]]
    calibration: Sequence[Located]
    actors: Sequence[Mapping[str, Any]]
    processes: Sequence[Mapping[str, Any]]
    digest: str
    own_files: Collection[Path] = ()

    @property
    def own(self) -> list[Located]:
        """The records of the user's own."""
        return [one for ones in self.splits.values() for one in ones if one.path in self.own_files]

    @property
    def names(self) -> ProcessNames:
        """Finds the known process that a record means."""
        return ProcessNames(self.known)

    @property
    def lexicon(self) -> Lexicon:
        """The listed actors."""
        return Lexicon(parse_actors(self.actors))

    @property
    def known(self) -> list[Process]:
        """The known processes."""
        return parse_processes(self.processes)


def load_divided(paths: Sequence[Path], extra: Sequence[Path] = ()) -> list[Located]:
    """Load and check records that each have a split.

    Args:
        extra: files of own labels; what has no split in them is given one, here and not in the files.

    Raises:
        CorpusError: with a line for each fault.
    """
    located = load_corpus([*paths, *extra])
    own = set(corpus_files(extra)) if extra else set()
    faults = missing_splits([one for one in located if one.path not in own])
    if not faults:
        located = draw_splits(located)
        faults = split_faults(located)
    if faults:
        raise CorpusError(faults)
    return located


def load_data(
    paths: Sequence[Path],
    *,
    extra: Sequence[Path] = (),
    calibration: Sequence[Path] = (),
    own_processes: Sequence[Path] = (),
) -> Data:
    """Load, check and divide the corpus.

    Args:
        extra: files of own labels, with or without splits.
        calibration: files whose dev split the probabilities are fitted on, and of which own labels may copy nothing;
            none: the corpus's own dev split.
        own_processes: files of processes that are added to the known ones or, by key, replace them.

    Raises:
        CorpusError: with a line for each fault.
    """
    processes = load_processes(own_processes)
    located = load_divided(paths, extra)
    splits: dict[Split, list[Located]] = {split: [] for split in SPLITS}
    for one in located:
        if one.record.split is not None:
            splits[one.record.split].append(one)
    reports = load_corpus(calibration) if calibration else []
    held_out = _held_out(reports, calibration, "dev", "calibrate", "--calibration") if calibration else splits["dev"]
    own = frozenset(corpus_files(extra)) if extra else frozenset()
    _refuse_copies([one for one in located if one.path in own], reports)
    actors = json.loads((DATA / "actors.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256((corpus_digest(located) + json.dumps([actors, processes])).encode()).hexdigest()
    return Data(splits, held_out, actors, processes, digest, own)


def _refuse_copies(own: Sequence[Located], reports: Sequence[Located]) -> None:
    """Refuse own labels that are near-duplicates of what is calibrated or measured on, both of whatever split."""
    if not own or not reports:
        return
    pairs = near_duplicates([one.record.text for one in (*own, *reports)])
    faults = [
        f"{own[left]}: text: {similarity:.2f} like {reports[right - len(own)]}; leave it out of your labels"
        for left, right, similarity in pairs
        if left < len(own) <= right
    ]
    if faults:
        raise CorpusError(faults)


def load_names() -> ProcessNames:
    """Finds the known process that a record means, by ``processes.json``."""
    return ProcessNames(parse_processes(load_processes()))


def load_held_out(paths: Sequence[Path], split: Split | None, *, option: str = "--data") -> list[Located]:
    """The records of one split in some files, or of all, clear labels among them.

    Args:
        split: ``None`` takes every record, also one without a split.
        option: by which the files were named.

    Raises:
        CorpusError: if there are none to measure on.
    """
    return _held_out(load_corpus(paths), paths, split, "measure", option)


def _held_out(
    located: Sequence[Located], paths: Sequence[Path], split: Split | None, purpose: str, option: str
) -> list[Located]:
    wanted = [one for one in located if split in (None, one.record.split)]
    if not any(one.record.clear for one in wanted):
        of_split = f" of split {split!r}" if split else ""
        what = f"no clear label in the records{of_split}" if wanted else f"no record{of_split}"
        told = f"{', '.join(map(str, paths))}: {what} to {purpose} on; name files that have some by {option}"
        if split and any(one.record.split is None for one in located):
            way = "take `--on all`" if option == "--data" else f'give each "split": "{split}"'
            told += f"; to {purpose} on all of them {way}; `train split --data FILE` divides them"
        raise CorpusError([told])
    return wanted


def thin(data: Data, train: int, held_out: int) -> Data:
    """The same data with few records, for a quick run; own labels take up to half of a split, so that it sees them.

    Args:
        train: records of the training split, at most; 0 takes all, as ``max_records`` does.
        held_out: of each of the others, and of those to calibrate on.
    """
    counts = {split: train or len(ones) if split == "train" else held_out for split, ones in data.splits.items()}
    splits = {split: _spread_own(ones, counts[split], data.own_files) for split, ones in data.splits.items()}
    return replace(data, splits=splits, calibration=spread(data.calibration, held_out))


def _spread_own(located: Sequence[Located], records: int, files: Collection[Path]) -> Sequence[Located]:
    if records >= len(located):
        return located
    own = spread([one for one in located if one.path in files], records // 2)
    return [*own, *spread([one for one in located if one.path not in files], records - len(own))]


def require_enough(data: Data) -> None:
    """Refuse data that cannot be trained on or measured.

    Raises:
        CorpusError: if a split, or what the probabilities are fitted on, has too few clear labels.
    """
    faults = []
    for split, ones in data.splits.items():
        clear = sum(len(one.record.clear) for one in ones)
        if clear < MIN_CASES:
            faults.append(f"split {split!r}: {clear} clear labels; at least {MIN_CASES} are needed; add records to it")
    lexicon = data.lexicon
    cases = sum(_count_named(one.record, lexicon) for one in data.calibration)
    if cases < MIN_CASES:
        faults.append(
            f"calibration: {cases} clear labels of actors that the texts name; at least {MIN_CASES} are needed; "
            "name files with more by --calibration"
        )
    if faults:
        raise CorpusError(faults)


def _count_named(record: Record, lexicon: Lexicon) -> int:
    return sum(bool(found.mentions) and not actor.ambiguous for actor, found in record.mentioned(lexicon))
