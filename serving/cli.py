"""The program ``stance``: reads texts in a terminal with the bundle that the service would serve."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from serving.keys import make_key
from serving.schemas import DEFAULT_PROCESS, to_response
from serving.settings import bundle_folder, session_threads
from stance import __version__
from stance.bundle import Bundle, load_bundle
from stance.classify import classify_document
from stance.errors import StanceError
from stance.schema import Actor, Classification, Document, Process

app = typer.Typer(help="Where the actors of a news text stand toward a peace process.", no_args_is_help=True)
console = Console()
errors = Console(stderr=True)

_COLOURS = {"support": "green", "boycott": "red", "conditional": "yellow", "none": "dim"}


@app.callback(invoke_without_command=True)
def _main(version: Annotated[bool, typer.Option("--version", help="Show the version.")] = False) -> None:
    if version:
        console.print(f"stance {__version__}")
        raise typer.Exit


@app.command()
def classify(
    files: Annotated[list[str], typer.Argument(help="Text files in UTF-8; - reads standard input.")],
    actors: Annotated[list[str], typer.Option("--actor", help="Judge just this actor; may be repeated.")] = [],
    process: Annotated[str, typer.Option(help="The key of a known process, or the name of another.")] = DEFAULT_PROCESS,
    json_lines: Annotated[bool, typer.Option("--json", help="One line of JSON a file, as /classify answers.")] = False,
) -> None:
    """Read texts and tell each actor's stance, with the sentence that shows it.

    Leaves with 1 if a file could not be read or classified, after all others were.

    Example: stance classify seeds/000_bf9ec2e30b3d9496.txt --actor HNC
    """
    failed = False
    try:
        bundle = load_bundle(bundle_folder(), threads=session_threads())
    except (StanceError, ValueError) as error:
        errors.print(f"[bold red]error:[/] {error}", soft_wrap=True)
        raise typer.Exit(1) from error
    for name in files:
        try:
            result = classify_document(bundle, _document(bundle, name, actors, process))
        except (StanceError, OSError, UnicodeDecodeError) as error:
            errors.print(f"[bold red]error:[/] {name}: {error}", soft_wrap=True)
            failed = True
            continue
        if json_lines:
            typer.echo(to_response(bundle, result).model_dump_json())
        else:
            _print(name, result)
    if failed:
        raise typer.Exit(1)


@app.command()
def key(name: Annotated[str, typer.Argument(help="Whose key it is; the logs have this name, never the key.")]) -> None:
    """Make an API key: the key itself on standard error, its line for the key file on standard output.

    The key is shown this once. The service reads the file that STANCE_API_KEYS_FILE names, again whenever it changes.

    Example: stance key newsroom >> keys.txt
    """
    try:
        made, hashed = make_key(name)
    except ValueError as error:
        errors.print(f"[bold red]error:[/] {error}", soft_wrap=True)
        raise typer.Exit(1) from error
    typer.echo(f"key of {name}, shown this once: {made}", err=True)
    typer.echo(hashed.line)


def _document(bundle: Bundle, name: str, actors: list[str], process: str) -> Document:
    text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    toward = bundle.processes.get(process) or Process("", process)
    return Document(text, toward, tuple(map(Actor, actors)) or None, id=name)


def _print(name: str, result: Classification) -> None:
    text = result.document.text
    table = Table("actor", "stance", "probability", "evidence", title=f"{name}: {result.document.process.name}")
    for one in result.actors:
        best = max(one.evidence, key=lambda evidence: evidence.score, default=None)
        sentence = text[best.span.start : best.span.end] if best else ""
        colour = _COLOURS[one.stance]
        table.add_row(one.actor.name, f"[{colour}]{one.stance}[/]", f"{one.probabilities[one.stance]:.2f}", sentence)
    console.print(table)
    for notice in result.notices:
        errors.print(f"[yellow]{notice.code}:[/] {notice.message}", soft_wrap=True)
