"""Runs side by side, each in a process and on a share of the cores of its own: a small model leaves a GPU idle."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any, TypeVar

Shared = TypeVar("Shared")
Argument = TypeVar("Argument")
Result = TypeVar("Result")


def usable_cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_jobs(
    task: Callable[[Shared, Argument], Result], shared: Shared, arguments: Sequence[Argument], *, jobs: int
) -> Iterator[tuple[int, Result]]:
    """What ``task(shared, argument)`` gives for each argument, with the argument's place, as it ends.

    Where one fails in a process, the others go on, and what they give is told before the error is raised.

    Args:
        task: a function of a module, which another process can import.
        shared: is sent to each process once.
        jobs: processes; with one, everything is run in order where it is called.
    """
    if jobs == 1:
        yield from ((number, task(shared, one)) for number, one in enumerate(arguments))
        return
    context = multiprocessing.get_context("spawn")
    numbers = context.SimpleQueue()  # type: ignore[var-annotated]
    for number in range(jobs):
        numbers.put(number)
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start, initargs=(task, shared, numbers, jobs))
    failed: BaseException | None = None
    try:
        running = {pool.submit(_run, one): number for number, one in enumerate(arguments)}
        for future in as_completed(running):
            if future.exception() is None:
                yield running[future], future.result()
            failed = failed or future.exception()
    finally:
        pool.shutdown(cancel_futures=True)
    if failed is not None:
        raise failed


#: What a process of the pool runs, and what it shares; set once in each.
_own: tuple[Callable[[Any, Any], Any], Any] | None = None


def _start(task: Callable[[Any, Any], Any], shared: Any, numbers: Any, jobs: int) -> None:
    global _own
    _own = task, shared
    if hasattr(os, "sched_setaffinity"):
        import torch

        cores, number = sorted(os.sched_getaffinity(0)), numbers.get()
        share = cores[number * len(cores) // jobs : (number + 1) * len(cores) // jobs]
        os.sched_setaffinity(0, share or cores)
        torch.set_num_threads(usable_cores())


def _run(argument: Any) -> Any:
    if _own is None:
        raise RuntimeError("this process is not one of a pool")
    task, shared = _own
    return task(shared, argument)
