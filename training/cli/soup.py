"""The command soup: one model of several."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from training.cli.models import RunsOption, SeedOption
from training.cli.shell import CalibrationOption, DataOption, ExtraOption, ProcessOption, console, prepare, told
from training.corpus import CORPUS, GOLD


def soup(
    model: Annotated[
        list[Path],
        typer.Argument(help="Folders of bundles, or of finished fine-tunings (runs/NAME/seed-SEED), of one backbone."),
    ],
    share: Annotated[
        list[float], typer.Option(help="How much a model counts, in their order. [default: all alike]")
    ] = [],
    data: DataOption = [CORPUS],
    extra: ExtraOption = [],
    process: ProcessOption = [],
    calibration: CalibrationOption = [GOLD],
    name: Annotated[str, typer.Option(help="Of the run that is written.")] = "soup",
    runs: RunsOption = Path("runs"),
    seed: SeedOption = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an earlier run of that name.")] = False,
) -> None:
    """Take the mean of the weights of several models, as a finished run that `train export` makes a bundle of.

    Nothing is trained. Measure it before you use it: it may read better than each of them, or worse than all. The data
    are those that it is to be exported with.

    Example: train soup models/default runs/mine/seed-13 --share 0.6 --share 0.4 --name mixed
    """
    prepare()
    from training.data import load_data
    from training.runs import Run
    from training.soup import make_soup

    run = Run.of(runs / name, seed)
    with told():
        if not overwrite:
            run.check_free()
        loaded = load_data(data, extra=extra, calibration=calibration, own_processes=process)
        trained = make_soup(model, share, run, loaded.digest, seed=seed)
    console.print(f"wrote {trained.folder}: {trained.start}", soft_wrap=True, highlight=False)
    console.print(f"next: train export --name {name} --seed {seed}", soft_wrap=True, highlight=False)
