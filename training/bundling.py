"""Puts a bundle's folder together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline

import stance
from stance import bundle as layout
from stance.baseline import save_pipeline
from stance.bundle import save_bundle, save_calibration, save_json
from stance.calibration import Calibration
from stance.schema import LABELS
from training import report
from training.backbone import load_tokenizer
from training.config import TrainingConfig
from training.data import Data
from training.evaluate import Scores
from training.export import Parity


@dataclass(frozen=True, slots=True)
class Scored:
    """An exported model, calibrated and scored on test.

    Attributes:
        graph: in int8, serialised.
        calibration: of int8.
        agreement: share of the actors of the records for calibration that int8 gives the label of fp32.
    """

    graph: bytes
    parity: Parity
    calibration: Calibration
    int8: Scores
    fp32: Scores
    agreement: float


def write_transformer_bundle(
    folder: Path, data: Data, config: TrainingConfig, scored: Scored, metrics: Mapping[str, Any]
) -> None:
    """Write the graph with its tokenizer, card, plots and all that serving needs, at once or not at all."""

    def write(target: Path) -> None:
        (target / layout.MODEL).write_bytes(scored.graph)
        load_tokenizer(config.backbone).backend_tokenizer.save(str(target / layout.TOKENIZER))
        shape = {"max_length": config.max_length, "context": config.context, "key_size": config.key_size}
        settings = {**shape, "start": metrics["start"], "training": asdict(config)}
        _write_common(target, folder.name, data, scored.calibration, settings)
        save_json(target / layout.METRICS, metrics)
        report.save_plots(target, scored.int8, metrics["history"])
        report.save_card(target, name=folder.name, scores=scored.int8, metrics=metrics)

    save_bundle(folder, write)


def write_baseline_bundle(
    folder: Path, data: Data, *, pipeline: Pipeline, calibration: Calibration, metrics: Mapping[str, Any]
) -> None:
    """Write the scikit-learn baseline."""

    def write(target: Path) -> None:
        save_pipeline(pipeline, target / layout.BASELINE)
        _write_common(target, folder.name, data, calibration, {})
        save_json(target / layout.METRICS, metrics)

    save_bundle(folder, write)


def _write_common(target: Path, name: str, data: Data, calibration: Calibration, settings: Mapping[str, Any]) -> None:
    config = {
        "format_version": layout.FORMAT_VERSION,
        "name": name,
        "package_version": stance.__version__,
        "labels": LABELS,
        "corpus_digest": data.digest,
        **settings,
    }
    save_json(target / layout.CONFIG, config)
    save_json(target / layout.ACTORS, data.actors)
    save_json(target / layout.PROCESSES, data.processes)
    save_calibration(target / layout.CALIBRATION, calibration)
