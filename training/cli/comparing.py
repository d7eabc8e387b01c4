"""Commands that compare: compare, peers, curve, ladder, benchmark newsmtsc."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from training.cli.models import (
    BackboneOption,
    EpochsOption,
    OwnBackboneOption,
    OwnEpochsOption,
    PresetOption,
    RunsOption,
    SeedOption,
)
from training.cli.shell import DataOption, OnOption, ProcessOption, console, load_measured, prepare, told
from training.config import PRESETS, Changes, TrainingConfig, choose, parse_changes
from training.corpus import CORPUS, GOLD

if TYPE_CHECKING:
    from training.compare import Comparison
    from training.data import Data

_DEFAULT = TrainingConfig()
GoldOption = Annotated[
    list[Path], typer.Option("--gold", help="Files of gold records, or folders of them.", show_default="data/gold")
]
SeedsOption = Annotated[int, typer.Option(min=1, help="Train this many seeds and tell their mean and interval.")]
BatchOption = Annotated[int, typer.Option(min=1, help="Records in a step.")]
OwnRateOption = Annotated[float | None, typer.Option("--learning-rate", min=0.0, help="Peak learning rate.")]
OwnBatchOption = Annotated[int | None, typer.Option("--batch-size", min=1, help="Records in a step.")]
JobsOption = Annotated[
    int, typer.Option(min=1, help="Train so many at a time; for a GPU, which one alone leaves idle.")
]

benchmark = typer.Typer(help="Our method on other people's data, beside what they published.", no_args_is_help=True)


def compare(
    first: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder of the bundle to compare with.")],
    second: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Folder of the other bundle.")],
    data: DataOption = [CORPUS],
    on: OnOption = "dev",
    process: ProcessOption = [],
    json_output: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Tell whether the second bundle reads the same records better than the first: paired, and by label.

    Example: train compare models/default models/mine --data data/gold --on dev
    """
    prepare()
    from stance.bundle import load_bundle
    from training.compare import compare_cases
    from training.evaluate import run_cases
    from training.processes import names_of

    with told():
        located = load_measured(data, on)
        bundles = [load_bundle(folder) for folder in (first, second)]
        cases = [run_cases(one, located, names=names_of(one, process)) for one in bundles]
    compared = compare_cases(*cases)
    if json_output:
        console.print_json(data=asdict(compared))
        return
    _print_compared(compared, first, second)


def _print_compared(compared: Comparison, first: Path, second: Path) -> None:
    table = Table("", "macro-F1 (95% interval)", "evidence F1 in points")
    evidence = compared.evidence_f1
    for name, folder, macro, shown in zip(
        ("first", "second"), (first, second), compared.macro_f1, evidence, strict=True
    ):
        table.add_row(f"{name}: {folder}", str(macro), f"{100 * shown:.1f}")
    table.add_section()
    table.add_row("difference", str(compared.difference), f"{100 * (evidence[1] - evidence[0]):.1f}")
    console.print(table)
    table = Table("label", "cases", "F1, first", "F1, second", "wrong to right", "right to wrong")
    for label, one in compared.by_label.items():
        scores = (f"{100 * score.value:.1f}" for score in one.f1)
        table.add_row(label, str(one.cases), *scores, str(one.mended), str(one.spoiled))
    console.print(table)
    console.print(
        f"{compared.changed} of {compared.cases} clear labels changed: {compared.mended} from wrong to right, "
        f"{compared.spoiled} from right to wrong; exact McNemar p = {compared.p_value:.3f}",
        highlight=False,
        soft_wrap=True,
    )


