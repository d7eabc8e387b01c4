"""How many workers there are, and what each has of the cores."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from serving import cli, settings
from serving.settings import lone_threads, session_threads, worker_count
from stance.errors import BundleError, SettingError


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


@pytest.mark.parametrize(("threads", "expected"), [(None, 8), ("0", 8), ("3", 3), ("64", 8)])
@pytest.mark.parametrize("workers", [None, "2", "64", "two"])
def test_a_process_alone_has_all_cores_whatever_the_workers_of_a_service(
    monkeypatch: pytest.MonkeyPatch, workers: str | None, threads: str | None, expected: int
) -> None:
    monkeypatch.setattr(settings, "cores", lambda: 8)
    for name, value in (("STANCE_WORKERS", workers), ("STANCE_THREADS", threads)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert lone_threads() == expected


def test_stance_classify_is_a_process_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def load_bundle(_: Path, *, threads: int) -> None:
        asked.append(threads)
        raise BundleError("enough")

    monkeypatch.setattr(settings, "cores", lambda: 8)
    monkeypatch.setattr(cli, "load_bundle", load_bundle)
    monkeypatch.setenv("STANCE_WORKERS", "4")
    monkeypatch.delenv("STANCE_THREADS", raising=False)
    assert CliRunner().invoke(cli.app, ["classify", "-"]).exit_code == 1
    assert asked == [8]
