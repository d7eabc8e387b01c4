"""From RESULTS to the files of a report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from serving.report.network import build_network, dump_edges, dump_graphml, dump_statements
from serving.report.results import load_results
from stance.errors import ReportError

GRAPHML, EDGES, STATEMENTS = "network.graphml", "edges.csv", "statements.csv"


@dataclass(frozen=True, slots=True)
class Written:
    """What was written, and of how much."""

    files: tuple[Path, ...]
    documents: int
    statements: int


def write_report(source: Path, out: Path, export: Path | None = None) -> Written:
    """Write the page and, where a folder is named, the network's files.

    Raises:
        ReportError: if RESULTS are no rows of a batch, or OUT is no name of a page.
        ExtraMissing: if a library of the extra 'report' is not installed.
    """
    if out.suffix.lower() not in (".html", ".htm"):
        raise ReportError(f"{out}: the report is a page; its name must end in .html")
    from serving.report.page import render_page

    results = load_results(source)
    files = {
        GRAPHML: dump_graphml(build_network(results.statements)),
        EDGES: dump_edges(results.statements),
        STATEMENTS: dump_statements(results.statements),
    }
    pages = {out: render_page(results, source.name, files)}
    if export is not None:
        export.mkdir(parents=True, exist_ok=True)
        pages |= {export / name: text for name, text in files.items()}
    for path, text in pages.items():
        _write(path, text)
    return Written(tuple(pages), results.documents, len(results.statements))


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(text, encoding="utf-8", newline="")
    temporary.replace(path)
