"""A ladder of experiments: for each row of settings and each seed a model, measured on held-out records.

The learning curve is one: its rows are shares of the training data.
"""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import stance
from stance.errors import StanceError
from training.backbone import require_backbone
from training.config import Changes, TrainingConfig
from training.corpus import Located, corpus_digest
from training.data import Data
from training.distil import check_teacher
from training.files import load_stamped, save_json_whole
from training.finetune import finetune, make_dataset, sample_records
from training.jobs import run_jobs
from training.metrics import Ids, Interval, clear_actors, interval_over_seeds, macro_by_subset
from training.runs import Run
from training.trainer import StanceTrainer

log = logging.getLogger("train")

LADDER = "ladder.json"


def curve_rows(data: Data, percents: Sequence[int]) -> dict[str, Changes]:
    """The rows of a learning curve over shares of the training records, 1..100."""
    records = len(data.splits["train"])
    return {
        f"{percent}%": {"max_records": 0 if percent >= 100 else max(1, round(records * percent / 100))}
        for percent in sorted(set(percents))
    }


def measure_ladder(
    data: Data,
    held_out: Mapping[str, Sequence[Located]],
    config: TrainingConfig,
    *,
    rows: Mapping[str, Changes],
    seeds: int,
    folder: Path,
    jobs: int = 1,
    progress: bool = True,
) -> dict[str, Any]:
    """Train each row with each seed and measure; what ``ladder.json`` in ``folder`` has already is not done again.

    Args:
        held_out: records to be measured on, by name.
        config: what every row changes; its seed is the first.
        rows: by name.
        jobs: train so many at a time, each in a process of its own.

    Returns:
        What ``ladder.json`` holds: settings, and an entry for each row and seed. The trained weights are measured,
        before they become int8, with the actors given; one that the text does not name is judged too.

    Raises:
        StanceError: if ``folder`` holds a ladder of other settings or data, or a row of that name with other changes or
            another teacher; before any row is trained, if one's teacher may not teach, or its backbone cannot be
            trained so.
    """
    ladder = load_stamped(folder / LADDER, _stamp(data, held_out, config))
    ladder.setdefault("runs", [])
    done = {(one["row"], one["seed"]): {key: one.get(key) for key in ("changes", "teacher")} for one in ladder["runs"]}
    asked = range(config.seed, config.seed + seeds)
    made: dict[str, dict[str, Any]] = {row: {"changes": dict(changes)} for row, changes in rows.items()}
    for row, changes in rows.items():
        if any((row, seed) not in done for seed in asked):  # one that is done needs its teacher no more
            made[row]["teacher"] = _teacher_of(replace(config, **changes), data)
    wanted: list[tuple[str, int]] = []
    for seed in asked:
        for row in rows:
            if not made[row].items() <= done.get((row, seed), made[row]).items():
                raise StanceError(
                    f"{folder / LADDER}: has a row {row!r} of other settings or with another teacher; give another "
                    "--name"
                )
            if (row, seed) in done:
                log.info("%s, seed %d: was done already", row, seed)
            else:
                wanted.append((row, seed))
    configs = [replace(config, **{**rows[row], "seed": seed}) for row, seed in wanted]
    for own in {(one.backbone, one.max_length): one for one in configs}.values():
        require_backbone(own)  # before the first row is trained
    shared = _Shared(data, held_out, progress and jobs == 1)
    for number, measured in run_jobs(_measure_run, shared, configs, jobs=jobs):
        row, seed = wanted[number]
        log.info("%s, seed %d: done", row, seed)
        ladder["runs"].append({"row": row, **made[row], "seed": seed, "jobs": jobs, **measured})
        ladder["runs"].sort(key=lambda one: (_place(one["row"], list(rows)), one["seed"]))
        save_json_whole(folder / LADDER, ladder)
    return ladder


def summarise_ladder(ladder: Mapping[str, Any]) -> list[tuple[str, list[dict[str, Any]], dict[str, Interval]]]:
    """By row: its runs, and macro-F1 over all actors by held-out part, over seeds if there are several."""
    rows = []
    for row in dict.fromkeys(one["row"] for one in ladder["runs"]):
        runs = [one for one in ladder["runs"] if one["row"] == row]
        by_part = {part: [Interval(**one["macro_f1"][part]["all"]) for one in runs] for part in runs[0]["macro_f1"]}
        scores = {
            part: interval_over_seeds([one.value for one in ones]) if len(ones) > 1 else ones[0]
            for part, ones in by_part.items()
        }
        rows.append((row, runs, scores))
    return rows


def _teacher_of(config: TrainingConfig, data: Data) -> dict[str, Any] | None:
    return check_teacher(Run(Path(config.teacher)), data.digest) if config.teacher else None


def _place(row: str, rows: Sequence[str]) -> int:
    """Rows of this call come in its order, before those of earlier ones."""
    return rows.index(row) if row in rows else len(rows)


@dataclass(frozen=True, slots=True)
class _Shared:
    data: Data
    held_out: Mapping[str, Sequence[Located]]
    progress: bool


def _measure_run(shared: _Shared, config: TrainingConfig) -> dict[str, Any]:
    data = shared.data
    train, started = sample_records(data.splits["train"], config), time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        trainer = finetune(
            data.splits["train"],
            [],
            data.lexicon,
            data.known,
            config,
            Path(scratch),
            progress=shared.progress,
            epochwise=False,
        )
    seconds = time.monotonic() - started
    scores = {
        name: macro_by_subset(located, _judge(trainer, located, data), data.names)
        for name, located in shared.held_out.items()
    }
    return {
        "records": len(train),
        "actors": len(clear_actors(train)),
        "training_seconds": seconds,
        "macro_f1": {name: {subset: asdict(one) for subset, one in row.items()} for name, row in scores.items()},
    }


def _judge(trainer: StanceTrainer, located: Sequence[Located], data: Data) -> Ids:
    """Label ids of the clear actors, in order."""
    judged = trainer.judge(make_dataset(located, data.names).to_list())
    ids = [
        row.argmax()
        for one, rows in zip(located, judged, strict=True)
        for actor, row in zip(one.record.actors, rows, strict=True)
        if not actor.ambiguous
    ]
    return np.asarray(ids, dtype=np.int64)


def _stamp(data: Data, held_out: Mapping[str, Sequence[Located]], config: TrainingConfig) -> dict[str, Any]:
    return {
        "config": asdict(config),
        "corpus_digest": data.digest,
        "held_out": {name: corpus_digest(located) for name, located in held_out.items()},
        "package_version": stance.__version__,
    }
