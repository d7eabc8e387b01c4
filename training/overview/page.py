"""The overview as one HTML file, which asks no other host for anything."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from stance.schema import LABELS
from training.corpus import Record, Register, Tag
from training.files import written_whole
from training.overview.figures import OTHERS, Overview, is_whole
from training.overview.plots import draw_plots
from training.overview.tables import make_tables

_ASSETS = Path(__file__).parent / "assets"
#: Optional fields of an actor that the page shows.
_OPTIONAL = ("ambiguous", "label2", "readings")


def save_page(path: Path, measured: Overview) -> None:
    """Write the page; its folder is made if need be, and what was there is replaced whole."""
    with written_whole(path) as temporary:
        temporary.write_text(render_page(measured), encoding="utf-8")


def render_page(measured: Overview) -> str:
    """The page: plots, tables, and the records packed, of which the page's script makes rows on demand."""
    parts = [part for part in measured.parts if not is_whole(part)]
    environment = Environment(
        loader=FileSystemLoader(_ASSETS),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("overview.html").render(
        plots=draw_plots(measured),
        tables=make_tables(measured),
        totals=measured.totals,
        choices={
            "split": parts,
            "process": [*(one.key for one in measured.names.known), OTHERS],
            "register": get_args(Register),
            "label": LABELS,
            "tag": get_args(Tag),
        },
        packed=pack(list_records(measured)),
        style=(_ASSETS / "overview.css").read_text(encoding="utf-8"),
        script=(_ASSETS / "overview.js").read_text(encoding="utf-8"),
    )


def list_records(measured: Overview) -> list[dict[str, Any]]:
    """Every record as the page's script takes it, in the order of the files."""
    return [
        _row(one, part, measured.names.resolve(one.process).key or OTHERS)
        for part, ones in measured.parts.items()
        if not is_whole(part)
        for one in ones
    ]


def _row(record: Record, part: str, kind: str) -> dict[str, Any]:
    return {
        "id": record.id,
        "split": part,
        "kind": kind,
        "process": record.process,
        "register": record.text_register,
        "tags": record.tags,
        "text": record.text,
        "actors": [_actor(one.model_dump()) for one in record.actors],
        "source": record.source and record.source.model_dump(),
    }


def _actor(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in _OPTIONAL or value}


def pack(records: Sequence[Mapping[str, Any]]) -> str:
    """Gzipped JSON in base64: a third of the size, and nothing in it that HTML could take for its own."""
    raw = json.dumps(records, ensure_ascii=False, separators=(",", ":")).encode()
    return base64.b64encode(gzip.compress(raw, 6, mtime=0)).decode()
