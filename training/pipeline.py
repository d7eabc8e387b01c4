"""From the corpus to a bundle: the steps of ``train run``, each of which leaves its result in the run's folder.

A run that was stopped goes on where it was with ``Earlier.RESUME``; a bundle appears whole or not at all.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline

import stance
from stance.baseline import BaselineEngine
from stance.bundle import Bundle, load_bundle
from stance.calibration import Calibration
from stance.classify import Engine
from stance.errors import BundleError, StanceError
from stance.head import HeadLayout
from training.backbone import load_tokenizer, load_trained, make_encoder, require_backbone, require_vocabulary
from training.baseline import fit_baseline, predict_yardsticks
from training.batches import RecordEncoder
from training.bundling import Scored, write_baseline_bundle, write_transformer_bundle
from training.calibrate import fit_calibration, held_out_logits
from training.callbacks import CheckpointClock
from training.config import TrainingConfig
from training.corpus import Located
from training.data import Data, load_data, require_enough
from training.distil import check_teacher
from training.evaluate import Scores, run_cases, score
from training.export import MIN_INT8_AGREEMENT, Exported, export_model
from training.finetune import finetune, sample_records
from training.metrics import Ids, Interval, interval_over_seeds, macro_by_subset
from training.runs import Earlier, Run, Trained
from training.start import make_start, tell_start

log = logging.getLogger("train")


def finetune_step(
    data: Data,
    config: TrainingConfig,
    run: Run,
    *,
    earlier: Earlier = Earlier.REFUSE,
    progress: bool = True,
) -> Trained:
    """Fine-tune, or take up what an earlier run with the same settings and data left.

    Args:
        run: of this seed.
        earlier: what becomes of what lies in its folder, if anything does.

    Raises:
        StanceError: if an earlier run lies there that is neither to be taken up nor overwritten, or cannot be; before
            one is deleted, if the teacher may not teach, or backbone or start cannot be trained so.
    """
    teacher, start = _check_run(data, config, run, earlier)
    resumed = earlier is Earlier.RESUME
    if resumed and run.finished:
        log.info("fine-tuning was done already: %s", run)
        return run.trained()
    if not (resumed and run.stamp()):
        _require_trainable(config)  # before an earlier run is deleted
        run.begin(config, data.digest, teacher, start)
    started = time.monotonic() - CheckpointClock.seconds(CheckpointClock.last_whole(run.checkpoints))
    trainer = finetune(
        data.splits["train"],
        data.splits["dev"],
        data.lexicon,
        data.known,
        config,
        run.checkpoints,
        progress=progress,
        own=data.own_files,
    )
    trainer.save_model(str(run.model))
    trained = Trained(run.model, time.monotonic() - started, trainer.state.log_history, teacher, start)
    run.finish(trained)
    return trained


def _require_trainable(config: TrainingConfig) -> None:
    """Refuse a backbone or a start that cannot be trained so, before anything is computed."""
    require_backbone(config)
    if config.start:
        make_start(config)


def _check_run(
    data: Data, config: TrainingConfig, run: Run, earlier: Earlier
) -> tuple[dict[str, Any] | None, str | None]:
    """The teacher that a run may learn from and the bundle that it may start from, if there is one and anything left to
    learn."""
    resumed = earlier is Earlier.RESUME
    if resumed:
        run.check_same(config, data.digest)
    elif earlier is Earlier.REFUSE:
        run.check_free()
    if resumed and run.finished:  # one that is done needs neither any more
        return None, None
    teacher = check_teacher(Run(Path(config.teacher)), data.digest, own=run) if config.teacher else None
    start = tell_start(Path(config.start)) if config.start else None
    if resumed and teacher is not None:
        run.check_taught_by(teacher)
    if resumed and start is not None:
        run.check_started_from(start)
    return teacher, start


def export_step(data: Data, config: TrainingConfig, trained: Trained, *, min_agreement: float) -> Scored:
    """Export, check parity, calibrate and score on test."""
    exported = export_trained(data, config, trained, data.splits["dev"], min_agreement=min_agreement)
    fp32, fp32_labels = calibrated(data, exported.fp32, "fp32")
    int8, int8_labels = calibrated(data, exported.int8, "int8")
    return Scored(
        graph=exported.graph,
        parity=exported.parity,
        calibration=int8.calibration,
        int8=score(int8, data.splits["test"], names=data.names),
        fp32=score(fp32, data.splits["test"], names=data.names),
        agreement=float((int8_labels == fp32_labels).mean()),
    )


def export_trained(
    data: Data, config: TrainingConfig, trained: Trained, located: Sequence[Located], *, min_agreement: float
) -> Exported:
    """A trained model in the forms that can be served, and how they agree.

    Args:
        located, min_agreement: as :func:`training.export.export_model` has them.

    Raises:
        StanceError: if the backbone's vocabulary is not that of the training any more.
        ParityError: if they do not agree well enough.
    """
    encoder = make_encoder(load_tokenizer(config.backbone), config)
    encode = RecordEncoder(encoder, data.lexicon, data.known, config)
    model = load_trained(trained.folder)
    require_vocabulary(model, config.backbone)
    return export_model(model, encoder, HeadLayout(config.key_size), encode, located, min_agreement=min_agreement)


def bundle_engine(data: Data, engine: Engine, name: str) -> Bundle:
    """A bundle in memory around an engine, whose probabilities are the engine's own."""
    return Bundle(name, "", engine, data.lexicon, {one.key: one for one in data.known}, Calibration())


