"""Commands about the data: check, split, agreement, data."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from training.cli.shell import (
    CalibrationOption,
    DataOption,
    ExtraOption,
    GoldDataOption,
    ProcessOption,
    console,
    errors,
    prepare,
    tell_own,
    told,
)
from training.corpus import CORPUS, GOLD, load_corpus

if TYPE_CHECKING:
    from training.overview.tables import Sheet


def check(
    data: DataOption = [CORPUS],
    extra: ExtraOption = [],
    process: ProcessOption = [],
    calibration: CalibrationOption = [GOLD],
) -> None:
    """Check every record and split, labels of your own as `train run` does; each fault is told as file:line.

    Example: train check --extra my-labels.jsonl --process my-process.json
    """
    prepare()
    from training.data import load_data, require_enough

    with told():
        loaded = load_data(data, extra=extra, calibration=calibration, own_processes=process)
        if extra:  # data alone may be a part of a corpus
            require_enough(loaded)
    located = [one for ones in loaded.splits.values() for one in ones]
    table = Table("split", "records", "labels", title=f"{len(located)} records, no faults")
    for split, ones in loaded.splits.items():
        table.add_row(split, str(len(ones)), str(sum(len(one.record.actors) for one in ones)))
    console.print(table)
    labels = Counter(actor.label for one in located for actor in one.record.actors)
    console.print("labels: " + ", ".join(f"{label} {count}" for label, count in labels.most_common()))
    tell_own(loaded)


def split(data: DataOption = [CORPUS]) -> None:
    """Give every passage that has no split yet one, for good; twins and near-duplicates stay together.

    Example: train split --data data/corpus
    """
    prepare()
    from training.splits import assign_splits, write_splits

    with told():
        located = load_corpus(data)
        changed = write_splits(located, assign_splits(located))
    console.print(f"{changed} record(s) were given a split")


def agreement(data: GoldDataOption = [GOLD]) -> None:
    """Tell how far the readers of labels agree, of gold or of your own: raw, and Cohen's kappa by label.

    Example: train agreement --data my-labels.jsonl
    """
    prepare()
    from training.agreement import measure_agreement

    with told():
        measured = measure_agreement(load_corpus(data))
    table = Table("label", "kappa", title=f"{measured.cases} pairs of readings, {100 * measured.raw:.1f}% alike")
    for label, kappa in {"all": measured.kappa, **measured.by_label}.items():
        table.add_row(label, f"{kappa:.3f}")
    console.print(table)


def overview(
    data: DataOption = [CORPUS],
    gold: Annotated[
        list[Path], typer.Option(help="Files of gold records, or folders of them.", show_default="data/gold")
    ] = [GOLD],
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with plots and a browser of the records, too.")
    ] = None,
) -> None:
    """Tell all about the data: counts, lengths, agreement, duplicates, openings, what names give away.

    Example: train data --html data.html
    """
    prepare()
    from training.data import load_names
    from training.overview.figures import measure_overview
    from training.overview.tables import make_tables

    with told():
        corpus, readings = load_corpus(data), load_corpus(gold)
        with errors.status("measuring"):
            measured = measure_overview(corpus, readings, load_names())
        for sheet in make_tables(measured):
            _print_sheet(sheet)
        if html is not None:
            from training.overview.page import save_page

            save_page(html, measured)
            console.print(f"wrote {html} ({html.stat().st_size / 2**20:.1f} MiB)")


def _print_sheet(sheet: Sheet) -> None:
    table = Table()
    for place, column in enumerate(sheet.columns):
        table.add_column(column, justify="right" if place in sheet.numeric else "left", overflow="fold")
    for row in sheet.rows:
        table.add_row(*map(escape, row))
    console.print(f"[bold]{sheet.title}[/]")
    if sheet.rows:
        console.print(table)
    console.print(f"{sheet.note}\n" if sheet.note else "", highlight=False)
