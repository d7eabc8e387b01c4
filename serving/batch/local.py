"""The engine of a batch on one machine: a process a core, each with the bundle and one ONNX thread."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait as wait_for
from pathlib import Path

from serving.batch.chunks import Chunk, Defaults, Done, classify_chunk, worker_died
from serving.settings import THREADS
from stance.bundle import Bundle, load_bundle
from stance.errors import BatchError

_BUNDLE: list[Bundle] = []


def _start(folder: Path) -> None:
    """Set a worker up. It ends with its parent, even one that was killed, and leaves Ctrl-C to it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    _BUNDLE[:] = [load_bundle(folder, threads=1)]


def _end_with(sentinel: int) -> None:
    wait_for([sentinel])
    os._exit(1)


def _work(chunk: Chunk, defaults: Defaults) -> Done:
    return classify_chunk(_BUNDLE[0], chunk, defaults)


def classify_local(chunks: Iterator[Chunk], defaults: Defaults, bundle: Path, workers: int) -> Iterator[Done]:
    """Classify chunks in ``workers`` processes; what comes of them comes in no order.

    No more than two chunks a worker are held at a time. If a worker dies, what was in hand is done again, document
    by document, and the one that kills its worker becomes a row with the error ``worker_died``.

    Raises:
        BatchError: if no worker can be started.
    """
    is_over = False
    while not is_over:
        pending: dict[Future[Done], Chunk] = {}
        with _pool(bundle, workers) as pool:
            try:
                for chunk in chunks:
                    _submit(pool, chunk, defaults, pending)
                    if len(pending) >= 2 * workers:
                        yield from _take(pending)
                while pending:
                    yield from _take(pending)
                is_over = True
            except BrokenProcessPool:
                pass
        for chunk in pending.values():
            yield from _one_by_one(chunk, defaults, bundle)


@contextmanager
def _pool(bundle: Path, workers: int) -> Iterator[ProcessPoolExecutor]:
    os.environ.update(THREADS)  # workers inherit it
    # Spawned, for a forked ONNX session hangs.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=context, initializer=_start, initargs=(bundle,))
    try:
        pool.submit(os.getpid).result()
    except BrokenProcessPool as error:
        raise BatchError("no worker could load the bundle; is there memory? try fewer with --workers") from error
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown(cancel_futures=True)


def _submit(pool: ProcessPoolExecutor, chunk: Chunk, defaults: Defaults, pending: dict[Future[Done], Chunk]) -> None:
    """Hand a chunk to a worker; it is in ``pending`` even if the pool turns out to be broken."""
    try:
        future = pool.submit(_work, chunk, defaults)
    except BrokenProcessPool:
        pending[Future()] = chunk
        raise
    pending[future] = chunk


def _take(pending: dict[Future[Done], Chunk]) -> Iterator[Done]:
    """Wait for at least one; a future leaves ``pending`` only once its result was had."""
    done, _ = wait(pending, return_when=FIRST_COMPLETED)
    for future in done:
        result = future.result()
        del pending[future]
        yield result


def _one_by_one(chunk: Chunk, defaults: Defaults, bundle: Path) -> Iterator[Done]:
    """Do the documents of a chunk one by one, in one worker until it dies, then in the next."""
    left = deque(chunk)
    while left:
        with _pool(bundle, 1) as pool:
            try:
                while left:
                    yield pool.submit(_work, [left[0]], defaults).result()
                    left.popleft()
            except BrokenProcessPool:
                yield worker_died(left.popleft(), defaults)
