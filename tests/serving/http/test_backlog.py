"""What waits: how long it will take, and what is refused behind it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from serving.http.backlog import Backlog
from serving.http.responses import Refusal
from serving.settings import Limits


@pytest.fixture
def tick(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the clock on by seconds; it stands otherwise."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] += seconds

    return move


def work(backlog: Backlog, size: int, seconds: float, tick: Callable[[float], None]) -> None:
    with backlog.queue(size) as number:
        tick(seconds)
        backlog.learn(number)


def test_the_wait_is_what_the_queue_takes_at_the_pace_measured(tick: Callable[[float], None]) -> None:
    backlog = Backlog(Limits(max_wait=10))
    for _ in range(50):
        work(backlog, 5000, 0.1, tick)
        tick(3)  # standing idle is no part of the pace
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(backlog.queue(5000))
        assert backlog.wait == pytest.approx(2.0, rel=0.01)
        tick(0.05)
        assert backlog.wait == pytest.approx(1.95, rel=0.01)
        tick(7)  # one that takes longer than thought is not done yet, and the others are still to come
        assert backlog.wait == pytest.approx(1.9, rel=0.01)
    assert backlog.wait == 0


def test_waiting_in_the_queue_does_not_count_as_work(tick: Callable[[float], None]) -> None:
    backlog = Backlog(Limits(max_wait=1000))
    bodies = [backlog.queue(5000) for _ in range(40)]
    numbers = [one.__enter__() for one in bodies]
    for number, one in zip(numbers, bodies, strict=True):
        tick(0.1)
        backlog.learn(number)
        one.__exit__(None, None, None)
    with backlog.queue(5000):
        assert backlog.wait == pytest.approx(0.1, rel=0.05)


def test_what_is_refused_out_of_turn_tells_nothing_of_the_pace(tick: Callable[[float], None]) -> None:
    backlog = Backlog(Limits(max_wait=1000))
    for _ in range(50):
        with backlog.queue(5000) as number:
            for _ in range(10):
                tick(0.01)
                with backlog.queue(90):
                    pass
            backlog.learn(number)
    with backlog.queue(5000):
        assert backlog.wait == pytest.approx(0.1, rel=0.05)


@pytest.mark.parametrize(("seconds", "wait"), [(0.5, 1.0), (8.0, 1.7)])
def test_what_the_deadline_cut_short_makes_the_pace_no_faster(
    tick: Callable[[float], None], seconds: float, wait: float
) -> None:
    backlog = Backlog(Limits(max_wait=1000))
    for _ in range(50):
        work(backlog, 9700, 1.0, tick)
    with backlog.queue(9700) as number:
        tick(seconds)
        backlog.learn(number, cut=True)
    with backlog.queue(9700):
        assert backlog.wait == pytest.approx(wait, rel=0.02)


def test_behind_too_much_work_a_request_is_told_when_to_come_again(tick: Callable[[float], None]) -> None:
    backlog = Backlog(Limits(max_wait=2))
    for _ in range(50):
        work(backlog, 10_000, 1.0, tick)
    with backlog.queue(80_000):
        with pytest.raises(Refusal, match="of work wait, and at most 2 s may; try again in 7 s") as caught:
            backlog.admit()
        assert caught.value.status == 429
        assert caught.value.headers == {"Retry-After": "7"}
        tick(6.5)
        backlog.admit()
    backlog.admit()


def test_no_body_takes_longer_than_its_deadline_however_long_it_is(tick: Callable[[float], None]) -> None:
    backlog = Backlog(Limits(deadline=10))
    for _ in range(50):
        work(backlog, 10_000, 1.0, tick)
    with backlog.queue(20 << 20):
        assert backlog.wait == 15
        tick(14.5)
        backlog.admit()


def test_a_large_body_is_let_in_where_nothing_waits(tick: Callable[[float], None]) -> None:
    backlog = Backlog(Limits(max_wait=0.1, max_pending=1000))
    for own in range(0, 5000, 500):
        backlog.hold(500, own)
    with backlog.queue(5000), pytest.raises(Refusal, match="it would hold 5001 bytes, and at most 1000 may wait"):
        backlog.hold(1, 0)
    backlog.release(5000)
    assert backlog.held == 0


def test_bodies_that_have_not_arrived_do_not_block_others(tick: Callable[[float], None]) -> None:
    backlog = Backlog(Limits(max_wait=1))
    backlog.hold(1 << 20, 0)
    backlog.admit()
