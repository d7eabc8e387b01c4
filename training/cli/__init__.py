"""The program ``train``: a shell around the plain functions of :mod:`training`."""

from __future__ import annotations

from typing import Annotated

import typer

from stance import __version__
from training.cli.comparing import benchmark, compare, curve, ladder, peers
from training.cli.corpus import agreement, check, overview, split
from training.cli.labelling import import_, suggest
from training.cli.models import baseline, behaviour, evaluate, export, finetune, run
from training.cli.shell import console
from training.cli.soup import soup

__all__ = ["app"]

app = typer.Typer(
    help="Make stance models: check the data, train, evaluate, export.", no_args_is_help=True, add_completion=True
)


@app.callback(invoke_without_command=True)
def _main(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if version:
        console.print(f"train {__version__}")
        raise typer.Exit


for _command in (check, split, agreement):
    app.command()(_command)
app.command("data")(overview)
for _command in (baseline, finetune, soup, export, evaluate, compare, behaviour, run, peers, curve, ladder, suggest):
    app.command()(_command)
app.command("import")(import_)
app.add_typer(benchmark, name="benchmark")
