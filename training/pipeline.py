"""From the corpus to a bundle: the steps of ``train run``, each of which leaves its result in the run's folder.

A run that was stopped goes on where it was with ``resume``; a bundle appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from transformers import AutoModelForTokenClassification

import stance
from stance import bundle as layout_of
from stance.actors import Lexicon
from stance.baseline import BaselineEngine, save_pipeline
from stance.bundle import Bundle, parse_actors, parse_processes, save_bundle, save_calibration, save_json
from stance.calibration import Calibration
from stance.classify import Engine
from stance.errors import CorpusError, StanceError
from stance.schema import LABELS, Process
from stance.transformer import HeadLayout, TransformerEngine
from training import report
from training.baseline import fit_baseline, predict_yardsticks
from training.calibrate import fit_calibration, held_out_logits
from training.config import TrainingConfig
from training.corpus import DATA, SPLITS, Located, ProcessNames, Split, corpus_digest, load_corpus
from training.evaluate import Interval, Scores, bootstrap_macro_f1, score
from training.export import MIN_INT8_AGREEMENT, Parity, export_model
from training.finetune import RecordEncoder, finetune, load_tokenizer, make_encoder
from training.splits import split_faults

log = logging.getLogger("train")


@dataclass(frozen=True, slots=True)
class Data:
    """All that a run learns from and is measured on."""

    splits: Mapping[Split, Sequence[Located]]
    actors: Sequence[Mapping[str, Any]]
    processes: Sequence[Mapping[str, Any]]
    digest: str

    @property
    def lexicon(self) -> Lexicon:
        """The listed actors."""
        return Lexicon(parse_actors(self.actors))

    @property
    def known(self) -> list[Process]:
        """The known processes."""
        return parse_processes(self.processes)


def load_data(paths: Sequence[Path]) -> Data:
    """Load, check and divide the corpus.

    Raises:
        CorpusError: with a line for each fault.
    """
    located = load_corpus(paths)
    faults = split_faults(located)
    if faults:
        raise CorpusError(faults)
    splits: dict[Split, list[Located]] = {split: [] for split in SPLITS}
    for one in located:
        if one.record.split is not None:
            splits[one.record.split].append(one)
    actors = json.loads((DATA / "actors.json").read_text(encoding="utf-8"))
    processes = json.loads((DATA / "processes.json").read_text(encoding="utf-8"))
    digest = hashlib.sha256((corpus_digest(located) + json.dumps([actors, processes])).encode()).hexdigest()
    return Data(splits, actors, processes, digest)


def thin(data: Data, records: int) -> Data:
    """The same data with at most so many records in dev and test, for a quick run."""
    splits = {split: ones if split == "train" else ones[:records] for split, ones in data.splits.items()}
    return replace(data, splits=splits)


@dataclass(frozen=True, slots=True)
class Trained:
    """A fine-tuned model on disk."""

    folder: Path
    seconds: float
    history: list[dict[str, Any]]


def finetune_step(data: Data, config: TrainingConfig, folder: Path, *, resume: bool, progress: bool = True) -> Trained:
    """Fine-tune, or take up what an earlier run with the same settings and data left.

    Args:
        folder: of this seed; a run of other settings or data in it is refused.
    """
    stamp = {"config": asdict(config), "corpus_digest": data.digest, "package_version": stance.__version__}
    stamp_file, done_file = folder / "run.json", folder / "done.json"
    if resume and stamp_file.exists() and json.loads(stamp_file.read_text()) != stamp:
        raise CorpusError(
            [f"{stamp_file}: made with other settings or data; run without --resume, or under another --name"]
        )
    if resume and done_file.exists():
        done = json.loads(done_file.read_text())
        log.info("fine-tuning was done already: %s", folder)
        return Trained(folder / "model", done["seconds"], done["history"])
    if not (resume and stamp_file.exists()):
        shutil.rmtree(folder, ignore_errors=True)  # what another run left must not be taken up by a later --resume
    folder.mkdir(parents=True, exist_ok=True)
    save_json(stamp_file, stamp)
    started = time.monotonic()
    trainer = finetune(
        data.splits["train"],
        data.splits["dev"],
        data.lexicon,
        data.known,
        config,
        folder / "checkpoints",
        resume=resume,
        progress=progress,
    )
    trainer.save_model(str(folder / "model"))
    trained = Trained(folder / "model", time.monotonic() - started, trainer.state.log_history)
    save_json(done_file, {"seconds": trained.seconds, "history": trained.history})
    return trained


@dataclass(frozen=True, slots=True)
class Exported:
    """The graphs of a trained model, calibrated and scored."""

    graph: bytes
    calibration: Calibration
    scores: Scores
    fp32: Scores
    parity: Parity


def export_step(data: Data, config: TrainingConfig, trained: Trained, *, min_agreement: float) -> Exported:
    """Export, check parity, calibrate on dev and score on test."""
    encoder = make_encoder(load_tokenizer(config.backbone), config)
    layout = HeadLayout(config.key_size)
    encode = RecordEncoder(encoder, data.lexicon, data.known, config)
    model = AutoModelForTokenClassification.from_pretrained(trained.folder)
    fp32, int8, parity = export_model(model, encoder, layout, encode, data.splits["dev"], min_agreement=min_agreement)
    fp32_bundle, int8_bundle = (
        calibrated(data, TransformerEngine(graph, encoder, layout), name)
        for graph, name in ((fp32, "fp32"), (int8, "int8"))
    )
    names = ProcessNames(data.known)
    scores = [score(one, data.splits["test"], names=names) for one in (int8_bundle, fp32_bundle)]
    return Exported(int8, int8_bundle.calibration, scores[0], scores[1], parity)


def calibrated(data: Data, engine: Engine, name: str) -> Bundle:
    """A bundle in memory around an engine, calibrated on dev."""
    known = data.known
    logits, y_true = held_out_logits(engine, data.splits["dev"], data.lexicon, ProcessNames(known))
    calibration = fit_calibration(logits, y_true)
    return Bundle(name, "", engine, data.lexicon, {one.key: one for one in known}, calibration)


def yardstick_rows(data: Data) -> dict[str, dict[str, Interval]]:
    """Rows of the results table for the majority label, the name alone and the scikit-learn baseline."""
    names = ProcessNames(data.known)
    test = data.splits["test"]
    baseline = calibrated(data, BaselineEngine(fit_baseline(data.splits["train"], data.lexicon)), "baseline")
    rows = {"scikit-learn baseline": dict(score(baseline, test, names=names).macro_f1)}
    clear = [(one.record, actor) for one in test for actor in one.record.actors if not actor.ambiguous]
    y_true = np.asarray([LABELS.index(actor.label) for _, actor in clear])
    sochi = np.asarray([names.resolve(record.process).key == "sochi" for record, _ in clear])
    passages = np.asarray([record.passage for record, _ in clear])
    for name, y_pred in predict_yardsticks(data.splits["train"], test).items():
        masks = {"all": np.ones_like(sochi), "sochi": sochi, "other": ~sochi}
        rows[name] = {
            subset: bootstrap_macro_f1(passages[mask].tolist(), y_true[mask], y_pred[mask])
            for subset, mask in masks.items()
            if mask.any()
        }
    return rows


def baseline_step(data: Data, *, name: str, folder: Path) -> dict[str, dict[str, Any]]:
    """Fit, calibrate and bundle the baseline alone; returns the rows of the results table."""
    pipeline = fit_baseline(data.splits["train"], data.lexicon)
    calibration = calibrated(data, BaselineEngine(pipeline), name).calibration
    rows = as_dicts(yardstick_rows(data))

    def write(target: Path) -> None:
        save_pipeline(pipeline, target / layout_of.BASELINE)
        write_common(target, name, data, TrainingConfig(), calibration)
        save_json(target / layout_of.METRICS, {"rows": rows, "corpus_digest": data.digest})

    save_bundle(folder, write)
    return rows


def as_dicts(rows: Mapping[str, Mapping[str, Interval]]) -> dict[str, dict[str, Any]]:
    """Rows of the results table as plain values."""
    return {name: {subset: asdict(one) for subset, one in row.items()} for name, row in rows.items()}


def load_run(folder: Path, paths: Sequence[Path]) -> tuple[TrainingConfig, Data]:
    """The settings of a finished fine-tuning, and the data it was made with.

    Raises:
        StanceError: if there is none.
    """
    if not (folder / "done.json").exists():
        raise StanceError(
            f"{folder}: no finished fine-tuning; run `train finetune` first, with the same --name and --seed"
        )
    stamp = json.loads((folder / "run.json").read_text())
    data = load_data(paths)
    if stamp["corpus_digest"] != data.digest:
        raise StanceError(f"{folder}: was trained on other data; give the same --data, or train again")
    return TrainingConfig(**stamp["config"]), data


def over_seeds(scores: Sequence[Scores]) -> dict[str, Interval]:
    """Mean macro-F1 over seeds with its 95% t-interval, by subset."""
    result: dict[str, Interval] = {}
    for subset in scores[0].macro_f1:
        values = np.asarray([one.macro_f1[subset].value for one in scores])
        half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values)))
        result[subset] = Interval(float(values.mean()), float(values.mean()) - half, float(values.mean()) + half)
    return result


def write_bundle(
    folder: Path,
    name: str,
    data: Data,
    config: TrainingConfig,
    exported: Exported,
    metrics: Mapping[str, Any],
    rows: str,
    history: Sequence[Mapping[str, Any]],
) -> None:
    """Write a transformer bundle with its card."""

    def write(target: Path) -> None:
        (target / layout_of.MODEL).write_bytes(exported.graph)
        load_tokenizer(config.backbone).backend_tokenizer.save(str(target / layout_of.TOKENIZER))
        write_common(target, name, data, config, exported.calibration)
        save_json(target / layout_of.METRICS, metrics)
        report.save_plots(target, exported.scores, history)
        report.save_card(target, name=name, scores=exported.scores, metrics=metrics, rows=rows)

    save_bundle(folder, write)


def write_common(target: Path, name: str, data: Data, config: TrainingConfig, calibration: Calibration) -> None:
    """Write the files that every bundle has."""
    save_json(
        target / layout_of.CONFIG,
        {
            "format_version": layout_of.FORMAT_VERSION,
            "name": name,
            "package_version": stance.__version__,
            "labels": LABELS,
            "max_length": config.max_length,
            "context": config.context,
            "key_size": config.key_size,
            "corpus_digest": data.digest,
            "training": asdict(config),
        },
    )
    save_json(target / layout_of.ACTORS, data.actors)
    save_json(target / layout_of.PROCESSES, data.processes)
    save_calibration(target / layout_of.CALIBRATION, calibration)


def run(
    data: Data,
    config: TrainingConfig,
    *,
    name: str,
    models: Path,
    runs: Path,
    seeds: int = 1,
    resume: bool = False,
    min_agreement: float = MIN_INT8_AGREEMENT,
    progress: bool = True,
) -> dict[str, Any]:
    """Do all the steps and leave ``models/name``; returns its metrics."""
    log.info("baseline")
    rows = yardstick_rows(data)
    results: list[tuple[Trained, Exported]] = []
    for seed in range(config.seed, config.seed + seeds):
        own = replace(config, seed=seed)
        log.info("fine-tuning, seed %d", seed)
        trained = finetune_step(data, own, runs / name / f"seed-{seed}", resume=resume, progress=progress)
        log.info("export, calibration and evaluation, seed %d", seed)
        results.append((trained, export_step(data, own, trained, min_agreement=min_agreement)))
    trained, exported = results[0]
    table = {"transformer, int8 (this bundle)": exported.scores.macro_f1, "transformer, fp32": exported.fp32.macro_f1}
    if seeds > 1:
        table[f"transformer, int8, {seeds} seeds"] = over_seeds([one.scores for _, one in results])
        table[f"transformer, fp32, {seeds} seeds"] = over_seeds([one.fp32 for _, one in results])
    table |= rows
    metrics = {
        "rows": as_dicts(table),
        "test": asdict(exported.scores),
        "parity": asdict(exported.parity),
        "config": asdict(config),
        "corpus_digest": data.digest,
        "records": {split: len(ones) for split, ones in data.splits.items()},
        "labels": dict(
            Counter(actor.label for ones in data.splits.values() for one in ones for actor in one.record.actors)
        ),
        "seconds": trained.seconds,
        "history": trained.history,
    }
    write_bundle(models / name, name, data, config, exported, metrics, report.format_rows(table), trained.history)
    return metrics
