"""Documents a second and memory of a batch on this machine, against the same documents in process.

    python benchmarks/batch.py [--documents 400] [--workers 1 --workers 2] [--ray HOST:PORT] [--short]
    python benchmarks/batch.py --memory 5 --documents 100000 [--workers 2]

The documents are gold reports over and over, or with ``--short`` two sentences each. In process means one document
after another with one ONNX thread. A batch is timed from its first row to its last, as its start does not grow with IN.
With ``--memory`` one batch of short documents is watched instead, and its peak and its slope are told.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import psutil
import typer
from batch_memory import check_memory, done_so_far, start_batch
from bounds import CONSOLE
from rich.table import Table
from server import ROOT, proportional_memory

from serving.answers import answer
from serving.settings import bundle_folder
from stance.bundle import load_bundle

SHORT = "Turkey will send a delegation to Sochi. The Higher Negotiations Committee said that it would stay away."


def texts(short: bool) -> Iterator[str]:
    """The documents, without end."""
    lines = (ROOT / "data" / "gold" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    reports = [json.loads(line)["text"] for line in lines]
    return (f"{SHORT} Day {number}." for number in itertools.count()) if short else itertools.cycle(reports)


def time_in_process(documents: list[str]) -> float:
    """Documents a second."""
    bundle = load_bundle(bundle_folder(), threads=1)
    answer(bundle, {"text": documents[0]})
    started = time.perf_counter()
    for text in documents:
        answer(bundle, {"text": text})
    return len(documents) / (time.perf_counter() - started)


def time_batch(source: Path, count: int, *options: str) -> tuple[float, float, float]:
    """Documents a second, and MiB (PSS) at most: of the parent, and of it and its workers together."""
    process, out = start_batch(source, *options)
    peaks = [0.0, 0.0]
    watcher = threading.Thread(target=_watch, args=(psutil.Process(process.pid), peaks))
    watcher.start()
    first, done_then = _wait_for_parts(process, out)
    process.wait()
    seconds = time.perf_counter() - first
    watcher.join()
    if process.returncode:
        raise SystemExit(process.returncode)
    out.unlink()
    return (count - done_then) / seconds, *peaks


def _wait_for_parts(process: subprocess.Popen[bytes], out: Path) -> tuple[float, int]:
    """When the first part came, and the documents in it."""
    while process.poll() is None:
        done = done_so_far(out)
        if done:
            return time.perf_counter(), done
        time.sleep(0.005)
    raise SystemExit("the batch ended before it was timed; give more --documents")


def _watch(process: psutil.Process, peaks: list[float]) -> None:
    while True:
        with suppress(psutil.NoSuchProcess):
            if process.status() == psutil.STATUS_ZOMBIE:
                return
            sizes = [*map(proportional_memory, (process, *process.children(recursive=True)))]
            peaks[:] = [max(peaks[0], sizes[0]), max(peaks[1], sum(sizes))]
        if not process.is_running():
            return
        time.sleep(0.05)


def main(
    documents: Annotated[int, typer.Option(min=50, help="Documents of a batch.")] = 400,
    workers: Annotated[list[int], typer.Option(help="Workers to try.")] = [1, 2],  # noqa: B006
    ray: Annotated[str | None, typer.Option(help="HOST:PORT of a Ray cluster to try too.")] = None,
    short: Annotated[bool, typer.Option("--short", help="Two sentences a document.")] = False,
    memory: Annotated[
        float | None, typer.Option(min=0.1, help="Watch memory instead, of one batch, every so many seconds.")
    ] = None,
) -> None:
    """Measure batches."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "in.jsonl")
        with source.open("w", encoding="utf-8") as stream:
            some = itertools.islice(texts(short or memory is not None), documents)
            stream.writelines(json.dumps({"text": text}) + "\n" for text in some)
        if memory is not None:
            check_memory(source, documents, memory, "--workers", str(workers[-1]))
        else:
            compare(source, documents, workers, ray, short)


def compare(source: Path, documents: int, workers: list[int], ray: str | None, short: bool) -> None:
    """Print documents a second and memory, in process and by each engine."""
    table = Table("engine", "documents/s", "parent, MiB", "all, MiB", title=f"{documents:,} documents")
    some = list(itertools.islice(texts(short), min(documents, 200)))
    table.add_row("in process", f"{time_in_process(some):.1f}", "", "")
    for number in workers:
        figures = time_batch(source, documents, "--workers", str(number))
        table.add_row(f"local, {number} worker(s)", *(f"{one:.1f}" for one in figures))
    if ray:
        figures = time_batch(source, documents, "--engine", "ray", "--address", ray)
        table.add_row("ray", *(f"{one:.1f}" for one in figures))
    CONSOLE.print(table)


if __name__ == "__main__":
    typer.run(main)
