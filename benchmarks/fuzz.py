"""Many requests made from the service's own OpenAPI document, and the time of long texts of every odd kind.

    python benchmarks/fuzz.py [--cases 10000] [--bundle models/default] [--seed 13]

Requests are made by schemathesis, sound and unsound ones, against a server of its own; it stops at nothing and tells
each case that broke the document. Each text has 50,000 characters; its time is told beside the median of all.
Leaves with 1 if a case broke the document, or if a text took more than 3 times the median.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path
from typing import Annotated

import typer
from bounds import CONSOLE
from rich.table import Table
from server import DEFAULT_BUNDLE, SEED_ARTICLE, serve

from stance.bundle import Bundle, load_bundle
from stance.classify import classify_document
from stance.schema import MAX_ACTORS, MAX_TEXT_LENGTH, Actor, Document

#: Operations that take a body; the others have few requests that differ.
OPERATIONS = 2
MOST = 3.0
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,unsupported_method"
)
#: What each odd text is made of, over and over.
ODD = {
    "an article": SEED_ARTICLE.read_text(encoding="utf-8"),
    "no space": "a",
    "names": "Turkey ",
    "bidi marks": "\u202eTurkey\u202c ",
    "surrogates": "\ud800",
    "zero width": "\u200bTurkey\u200d",
    "nul": "\x00",
    "combining": "e\u0301",
    "one base, all combining": "\u0301",
    "growing when folded": "\u0130\ufb03",
    "eighteen letters when folded": "\ufdfa",
    "emoji": "\U0001f1f8\U0001f1fe",
    "cjk": "\u571f\u8033\u5176",
    "dots": ".",
    "quotes": '."',
    "brackets": "(",
    "initials": "U.S. ",
    "line breaks": "\n",
    "capitals": "Ankara Delta Council ",
    "abbreviations": "Higher Negotiations Committee (HNC) ",
    "one actor asked for fifty times": "Turkey ",
    "spellings that fold alike asked for": "Foo aa ",
}
#: Of these texts the actors are asked for; in the others they are looked for.
_ALIKE = ["".join(pair) for pair in product("AÀÁÂÃÄÅĀĂĄ", "aàáâãäåāăą")]
ASKED = {
    "one actor asked for fifty times": (Actor("Turkey"),) * MAX_ACTORS,
    "spellings that fold alike asked for": tuple(Actor(name, tuple(_ALIKE[:50])) for name in _ALIKE[50:]),
}


def ask(url: str, cases: int, seed: int) -> int:
    """Let schemathesis ask; its exit status."""
    command = ["run", f"{url}/docs.json", "--url", url, "--checks", CHECKS, "--mode", "all", "--continue-on-failure"]
    amount = ["--max-examples", str(-(-cases // OPERATIONS)), "--seed", str(seed), "--max-failures", "50"]
    code = "from schemathesis.cli import schemathesis; schemathesis()"
    with tempfile.TemporaryDirectory() as folder:
        return subprocess.run([sys.executable, "-c", code, *command, *amount], cwd=folder).returncode


def time_texts(bundle: Bundle) -> dict[str, float]:
    """Seconds for each of the odd texts, the better of two."""
    seconds: dict[str, float] = {}
    for name, piece in ODD.items():
        text = (piece * (MAX_TEXT_LENGTH // len(piece) + 1))[: MAX_TEXT_LENGTH - 1] + "."
        document = Document(text, bundle.process("sochi"), ASKED.get(name))
        times = []
        for _ in range(2):
            started = time.perf_counter()
            classify_document(bundle, document)
            times.append(time.perf_counter() - started)
        seconds[name] = min(times)
    return seconds


def main(
    cases: Annotated[int, typer.Option(min=0, help="Requests, about; 0 asks none.")] = 10_000,
    bundle: Annotated[Path, typer.Option(help="The bundle to serve.")] = DEFAULT_BUNDLE,
    seed: Annotated[int, typer.Option(help="Of the requests.")] = 13,
) -> None:
    """Fuzz the service and the library.

    Example: python benchmarks/fuzz.py --cases 10000
    """
    failed = False
    if cases:
        with serve(bundle) as server:
            failed = ask(server.url, cases, seed) != 0
    seconds = time_texts(load_bundle(bundle))
    median = statistics.median(seconds.values())
    table = Table("50,000 characters of", "seconds", "of the median", title=f"median {median:.2f} s")
    for name, value in sorted(seconds.items(), key=lambda one: -one[1]):
        table.add_row(name, f"{value:.2f}", f"{value / median:.2f}")
    CONSOLE.print(table)
    raise typer.Exit(1 if failed or max(seconds.values()) > MOST * median else 0)


if __name__ == "__main__":
    typer.run(main)
