"""Commands about labels of one's own: suggest, import."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, get_args

import typer

from training.cli.shell import console, prepare, told
from training.corpus import Register, load_corpus

OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Write over what is there.")]


def suggest(
    results: Annotated[Path, typer.Argument(help="What `stance batch` wrote: .parquet or .jsonl.")],
    texts: Annotated[Path, typer.Option(help="What `stance batch` read: JSONL, CSV, Parquet or a folder of .txt.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Ends in .json, for Label Studio, or .csv, for a spreadsheet.")
    ],
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="Most documents to pick.")] = 50,
    column: Annotated[
        str, typer.Option("--text-column", help="Column or key of --texts that holds the text.")
    ] = "text",
    labelled: Annotated[
        list[Path], typer.Option(help="Records with labels already: no near-duplicate of one is picked.")
    ] = [],
    overwrite: OverwriteOption = False,
) -> None:
    """Pick the documents of a batch that are most worth labelling, uncertain and varied, and write them for people.

    Example: train suggest stances.parquet --texts articles.jsonl -n 50 -o tasks.json
    """
    prepare()
    from training.labelling.exchange import save_suggestions

    with told():
        known = [one.record.text for one in load_corpus(labelled)] if labelled else []
        chosen, files = save_suggestions(
            output, results, texts, count=count, column=column, labelled=known, overwrite=overwrite
        )
    undecided = sum(one.judged.undecided for one in chosen)
    console.print(f"{len(chosen)} document(s), {undecided} of them with several plausible stances for an actor")
    if len(chosen) < count:
        console.print("no more: the rest have no actor, are too long, or are much like these or like labelled ones")
    console.print(f"wrote {', '.join(map(str, files))}", soft_wrap=True)


def import_(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A Label Studio project exported as JSON, or the CSV.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Ends in .jsonl.")],
    register: Annotated[str, typer.Option(help=f"What the texts are: {', '.join(get_args(Register))}.")] = "wire",
    overwrite: OverwriteOption = False,
) -> None:
    """Read back what people labelled, check it, and write records for `train run --extra`; faults as file:row.

    Example: train import export.json -o my-labels.jsonl
    """
    prepare()
    from training.labelling.exchange import import_labels

    allowed = get_args(Register)
    if register not in allowed:
        raise typer.BadParameter(f"{register!r} is none; allowed are {', '.join(allowed)}", param_hint="--register")
    with told():
        records, left_out = import_labels(path, output, register=register, overwrite=overwrite)  # type: ignore[arg-type]
    labels = sum(len(one.actors) for one in records)
    console.print(f"{len(records)} record(s) with {labels} label(s)")
    for reason, count in left_out.items():
        console.print(f"left out: {count} {reason}")
    console.print(f"wrote {output}", soft_wrap=True)
