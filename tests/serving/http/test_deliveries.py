"""Answers that wait for their clients: what they may hold, and who is let go."""

from __future__ import annotations

from prometheus_client import REGISTRY

from serving.http.deliveries import Deliveries


class Slow:
    """A connection that takes nothing."""

    is_open = True

    def give_up(self, why: str) -> None:
        self.is_open = False


def test_where_too_much_waits_the_oldest_are_given_up() -> None:
    deliveries, waiting = Deliveries(100), [Slow() for _ in range(5)]
    for one, size in zip(waiting, (40, 40, 20, 30, 60), strict=True):
        deliveries.hold(one, size)
    assert [one.is_open for one in waiting] == [False, False, False, True, True]


def test_what_was_taken_makes_room_and_an_answer_is_never_in_its_own_way() -> None:
    deliveries, one, other = Deliveries(100), Slow(), Slow()
    for size in (100, 500, 100):
        deliveries.hold(one, size)
        deliveries.release(one)
        deliveries.hold(other, size)
        deliveries.release(other)
    assert one.is_open
    assert other.is_open


def test_what_waits_is_told_in_the_metrics_until_it_was_taken() -> None:
    deliveries, one, told = Deliveries(100), Slow(), []
    for size in (0, 30, 90):
        deliveries.hold(one, size)
        told.append(REGISTRY.get_sample_value("stance_pending_bytes"))
    deliveries.release(one)
    deliveries.release(one)
    told.append(REGISTRY.get_sample_value("stance_pending_bytes"))
    first = told[0] or 0
    assert [(value or 0) - first for value in told] == [0, 30, 90, 0]
