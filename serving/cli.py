"""The program ``stance``: reads texts with the bundle that the service would serve."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.text import Text

from serving.answers import answer, find_key, process_field, split_names
from serving.display import lines_of, marked_text, shown_progress, table_of, visible
from serving.http.keys import make_key
from serving.reading import read_file
from serving.schemas import DEFAULT_PROCESS, ClassifyResponse
from serving.settings import bundle_folder, lone_threads
from serving.texts import FileText
from stance import __version__
from stance.bundle import Bundle, find_version, load_bundle, load_processes
from stance.errors import StanceError
from stance.manifest import verify_bundle
from stance.schema import MAX_ACTORS

if TYPE_CHECKING:
    from serving.batch.run import Summary
    from stance.schema import Process

#: Most characters of an id or a message that are told of a document with an error; OUT has the whole.
_MOST = 200
#: The exit code of a batch that was done, with too many errors.
_TOO_MANY = 3

app = typer.Typer(
    help="Where the actors of a news text stand toward a peace process.\n\n"
    "The bundle is the one that the environment variable STANCE_BUNDLE names, else models/default.",
    no_args_is_help=True,
)
console = Console()
errors = Console(stderr=True)


def _known_processes(incomplete: str) -> list[str]:
    """Keys for the shell to complete; without a bundle there are none."""
    try:
        return [one.key for one in load_processes(bundle_folder()) if one.key.startswith(incomplete)]
    except StanceError:
        return []


ProcessOption = Annotated[
    str,
    typer.Option(
        help="What the stance is toward: a known process by its key or any of its names, or the name of another.",
        autocompletion=_known_processes,
    ),
]
ActorsOption = Annotated[
    list[str],
    typer.Option(
        "--actors", "--actor", help="Judge just these: names, with semicolons between; may be given more than once."
    ),
]


def _asked(values: list[str]) -> tuple[str, ...]:
    names = tuple(split_names(values))
    if len(names) > MAX_ACTORS:
        told = f"{len(names)} names; at most {MAX_ACTORS} are allowed; ask for the others by another command"
        raise typer.BadParameter(told, param_hint="--actors")
    return names


class Place(StrEnum):
    """Where a batch runs."""

    local = "local"
    ray = "ray"


def _tell(message: str) -> None:
    errors.print(f"[bold red]error:[/] {escape(visible(message))}", highlight=False, soft_wrap=True)


@contextmanager
def _told() -> Iterator[None]:
    """Tell what went wrong in plain words and leave with 1; anything but our own errors is a bug."""
    try:
        yield
    except (StanceError, OSError) as error:
        _tell(str(error))
        raise typer.Exit(1) from error


def _process(name: str, known: Iterable[Process]) -> str:
    """The key of a known process, or the name of one of the user's own, which is told: it may be a slip."""
    processes = sorted(known, key=lambda one: one.key)
    key = find_key(processes, name)
    if key is not None:
        return key
    keys = ", ".join(one.key for one in processes)
    told = f"--process {name!r}: is none of the known processes ({keys}); it is taken as one of your own"
    errors.print(escape(visible(told)), highlight=False, soft_wrap=True)
    return name


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stance {__version__}")
        try:
            typer.echo(f"bundle {bundle_folder().name} {find_version(bundle_folder())}")
        except (StanceError, OSError) as error:  # the package has its version without one
            typer.echo(f"no bundle: {error}", err=True)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the versions of package and bundle.", callback=_show_version, is_eager=True
        ),
    ] = False,
) -> None:
    pass


@app.command()
def classify(
    files: Annotated[
        list[str], typer.Argument(metavar="FILE", help="Texts in UTF-8, web pages or PDFs; - reads standard input.")
    ],
    actors: ActorsOption = [],
    process: ProcessOption = DEFAULT_PROCESS,
    json_lines: Annotated[bool, typer.Option("--json", help="A line of JSON a file, as /classify answers.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Print the text too, with the actors' mentions marked.")] = False,
) -> None:
    """Read texts and tell each actor's stance, its probability, and the sentence that shows it best.

    A table in a terminal, with the other labels that are plausible. Elsewhere a line an actor, its cells parted by
    tabs: file, actor, stance, probability, evidence; --json has all. Warnings and errors go to standard error. Web
    pages and PDFs need the extra 'batch'.

    Exit codes: 0 if all files were classified; 1 if one was not, after all others were, or if there is no sound
    bundle; 2 if the command is wrong.

    Example: stance classify seeds/000_bf9ec2e30b3d9496.txt --actors HNC
    """
    asked = _asked(actors)
    with _told():
        bundle = load_bundle(bundle_folder(), threads=lone_threads())
    process = _process(process, bundle.processes.values())
    failed = False
    for name in files:
        try:
            read, response = _classify(bundle, name, asked, process)
        except (StanceError, OSError) as error:
            _tell(f"{name}: {error}")
            failed = True
            continue
        if json_lines:
            typer.echo(response.model_dump_json())
        else:
            _print(read.text if show else None, response)
    if failed:
        raise typer.Exit(1)


