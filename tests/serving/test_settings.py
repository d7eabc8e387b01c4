"""How many workers there are, and what each has of the cores."""

from __future__ import annotations

import os

import pytest

from serving import settings
from serving.settings import session_threads, worker_count
from stance.errors import SettingError


@pytest.mark.parametrize(
    ("cores", "workers", "of_each"), [(1, 1, 1), (2, 2, 1), (3, 3, 1), (4, 4, 1), (8, 4, 2), (16, 4, 4)]
)
def test_by_default_a_worker_a_core_and_at_most_four(
    monkeypatch: pytest.MonkeyPatch, cores: int, workers: int, of_each: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    monkeypatch.delenv("STANCE_WORKERS", raising=False)
    monkeypatch.delenv("STANCE_THREADS", raising=False)
    assert (worker_count(), session_threads()) == (workers, of_each)
    monkeypatch.setenv("STANCE_THREADS", "64")
    assert (worker_count(), session_threads()) == (workers, of_each)
    monkeypatch.setenv("STANCE_WORKERS", "1")
    assert (worker_count(), session_threads()) == (1, cores)


@pytest.mark.parametrize(
    ("workers", "threads", "of_each"),
    [("1", "0", 8), ("2", "0", 4), ("3", "0", 2), ("1", "64", 8), ("64", "64", 1), ("2", "3", 3), ("1", "1", 1)],
)
def test_never_more_threads_than_cores(
    monkeypatch: pytest.MonkeyPatch, workers: str, threads: str, of_each: int
) -> None:
    monkeypatch.setattr(settings, "cores", lambda: 8)
    monkeypatch.setenv("STANCE_WORKERS", workers)
    monkeypatch.setenv("STANCE_THREADS", threads)
    assert worker_count() == int(workers)
    assert session_threads() == of_each


@pytest.mark.parametrize("value", ["0", "-1", "two", "1.5"])
def test_workers_that_make_no_sense(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("STANCE_WORKERS", value)
    with pytest.raises(SettingError, match="must be a whole number of at least 1"):
        worker_count()