def peers(
    data: DataOption = [CORPUS],
    gold: GoldOption = [GOLD],
    on: Annotated[str, typer.Option(help="What to measure on: gold-dev, or test, the corpus's.")] = "gold-dev",
    max_records: Annotated[
        int, typer.Option(min=0, help="Train all on a random part of so many records; 0: on all.")
    ] = 0,
    name: Annotated[str, typer.Option(help="Of the run: results go to RUNS/NAME/peers.json.")] = "peers",
    runs: RunsOption = Path("runs"),
    preset: PresetOption = "default",
    backbone: OwnBackboneOption = None,
    epochs: OwnEpochsOption = None,
    seed: SeedOption = _DEFAULT.seed,
    window: Annotated[int, typer.Option(min=16, help="Tokens that SetFit and the pair encoder see of a text.")] = 192,
    pair_epochs: Annotated[float, typer.Option(min=0.01, help="Passes of the pair encoder.")] = 4.0,
    setfit_cases: Annotated[int, typer.Option(min=8, help="Actors that tune SetFit's encoder.")] = 1024,
    setfit_steps: Annotated[int, typer.Option(min=1, help="Contrastive steps of SetFit, 16 pairs each.")] = 500,
) -> None:
    """Train other methods and ours on the same records: macro-F1, training time and time for a document.

    Majority, name only, the scikit-learn baseline, SetFit, a pair encoder with the same backbone, and ours.

    Stopped, it goes on where it was: what has a result is not trained again.

    Example: train peers --max-records 1000 --on gold-dev
    """
    prepare()
    from training.data import load_data, load_held_out, require_enough
    from training.peers.comparison import PEERS, PeerSettings, compare_peers

    if on not in ("gold-dev", "test"):
        raise typer.BadParameter(f"{on!r} is none; allowed are gold-dev, test", param_hint="--on")
    with told():
        ours = choose(preset, backbone=backbone, epochs=epochs, max_records=max_records, seed=seed)
        settings = PeerSettings(
            ours, window=window, pair_epochs=pair_epochs, setfit_cases=setfit_cases, setfit_steps=setfit_steps
        )
        loaded = load_data(data)
        require_enough(loaded)
        held_out = loaded.splits["test"] if on == "test" else load_held_out(gold, "dev", option="--gold")
        result = compare_peers(loaded, held_out, settings, runs=runs / name, on=on)
    _print_peers(result)
    console.print(f"wrote {runs / name / PEERS}", soft_wrap=True)


def _print_peers(result: Mapping[str, Any]) -> None:
    from training.metrics import format_subsets

    held_out, training = result["held_out"], result["training"]
    title = f"{result['on']}: {held_out['actors']} actors of {held_out['records']} records"
    table = Table("macro-F1 (95% interval)", "all", "Sochi", "other", "training, s", "a document, ms", title=title)
    for row in result["rows"]:
        table.add_row(
            row["name"],
            *format_subsets(row["macro_f1"]),
            f"{row['training_seconds']:,.1f}",
            f"{row['document_ms']:.1f}",
        )
    console.print(table)
    console.print(f"trained on {training['actors']} actors of {training['records']} records")
    devices = {row["name"]: row["device"] for row in result["rows"]}
    for device in dict.fromkeys(devices.values()):
        names = ", ".join(name for name, own in devices.items() if own == device)
        console.print(f"{device}: {names}", highlight=False)
    for row in result["rows"]:
        if row["note"]:
            console.print(f"{row['name']}: {row['note']}", highlight=False)


def curve(
    data: DataOption = [CORPUS],
    gold: GoldOption = [GOLD],
    percent: Annotated[
        list[int], typer.Option(min=1, max=100, help="A share of the training records; may be given more than once.")
    ] = [12, 25, 50, 100],
    seeds: SeedsOption = 1,
    jobs: JobsOption = 1,
    preset: PresetOption = "default",
    name: Annotated[str, typer.Option(help="Of the run: results go to RUNS/NAME/ladder.json.")] = "curve",
    runs: RunsOption = Path("runs"),
    backbone: OwnBackboneOption = None,
    epochs: OwnEpochsOption = None,
    batch_size: OwnBatchOption = None,
    seed: SeedOption = _DEFAULT.seed,
) -> None:
    """Measure the learning curve: macro-F1 on gold dev and corpus dev by share of the training data.

    Stopped, it goes on where it was: what has a result is not trained again.

    Example: train curve --seeds 3
    """
    prepare()
    from training.data import load_data
    from training.ladder import curve_rows

    with told():
        config = choose(preset, backbone=backbone, epochs=epochs, batch_size=batch_size, seed=seed)
        loaded = load_data(data)
        _climb(loaded, gold, config, rows=curve_rows(loaded, percent), seeds=seeds, jobs=jobs, folder=runs / name)