def _classify(bundle: Bundle, name: str, actors: tuple[str, ...], process: str) -> tuple[FileText, ClassifyResponse]:
    data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    read = read_file(data, name)
    fields = {"text": read.text, "title": read.title, "date": read.date}
    asked = {"actors": list(actors) or None, "process": process_field(bundle, process)}
    shown = os.fsencode(name).decode("utf-8", "backslashreplace")  # a file's name may be no UTF-8, JSON has to be
    return read, answer(bundle, {**fields, **asked}).model_copy(update={"id": shown})


def _print(text: str | None, response: ClassifyResponse) -> None:
    if text is not None:
        console.print(marked_text(text, response), soft_wrap=True)
    if console.is_terminal:
        console.print(table_of(response))
    else:
        for line in lines_of(response):
            typer.echo(line)
    for one in response.warnings:
        errors.print(f"[yellow]{one.code}:[/] {escape(one.message)}", highlight=False, soft_wrap=True)


@app.command()
def batch(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN",
            help="A .jsonl, .csv or .tsv file (.gz too), a .parquet file, or a folder of texts, pages and PDFs.",
        ),
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A .parquet or .jsonl file, or .csv for spreadsheets.")],
    actors: ActorsOption = [],
    process: ProcessOption = DEFAULT_PROCESS,
    field: Annotated[
        list[str],
        typer.Option(metavar="NAME=COLUMN", help="The column that holds text, id, title, date, actors or process."),
    ] = [],
    keep: Annotated[
        list[str],
        typer.Option(metavar="COLUMNS", help="Columns of IN that go to OUT too, as text, with commas between."),
    ] = [],
    engine: Annotated[Place, typer.Option(help="On this machine, or on a Ray cluster.")] = Place.local,
    address: Annotated[
        str, typer.Option(help="HOST:PORT of the Ray cluster; auto finds the one of this node.")
    ] = "auto",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes, or Ray actors, of one core each; else one a free core.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Begin anew, whatever is there of OUT.")] = False,
    max_errors: Annotated[
        str | None,
        typer.Option(metavar="N or N%", help="Documents with an error, or their share, beyond which it ends with 3."),
    ] = None,
) -> None:
    """Classify a whole archive: a row for each document and actor, with all that /classify gives.

    A document that cannot be classified becomes a row with its error; the first few are told on standard error too. A
    batch that was stopped, however that was, goes on where it was when the same command (without --overwrite) is given
    again; until it is done its parts lie in OUT.parts. docs/batch.md tells what IN may hold and what OUT holds. Needs
    the extra 'batch', and 'ray' for --engine ray.

    Exit codes: 0 if OUT was written, with errors of single documents or without; 1 if the batch could not be begun
    or not gone on with; 2 if the command is wrong; 3 if OUT was written and more documents than --max-errors have an
    error, or, without that option, all of them; 130 if it was stopped by Ctrl-C.

    Example: stance batch articles.jsonl stances.parquet
    """
    from serving.batch.chunks import Defaults
    from serving.batch.run import Job, run_batch

    asked, columns, allowed = _asked(actors), _columns(field), _limit(max_errors)
    with _told():
        verify_bundle(bundle_folder())
        process = _process(process, load_processes(bundle_folder()))
    kept = tuple(dict.fromkeys(name.strip() for some in keep for name in some.split(",") if name.strip()))
    defaults = Defaults(process, asked, columns, kept)
    cluster = address if engine is Place.ray else None
    job = Job(source, out, bundle_folder(), defaults, cluster, workers, overwrite)
    summary: Summary
    try:
        with _told(), shown_progress(errors) as progress:
            summary = run_batch(job, progress)
    except KeyboardInterrupt:
        errors.print("stopped; the same command goes on from here")
        errors.file.flush()
        os._exit(130)  # at once: Python would wait for the workers' last chunks
    _tell_failures(summary)
    earlier = f" ({summary.earlier:,} by an earlier run)" if summary.earlier else ""
    left_out = f"; files of other kinds left out: {summary.left_out:,}" if summary.left_out else ""
    told = f"{out}: {summary.documents:,} documents{earlier}, {summary.failed:,} with an error{left_out}"
    errors.print(told, markup=False, highlight=False, soft_wrap=True)
    if summary.failed > allowed(summary.documents):
        _tell(f"{summary.failed:,} of {summary.documents:,} documents have an error, more than are allowed")
        raise typer.Exit(_TOO_MANY)


