"""Suggestions to files that people label in, and their labels back; by a file's ending."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from stance.errors import CorpusError
from training.corpus import Record, Register
from training.files import refuse_existing, written_whole
from training.labelling.judged import Suggestion
from training.labelling.labelled import save_records, to_records
from training.labelling.labelstudio import CONFIG, read_export, to_tasks
from training.labelling.sheet import MAX_CELL, read_sheet, to_csv

_LABEL_STUDIO, _TABLE = ".json", ".csv"


def save_suggestions(
    out: Path,
    results: Path,
    texts: Path,
    *,
    count: int,
    column: str = "text",
    labelled: Sequence[str] = (),
    overwrite: bool = False,
) -> tuple[list[Suggestion], list[Path]]:
    """Pick documents as :func:`training.labelling.suggest.suggest` does and write them to be labelled.

    Args:
        out: ends in ``.json`` (Label Studio; its labelling interface is written beside it, as ``.xml``) or ``.csv``.

    Returns:
        The suggestions, and the files that were written.

    Raises:
        CorpusError: if a file is not what it should be, or ``out`` is there already.
        ExtraMissing: if pyarrow is not installed, for Parquet.
    """
    from training.labelling.suggest import (
        suggest,  # scikit-learn takes a second to import; reading labels back needs none
    )

    kind = out.suffix.lower()
    if kind not in (_LABEL_STUDIO, _TABLE):
        raise CorpusError([f"{out}: must end in .json (for Label Studio) or .csv (for a spreadsheet)"])
    files = [out, out.with_suffix(".xml")] if kind == _LABEL_STUDIO else [out]
    refuse_existing(files, overwrite)
    longest = MAX_CELL if kind == _TABLE else None
    chosen = suggest(results, texts, count=count, column=column, labelled=labelled, max_length=longest)
    if kind == _LABEL_STUDIO:
        with written_whole(files[1]) as temporary:
            temporary.write_text(CONFIG, encoding="utf-8")
        with written_whole(out) as temporary:
            tasks = json.dumps(to_tasks(chosen), ensure_ascii=False, indent=1)
            temporary.write_text(f"{tasks}\n", encoding="utf-8")
    else:
        with written_whole(out) as temporary:  # without the mark Excel takes it for Latin-1
            temporary.write_text(to_csv(chosen), encoding="utf-8-sig", newline="")
    return chosen, files


def import_labels(
    path: Path, out: Path, *, register: Register, overwrite: bool = False
) -> tuple[list[Record], Mapping[str, int]]:
    """Read labels back, check them, and write them as records of the corpus.

    Args:
        path: a Label Studio project exported as JSON, or the table of suggestions as CSV.
        out: a ``.jsonl`` file.

    Returns:
        The records, and how many texts were left out, by reason.

    Raises:
        CorpusError: with one ``file:row`` for each fault; nothing is written then.
    """
    if out.suffix.lower() != ".jsonl":
        raise CorpusError([f"{out}: must end in .jsonl"])
    refuse_existing([out], overwrite)
    if path.suffix.lower() == _LABEL_STUDIO:
        reading = read_export(path)
    elif path.suffix.lower() == _TABLE:
        reading = read_sheet(path)
    else:
        raise CorpusError([f"{path}: must end in .json (a Label Studio project exported as JSON) or .csv"])
    records = to_records(reading, register=register)
    if not records:
        raise CorpusError([f"{path}: holds no labelled text; {reading.left_out['not labelled']} are not labelled"])
    save_records(out, records)
    return records, reading.left_out