def ladder(
    changes: Annotated[list[str], typer.Argument(metavar="CHANGES...", help="A row each: NAME=VALUE,... of settings.")],
    data: DataOption = [CORPUS],
    gold: GoldOption = [GOLD],
    preset: PresetOption = "default",
    epochs: OwnEpochsOption = None,
    learning_rate: OwnRateOption = None,
    batch_size: OwnBatchOption = None,
    max_records: Annotated[int, typer.Option(min=0, help="Train on a random part of so many records; 0: all.")] = 0,
    seeds: SeedsOption = 3,
    jobs: JobsOption = 1,
    name: Annotated[str, typer.Option(help="Of the run: results go to RUNS/NAME/ladder.json.")] = "ladder",
    runs: RunsOption = Path("runs"),
    seed: SeedOption = _DEFAULT.seed,
) -> None:
    """Measure what changed settings give: macro-F1 on gold dev and corpus dev, a row for each, the unchanged first.

    Stopped, or with further rows or seeds, it goes on where it was. The settings are told in training/config.py.

    Example: train ladder swap_rate=0 link_weight=0,cue_weight=0 --preset small --max-records 2000 --seeds 3
    """
    prepare()
    from training.data import load_data

    with told():
        config = choose(
            preset,
            epochs=epochs,
            learning_rate=learning_rate,
            batch_size=batch_size,
            max_records=max_records,
            seed=seed,
        )
        rows = {"unchanged": {}, **{one: parse_changes(one) for one in changes}}
        _climb(load_data(data), gold, config, rows=rows, seeds=seeds, jobs=jobs, folder=runs / name)


def _climb(
    data: Data,
    gold: list[Path],
    config: TrainingConfig,
    *,
    rows: Mapping[str, Changes],
    seeds: int,
    jobs: int,
    folder: Path,
) -> None:
    from training.data import load_held_out, require_enough
    from training.ladder import LADDER, measure_ladder, summarise_ladder

    require_enough(data)
    held_out = {"gold dev": load_held_out(gold, "dev", option="--gold"), "corpus dev": data.splits["dev"]}
    result = measure_ladder(data, held_out, config, rows=rows, seeds=seeds, jobs=jobs, folder=folder)
    columns = ("", "records", "actors", "seeds", *held_out, "training, s")
    table = Table(*columns, title="macro-F1 (95% interval)")
    for row, done, scores in summarise_ladder(result):
        seconds = sum(one["training_seconds"] for one in done) / len(done)
        counts = [row, f"{done[0]['records']:,}", f"{done[0]['actors']:,}", str(len(done))]
        table.add_row(*counts, *(str(scores[part]) for part in held_out), f"{seconds:,.0f}")
    console.print(table)
    console.print(f"wrote {folder / LADDER}", soft_wrap=True)


@benchmark.command()
def newsmtsc(
    data: Annotated[Path, typer.Option("--data", help="Folder of NewsMTSC: train and split_*_test, as .jsonl.")],
    seeds: SeedsOption = 3,
    jobs: JobsOption = 1,
    name: Annotated[str, typer.Option(help="Of the run: results go to RUNS/NAME/newsmtsc.json.")] = "newsmtsc",
    runs: RunsOption = Path("runs"),
    backbone: BackboneOption = PRESETS["default"].backbone,
    epochs: EpochsOption = 3.0,
    learning_rate: Annotated[float, typer.Option(min=0.0, help="Peak learning rate.")] = 1e-4,
    batch_size: BatchOption = _DEFAULT.batch_size,
    seed: SeedOption = 1,
) -> None:
    """Train our encoder and head, without evidence, on NewsMTSC, and tell macro-F1 beside the published table.

    Stopped, it goes on where it was: a seed that has a result is not trained again.

    Example: train benchmark newsmtsc --data benchmarks/newsmtsc --seeds 3
    """
    prepare()
    from training.newsmtsc import NEWSMTSC, benchmark_config, run_newsmtsc

    with told():
        config = benchmark_config(
            backbone=backbone, epochs=epochs, learning_rate=learning_rate, batch_size=batch_size, seed=seed
        )
        result = run_newsmtsc(data, config, runs=runs / name, seeds=seeds, jobs=jobs)
    _print_newsmtsc(result, seeds)
    console.print(f"wrote {runs / name / NEWSMTSC}", soft_wrap=True)


def _print_newsmtsc(result: Mapping[str, Any], seeds: int) -> None:
    table = Table("macro-F1 on NewsMTSC", "rw", "mt", "measured on")
    for name, row in result["published"].items():
        table.add_row(name, f"{row['rw']:.1f}", f"{row['mt']:.1f}", "70% of the evaluation files")
    label = f"ours, {result['parameters'] / 1e6:.1f} M parameters, {seeds} seed(s)"
    table.add_row(label, *(_format_seeds(result, part) for part in ("rw", "mt")), "split_*_test, whole")
    console.print(table)
    console.print(result["note"], highlight=False)


def _format_seeds(result: Mapping[str, Any], part: str) -> str:
    from training.metrics import format_interval

    return format_interval(result["macro_f1"][part]) or f"{100 * result['by_seed'][part][0]:.1f}"
