"""Start-up, memory and time per seed article of the service, on this machine.

    python benchmarks/service.py [--bundle models/default] [--requests 50]

Prints seconds from the start of `bentoml serve` to the first 200 of /readyz; proportional memory (PSS) of all its
processes and of the largest that holds the model; and milliseconds per seed article, over HTTP and in process, one at a
time: with one worker that has all cores, and with the default number of workers.
"""

from __future__ import annotations

import asyncio
import json
import statistics
from pathlib import Path
from typing import Annotated

import httpx
import typer
from bounds import CONSOLE
from clients import ask_in_turn
from rich.table import Table
from server import DEFAULT_BUNDLE, SEED_ARTICLE, Layout, proportional_memory, serve
from stages import time_each

from serving.settings import cores
from stance.bundle import load_bundle
from stance.classify import classify_document
from stance.schema import Document


def measure(bundle: Path, layout: Layout, text: str, requests: int) -> list[str]:
    """Start-up, memory of all processes and of a worker, and time of an article of a server, to be read."""
    body = json.dumps({"text": text}).encode()
    with serve(bundle, **layout.settings) as server, httpx.Client(base_url=server.url, timeout=30) as client:
        # Several clients, so that all workers have worked.
        asyncio.run(ask_in_turn(f"{server.url}/classify", [body] * 16 * layout.workers, 4 * layout.workers))
        times = time_each(
            lambda one: client.post("/classify", json=one).raise_for_status(), [{"text": text}] * requests
        )
        total, largest = server.memory(), max(map(proportional_memory, server.workers()))
    return [f"{server.start:.1f} s", f"{total:.0f} MiB", f"{largest:.0f} MiB", tell(times)]


def tell(times: list[float]) -> str:
    """The median and the 95th centile of milliseconds."""
    return f"{statistics.median(times):.1f} ms (95th centile {statistics.quantiles(times, n=20)[-1]:.1f})"


def main(
    bundle: Annotated[Path, typer.Option(help="The bundle to serve.")] = DEFAULT_BUNDLE,
    requests: Annotated[int, typer.Option(min=10, help="Seed articles to send.")] = 50,
) -> None:
    """Measure the service.

    Example: python benchmarks/service.py --requests 50
    """
    text = SEED_ARTICLE.read_text(encoding="utf-8")
    layouts = list(dict.fromkeys((Layout.one(), Layout.default())))
    columns = [measure(bundle, one, text, requests) for one in layouts]
    loaded = load_bundle(bundle)
    document = Document(text, loaded.process("sochi"))
    in_process = time_each(lambda one: classify_document(loaded, one), [document] * requests)
    table = Table("figure", *map(str, layouts), title=f"{bundle.name} {loaded.version}, {cores()} core(s)")
    names = ("start-up", "memory, all processes", "memory, the largest worker", "seed article, over HTTP")
    for name, *figures in zip(names, *columns, strict=True):
        table.add_row(name, *figures)
    table.add_row("seed article, in process, all cores", tell(in_process))
    CONSOLE.print(table)


if __name__ == "__main__":
    typer.run(main)
