"""The actors that a bundle reads otherwise than they are labelled, for people to read through."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from stance.errors import CorpusError
from training.evaluate import Case
from training.files import refuse_existing, written_whole


def check_misread(path: Path, *, overwrite: bool) -> None:
    """Check that a file of misread actors can be written.

    Raises:
        CorpusError: if its name does not end in ``.jsonl``, or it is there and not to be overwritten.
    """
    if path.suffix.lower() != ".jsonl":
        raise CorpusError([f"{path}: must end in .jsonl; it gets a line for each misread actor"])
    refuse_existing([path], overwrite)


def find_misread(cases: Iterable[Case]) -> list[Case]:
    """The cases with another label than theirs, in order; of ambiguous ones, those with neither of their two."""
    return [one for one in cases if one.predicted.stance not in (one.gold.label, one.gold.label2)]


def save_misread(path: Path, cases: Sequence[Case]) -> None:
    """Write cases as lines of JSON, all or none; ``model_`` is before what the bundle gave."""
    lines = [json.dumps(_row(one), ensure_ascii=False) for one in cases]
    with written_whole(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _row(case: Case) -> dict[str, Any]:
    record, gold, predicted = case.record, case.gold, case.predicted
    return {
        "id": record.id,
        "process": record.process,
        "register": record.text_register,
        "tags": record.tags,
        "actor": gold.actor,
        "mentions": gold.mentions,
        "label": gold.label,
        "label2": gold.label2,
        "ambiguous": gold.ambiguous,
        "model_label": predicted.stance,
        "model_probabilities": {label: round(share, 4) for label, share in predicted.probabilities.items()},
        "evidence": gold.evidence,
        "model_evidence": [record.text[one.span.start : one.span.end] for one in predicted.evidence],
        "text": record.text,
    }
