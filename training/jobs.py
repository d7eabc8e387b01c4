"""Runs side by side, each in a process and, where there are enough, on cores of its own: a small model does not fill a
GPU."""

from __future__ import annotations

import logging
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any, TypeVar

log = logging.getLogger("train")

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

    Where one fails in a process, the others go on, and what they give is told before the first error is raised; a
    process that is killed ends all of them.

    Args:
        task: a function of a module, which another process can import.
        shared: is sent to each process once.
        jobs: processes, at most; with one, everything is run in order where it is called.
    """
    jobs = min(jobs, len(arguments))
    if jobs <= 1:
        yield from ((number, task(shared, one)) for number, one in enumerate(arguments))
        return
    context = multiprocessing.get_context("spawn")
    numbers = context.SimpleQueue()  # type: ignore[var-annotated]
    for number in range(jobs):
        numbers.put(number)
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start, initargs=(task, shared, numbers, jobs))
    failed: BaseException | None = None
    waiting = list(enumerate(arguments))
    running: dict[Future[Any], int] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:  # no more, so that an interruption leaves none to be begun
                number, argument = waiting.pop(0)
                running[pool.submit(_run, argument)] = number
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                number = running.pop(future)
                if (error := future.exception()) is None:
                    yield number, future.result()
                    continue
                log.error("failed: %s: %s", arguments[number], error)
                failed = failed or error
    finally:
        pool.shutdown(cancel_futures=True)
    if failed is not None:
        raise failed


#: What a process of the pool runs, and what it shares; set once in each.
_own: tuple[Callable[[Any, Any], Any], Any] | None = None


def _start(task: Callable[[Any, Any], Any], shared: Any, numbers: Any, jobs: int) -> None:
    global _own
    import torch

    _own = task, shared
    torch.set_num_threads(max(1, usable_cores() // jobs))
    if hasattr(os, "sched_setaffinity"):
        cores, number = sorted(os.sched_getaffinity(0)), numbers.get()
        if share := cores[number * len(cores) // jobs : (number + 1) * len(cores) // jobs]:
            os.sched_setaffinity(0, share)


def _run(argument: Any) -> Any:
    if _own is None:
        raise RuntimeError("this process is not one of a pool")
    task, shared = _own
    return task(shared, argument)
