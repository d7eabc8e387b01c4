"""From RESULTS to the files of a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from serving.report.network import build_network, dump_edges, dump_graphml, dump_statements
from serving.report.results import load_results, name_files
from stance.errors import ReportError

#: Most files that the title names.
_MAX_NAMED = 3
GRAPHML, EDGES, STATEMENTS = "network.graphml", "edges.csv", "statements.csv"


@dataclass(frozen=True, slots=True)
class Written:
    """What was written, and of how much; :class:`serving.report.results.Results` tells what the numbers count."""

    files: tuple[Path, ...]
    documents: int
    statements: int
    not_named: int
    copies: int


def write_report(sources: Sequence[Path], out: Path, export: Path | None = None, *, dedupe: bool = False) -> Written:
    """Write the page and, where a folder is named, the network's files.

    Args:
        dedupe: documents of one text and one day count once.

    Raises:
        ReportError: if RESULTS are no rows of a batch, or OUT is no name of a page.
        ExtraMissing: if a library of the extra 'report' is not installed.
    """
    if out.suffix.lower() not in (".html", ".htm"):
        raise ReportError(f"{out}: the report is a page; its name must end in .html")
    from serving.report.page import render_page

    results = load_results(sources, dedupe=dedupe)
    files = {
        GRAPHML: dump_graphml(build_network(results.statements)),
        EDGES: dump_edges(results.statements),
        STATEMENTS: dump_statements(results.statements),
    }
    pages = {out: render_page(results, _title(name_files(sources)), files)}
    if export is not None:
        export.mkdir(parents=True, exist_ok=True)
        pages |= {export / name: text for name, text in files.items()}
    for path, text in pages.items():
        _write(path, text)
    counts = (results.documents, len(results.statements), results.not_named, results.copies)
    return Written(tuple(pages), *counts)


def _title(names: Sequence[str]) -> str:
    more = len(names) - _MAX_NAMED
    return ", ".join(names[:_MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8", newline="")
    temporary.replace(path)