def calibrated(data: Data, engine: Engine, name: str) -> tuple[Bundle, Ids]:
    """A bundle in memory around an engine, its probabilities calibrated, and the labels that it gives those cases."""
    bundle = bundle_engine(data, engine, name)
    logits, y_true = held_out_logits(run_cases(bundle, data.calibration, names=data.names))
    return replace(bundle, calibration=fit_calibration(logits, y_true)), logits.argmax(axis=1)


@dataclass(frozen=True, slots=True)
class Baseline:
    """The fitted baseline, and the rows of the results table for it and for the yardsticks that read no text."""

    pipeline: Pipeline
    calibration: Calibration
    rows: dict[str, dict[str, Interval]]


def baseline_step(data: Data) -> Baseline:
    """Fit, calibrate and score the scikit-learn baseline, the majority label and the name alone."""
    test = data.splits["test"]
    pipeline = fit_baseline(data.splits["train"], data.lexicon)
    bundle, _ = calibrated(data, BaselineEngine(pipeline), "baseline")
    rows = {"scikit-learn baseline": dict(score(bundle, test, names=data.names).macro_f1)}
    for name, y_pred in predict_yardsticks(data.splits["train"], test).items():
        rows[name] = macro_by_subset(test, y_pred, data.names)
    return Baseline(pipeline, bundle.calibration, rows)


def bundle_baseline(data: Data, folder: Path) -> dict[str, dict[str, Any]]:
    """Make the baseline's own bundle; returns the rows of the results table."""
    baseline = baseline_step(data)
    rows = as_dicts(baseline.rows)
    metrics = {"rows": rows, "corpus_digest": data.digest}
    write_baseline_bundle(folder, data, pipeline=baseline.pipeline, calibration=baseline.calibration, metrics=metrics)
    return rows


def as_dicts(rows: Mapping[str, Mapping[str, Interval]]) -> dict[str, dict[str, Any]]:
    """Rows of the results table as plain values."""
    return {name: {subset: asdict(one) for subset, one in row.items()} for name, row in rows.items()}


def load_run(
    run: Run,
    paths: Sequence[Path],
    *,
    extra: Sequence[Path] = (),
    calibration: Sequence[Path] = (),
    own_processes: Sequence[Path] = (),
) -> tuple[TrainingConfig, Data]:
    """The settings of a finished fine-tuning, and the data it was made with, as :func:`load_data` takes it.

    Raises:
        StanceError: if there is none, or another version or other data made it.
        CorpusError: if there is too little to calibrate or measure on.
    """
    stamp = run.stamp()
    if stamp is None or not run.finished:
        raise StanceError(
            f"{run}: no finished fine-tuning; run `train finetune` first, with the same --name and --seed"
        )
    version = stamp.get("package_version")
    if version != stance.__version__:
        raise StanceError(
            f"{run}: was fine-tuned by version {version} of this package, this is {stance.__version__}; export it "
            "with that one, or fine-tune it again with `train finetune --overwrite`, the same --name and --seed"
        )
    data = load_data(paths, extra=extra, calibration=calibration, own_processes=own_processes)
    if stamp.get("corpus_digest") != data.digest:
        raise StanceError(
            f"{run}: was trained on other data; give the same --data, --extra and --process, or train again"
        )
    require_enough(data)  # the files for calibration may be others than those of the training
    return run.config(), data


