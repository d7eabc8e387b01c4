"""What runs side by side: everything is done, each on its own cores, and one failure loses nothing."""

from __future__ import annotations

import math
import os

import pytest

from training.jobs import run_jobs, usable_cores


def divide(shared: int, argument: int) -> tuple[int, int, int]:
    return shared // argument, os.getpid(), usable_cores()


def test_one_job_runs_in_order_where_it_is_called() -> None:
    results = list(run_jobs(divide, 12, [4, 3], jobs=1))
    assert [(number, one[0], one[1]) for number, one in results] == [(0, 3, os.getpid()), (1, 4, os.getpid())]


@pytest.mark.slow
def test_jobs_share_the_cores_and_a_failure_loses_nothing() -> None:
    running = run_jobs(divide, 12, [4, 0, 3, 2], jobs=2)
    results = [next(running) for _ in range(3)]
    assert sorted((number, result) for number, (result, _, _) in results) == [(0, 3), (2, 4), (3, 6)]
    half = usable_cores() / 2
    assert {cores for _, (_, _, cores) in results} <= {max(1, math.floor(half)), math.ceil(half)}
    assert os.getpid() not in {pid for _, (_, pid, _) in results}
    with pytest.raises(ZeroDivisionError):
        next(running)