def _limit(given: str | None) -> Callable[[int], Fraction | int]:
    """How many of so many documents may have an error: N, or N%; all but one where nothing is given."""
    if given is None:
        return lambda documents: max(0, documents - 1)
    figure = given.removesuffix("%")
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", figure):
        raise typer.BadParameter(
            f"{given!r}: must be a number such as 10, or a share such as 5%", param_hint="--max-errors"
        )
    exact = Fraction(figure)
    return lambda documents: exact * documents / 100 if given.endswith("%") else exact


def _tell_failures(summary: Summary) -> None:
    """The first documents with an error, so that nobody has to search OUT to learn what went wrong."""
    for row in summary.failures:
        words = (row["doc_id"], row["error_code"], row["error_message"])
        errors.print(Text(": ".join(map(_short, words))), soft_wrap=True)
    more = summary.failed - len(summary.failures)
    if more:
        errors.print(f"and {more:,} more with an error: OUT has their error_code", highlight=False, soft_wrap=True)


def _short(words: str) -> str:
    line = " ".join(visible(words).split())
    return line if len(line) <= _MOST else f"{line[:_MOST]}…"


@app.command()
def report(
    results: Annotated[
        list[Path],
        typer.Argument(metavar="RESULTS", help="The .parquet or .jsonl files that stance batch wrote, put together."),
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The page to write, one .html file.")] = Path("report.html"),
    export: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write network.graphml, edges.csv and statements.csv to this folder too."),
    ] = None,
    dedupe: Annotated[
        bool, typer.Option("--dedupe", help="Count documents of the same text and the same day once.")
    ] = False,
) -> None:
    """Make a report of a batch: one page that can be passed on, for it asks no other host for anything.

    It shows the labels' shares, the actors' stances by date, each actor's line with its moments of change and their
    sentences, the camps, and a table to search and sort; it offers the network of actors and processes for the
    Discourse Network Analyzer's users. What it does not draw, it tells. docs/report.md has the rest. Needs the extra
    'report', and 'batch' for Parquet.

    Exit codes: 0 if the report was written; 1 if RESULTS cannot be reported on; 2 if the command is wrong.

    Example: stance report stances.parquet -o report.html
    """
    from serving.report.build import write_report

    with _told():
        written = write_report(results, out, export, dedupe=dedupe)
    not_named = f"; asked for, not named: {written.not_named:,}" if written.not_named else ""
    copies = f"; copies left out: {written.copies:,}" if written.copies else ""
    counts = f"{written.documents:,} documents, {written.statements:,} rows{not_named}{copies}"
    errors.print(escape(f"{', '.join(map(str, written.files))}: {counts}"), highlight=False, soft_wrap=True)


def _columns(pairs: list[str]) -> dict[str, str]:
    columns = {}
    for pair in pairs:
        name, equals, column = pair.partition("=")
        if not (name and equals and column):
            raise typer.BadParameter(f"{pair!r}: must be NAME=COLUMN, such as text=body", param_hint="--field")
        columns[name] = column
    return columns


@app.command()
def key(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Whose key it is; the logs have this name, never the key.")
    ],
) -> None:
    """Make an API key: the key itself on standard error, its line for the key file on standard output.

    The key is shown this once. The service reads the file that STANCE_API_KEYS_FILE names, again whenever it changes.

    Exit codes: 0 if a key was made; 1 if the name has other characters than letters, digits, '.', '_' and '-', or over
    64 of them; 2 if the command is wrong.

    Example: stance key newsroom >> keys.txt
    """
    with _told():
        made, hashed = make_key(name)
    typer.echo(f"key of {name}, shown this once: {made}", err=True)
    typer.echo(hashed.line)