def over_seeds(scores: Sequence[Scores]) -> dict[str, Interval]:
    """Mean macro-F1 over seeds with its 95% t-interval, by subset."""
    return {
        subset: interval_over_seeds([one.macro_f1[subset].value for one in scores]) for subset in scores[0].macro_f1
    }


def run(
    data: Data,
    config: TrainingConfig,
    *,
    folder: Path,
    runs: Path,
    seeds: int = 1,
    earlier: Earlier = Earlier.REFUSE,
    min_agreement: float = MIN_INT8_AGREEMENT,
    progress: bool = True,
) -> dict[str, Any]:
    """Do all the steps and leave a bundle in ``folder``; returns its metrics.

    What goes on from a bundle is compared with that one, in place of the baseline.

    Args:
        runs: each seed's fine-tuning goes to ``NAME/seed-SEED`` below it, by the bundle's name.
        earlier: as :func:`finetune_step` has it, for each seed; ``REFUSE`` keeps a bundle in ``folder`` too.

    Raises:
        StanceError: before anything is done, if one of these folders holds a run or a bundle that may not be touched,
            the teacher may not teach, or backbone or start cannot be trained so.
    """
    if earlier is Earlier.REFUSE:
        check_no_bundle(folder)
    configs = [replace(config, seed=seed) for seed in range(config.seed, config.seed + seeds)]
    places = [Run.of(runs / folder.name, own.seed) for own in configs]
    for place, own in zip(places, configs, strict=True):
        _check_run(data, own, place, earlier)
    _require_trainable(config)  # before the baseline is fitted
    yardsticks: Mapping[str, Mapping[str, Interval]] = {}
    if not config.start:
        log.info("baseline")
        yardsticks = baseline_step(data).rows
    results: list[tuple[Trained, Scored]] = []
    for place, own in zip(places, configs, strict=True):
        log.info("fine-tuning, seed %d", own.seed)
        trained = finetune_step(data, own, place, earlier=earlier, progress=progress)
        log.info("export, calibration and evaluation, seed %d", own.seed)
        results.append((trained, export_step(data, own, trained, min_agreement=min_agreement)))
    if config.start:
        yardsticks = _score_start(data, Path(config.start), results[0][0].start)
    metrics = _metrics(data, config, results, yardsticks)
    write_transformer_bundle(folder, data, config, results[0][1], metrics)
    return metrics


def _score_start(data: Data, folder: Path, start: str | None) -> dict[str, dict[str, Interval]]:
    """The row of the results table for the bundle that training started from; none if it lies there no more.

    Args:
        start: what :func:`training.start.tell_start` told of it.
    """
    try:
        there = tell_start(folder)
    except BundleError:
        there = None
    if there != start:
        log.warning("%s is not the bundle any more that training started from: it is not compared", folder)
        return {}
    log.info("evaluation of the bundle that training started from")
    scores = score(load_bundle(folder), data.splits["test"], names=data.names)
    return {"the bundle that it started from": dict(scores.macro_f1)}


def check_no_bundle(folder: Path) -> None:
    """Check that a bundle can be written without replacing one.

    Raises:
        StanceError: if one is there.
    """
    if folder.exists():
        raise StanceError(f"{folder}: holds a bundle; give another --name, or replace it with --overwrite")


def _metrics(
    data: Data,
    config: TrainingConfig,
    results: Sequence[tuple[Trained, Scored]],
    yardsticks: Mapping[str, Mapping[str, Interval]],
) -> dict[str, Any]:
    trained, scored = results[0]
    table: dict[str, Mapping[str, Interval]] = {
        "transformer, int8 (this bundle)": scored.int8.macro_f1,
        "transformer, fp32": scored.fp32.macro_f1,
    }
    if len(results) > 1:
        table[f"transformer, int8, {len(results)} seeds"] = over_seeds([one.int8 for _, one in results])
        table[f"transformer, fp32, {len(results)} seeds"] = over_seeds([one.fp32 for _, one in results])
    records = {split: len(ones) for split, ones in data.splits.items()}
    return {
        "rows": as_dicts({**table, **yardsticks}),
        "test": asdict(scored.int8),
        "parity": {**asdict(scored.parity), "calibration_agreement": scored.agreement},
        "teacher": trained.teacher,
        "start": trained.start,
        "config": asdict(config),
        "corpus_digest": data.digest,
        "calibration_records": len(data.calibration),
        "records": {**records, "train": len(sample_records(data.splits["train"], config, data.own_files))},
        "seconds": trained.seconds,
        "history": trained.history,
    }
