"""What the commands share: consoles, options, and how errors are told."""

from __future__ import annotations

import logging
import os
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.logging import RichHandler

from stance.errors import CorpusError, StanceError
from stance.schema import LABELS
from training.corpus import SPLITS, Located

if TYPE_CHECKING:
    from training.data import Data

console = Console()
errors = Console(stderr=True)

_DATA = "A .jsonl file or a folder of them; may be given more than once."
# Defaults are shown as they are in the repository: its own place differs from machine to machine.
DataOption = Annotated[list[Path], typer.Option("--data", help=_DATA, show_default="data/corpus")]
GoldDataOption = Annotated[list[Path], typer.Option("--data", help=_DATA, show_default="data/gold")]
ExtraOption = Annotated[
    list[Path],
    typer.Option(help="Labels of your own, added to the data; those without a split are given one for this run."),
]
ProcessOption = Annotated[
    list[Path],
    typer.Option(
        metavar="FILE", help="Processes of your own, as in data/processes.json; one of a known key takes its place."
    ),
]
CalibrationOption = Annotated[
    list[Path],
    typer.Option(
        "--calibration",
        help="Files whose dev split the probabilities are fitted on: reports like yours.",
        show_default="data/gold",
    ),
]
OnOption = Annotated[str, typer.Option(help=f"The split: {', '.join(SPLITS)}; or all, for every record of the files.")]


@contextmanager
def told() -> Iterator[None]:
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


#: Warnings, by logger, of what is so on purpose: the head is new, nothing reads images, :mod:`training.quantize`
#: prepares the graph by itself.
_AS_MEANT = {
    "transformers.modeling_utils": "LOAD REPORT",
    "torch.onnx._internal.exporter._registration": "torchvision is not installed",
    "root": "run pre-processing before quantization",
}


def prepare() -> None:
    """Quiet the libraries before they are loaded, and let our own log speak."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    logging.basicConfig(
        level=logging.WARNING, format="%(message)s", handlers=[RichHandler(console=errors, show_path=False)]
    )
    logging.getLogger("train").setLevel(logging.INFO)
    for name in ("onnxscript", "onnx_ir", "torch.onnx"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for name, words in _AS_MEANT.items():
        logging.getLogger(name).addFilter(lambda record, words=words: words not in record.getMessage())
    warnings.filterwarnings("ignore", category=UserWarning, module="torch.*")


def load_measured(data: list[Path], on: str) -> list[Located]:
    """The records that ``--on`` names; of all, it is told how many a bundle may have learnt from."""
    from training.data import load_held_out

    if on not in (allowed := (*SPLITS, "all")):
        raise typer.BadParameter(f"{on!r} is none; allowed are {', '.join(allowed)}", param_hint="--on")
    located = load_held_out(data, next((one for one in SPLITS if one == on), None))
    learnt = sum(one.record.split in ("train", None) for one in located)
    if learnt:
        errors.print(
            f"{learnt} of {len(located)} records are of split 'train' or of none: "
            "if the bundle learnt from them, the figures flatter it",
            highlight=False,
            soft_wrap=True,
        )
    return located


def tell_own(data: Data) -> None:
    """Tell where the user's own labels went, and which of them are on a process that is not known."""
    from training.processes import free_names

    if not data.own:
        return
    splits = Counter(str(one.record.split) for one in data.own)
    labels = Counter(actor.label for one in data.own for actor in one.record.actors)
    console.print(f"yours: {_told_counts(SPLITS, splits)} record(s); {_told_counts(LABELS, labels)} label(s)")
    for name, count in free_names(data.own, data.processes).items():
        console.print(f"{count} of your records on {name!r}, which is no name of a known process", markup=False)


def _told_counts(names: Iterable[str], counts: Counter[str]) -> str:
    return ", ".join(f"{name} {counts[name]}" for name in names)
