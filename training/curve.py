"""The learning curve: macro-F1 on held-out records by the share of the training data that was learnt from."""

from __future__ import annotations

import json
import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import stance
from stance.bundle import save_json
from stance.errors import StanceError
from training.config import TrainingConfig
from training.corpus import Located, corpus_digest
from training.data import Data
from training.evaluate import Interval
from training.finetune import sample_records
from training.held_out import clear_actors, interval_over_seeds, macro_by_subset, predict_ids
from training.peers.ours import bundle_trained
from training.pipeline import finetune_step

log = logging.getLogger("train")

CURVE = "curve.json"


def measure_curve(
    data: Data,
    held_out: Mapping[str, Sequence[Located]],
    config: TrainingConfig,
    *,
    percents: Sequence[int],
    seeds: int,
    folder: Path,
    progress: bool = True,
) -> dict[str, Any]:
    """Train on each share with each seed and measure; what ``curve.json`` in ``folder`` has already is not done again.

    Args:
        held_out: records to be measured on, by name.
        config: of every run; its seed is the first.
        percents: shares of the training records, 1..100.

    Returns:
        What ``curve.json`` holds: settings, and one row for each share and seed. The model is measured in int8.

    Raises:
        StanceError: if ``folder`` holds a curve of other settings or data.
    """
    curve = _load(folder, _stamp(data, held_out, config))
    done = {(row["percent"], row["seed"]) for row in curve["rows"]}
    for percent in sorted(set(percents)):
        for seed in range(config.seed, config.seed + seeds):
            if (percent, seed) in done:
                log.info("%d%%, seed %d: was done already", percent, seed)
                continue
            log.info("%d%%, seed %d", percent, seed)
            own = replace(config, seed=seed, max_records=_count(data, percent))
            curve["rows"].append(
                {"percent": percent, "seed": seed, **_measure_run(data, held_out, own, folder, percent, progress)}
            )
            _save(folder, curve)
    return curve


def summarise_curve(curve: Mapping[str, Any]) -> list[tuple[int, list[dict[str, Any]], dict[str, Interval]]]:
    """By share: its rows, and macro-F1 over all actors by held-out part, over seeds if there are several."""
    points = []
    for percent in sorted({row["percent"] for row in curve["rows"]}):
        rows = [row for row in curve["rows"] if row["percent"] == percent]
        by_part = {part: [Interval(**row["macro_f1"][part]["all"]) for row in rows] for part in rows[0]["macro_f1"]}
        points.append(
            (
                percent,
                rows,
                {
                    part: interval_over_seeds([one.value for one in ones]) if len(ones) > 1 else ones[0]
                    for part, ones in by_part.items()
                },
            )
        )
    return points


def _count(data: Data, percent: int) -> int:
    """Records of a share; 0, which stands for all, where it is the whole."""
    return 0 if percent >= 100 else max(1, round(len(data.splits["train"]) * percent / 100))


def _measure_run(
    data: Data,
    held_out: Mapping[str, Sequence[Located]],
    config: TrainingConfig,
    folder: Path,
    percent: int,
    progress: bool,
) -> dict[str, Any]:
    run = folder / f"{percent:03}-seed-{config.seed}"
    trained = finetune_step(data, config, run, resume=True, progress=progress)
    _, int8 = bundle_trained(data, config, trained)
    train = sample_records(data.splits["train"], config)
    scores = {
        name: macro_by_subset(located, predict_ids(int8, located, data.names), data.names)
        for name, located in held_out.items()
    }
    shutil.rmtree(run)  # a dozen models with their optimisers would fill a disk
    return {
        "records": len(train),
        "actors": len(clear_actors(train)),
        "training_seconds": trained.seconds,
        "macro_f1": {name: {subset: asdict(one) for subset, one in row.items()} for name, row in scores.items()},
    }


def _stamp(data: Data, held_out: Mapping[str, Sequence[Located]], config: TrainingConfig) -> dict[str, Any]:
    return {
        "config": {**asdict(config), "max_records": 0},
        "corpus_digest": data.digest,
        "held_out": {name: corpus_digest(located) for name, located in held_out.items()},
        "package_version": stance.__version__,
    }


def _load(folder: Path, stamp: dict[str, Any]) -> dict[str, Any]:
    path = folder / CURVE
    if not path.exists():
        return {**stamp, "rows": []}
    curve: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if {key: curve.get(key) for key in stamp} != stamp:
        raise StanceError(f"{path}: made with other settings or data; give another --name, or delete the file")
    return curve


def _save(folder: Path, curve: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    save_json(folder / f".{CURVE}", curve)
    os.replace(folder / f".{CURVE}", folder / CURVE)
