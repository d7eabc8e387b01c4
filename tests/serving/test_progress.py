"""The progress of a batch where there is no terminal: a line now and then."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator

import pytest
from rich.console import Console

from serving import display
from serving.display import shown_progress

Tell = Callable[[float, int, int, int], str]


@pytest.fixture
def tell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tell]:
    """Tells the progress at a time, and gives what is written of it; what tells it was made at second 1,000."""
    now = 1000.0
    monkeypatch.setattr(display.time, "monotonic", lambda: now)
    stream = io.StringIO()
    with shown_progress(Console(file=stream)) as progress:

        def tell_at(seconds: float, done: int, failed: int, total: int) -> str:
            nonlocal now
            now = seconds
            stream.truncate(stream.seek(0))
            progress(done, failed, total)
            return stream.getvalue()

        yield tell_at


def test_getting_ready_may_take_long(tell: Tell) -> None:
    assert tell(1300, 0, 0, 5000) == ""
    assert tell(1320, 100, 1, 5000) == ""
    assert tell(1330, 150, 2, 5000) == "150 of 5,000 documents, 2 with an error, 5.0/s, 16 min left\n"
    assert tell(1340, 200, 2, 5000) == ""
    assert tell(1360, 300, 2, 5000) == "300 of 5,000 documents, 2 with an error, 5.0/s, 16 min left\n"


def test_no_pace_is_told_after_too_little(tell: Tell) -> None:
    tell(1000, 40, 0, 100)
    assert tell(1031, 41, 0, 100) == "41 of 100 documents, 0 with an error, time left unknown\n"
    assert tell(1062, 49, 0, 100) == "49 of 100 documents, 0 with an error, time left unknown\n"


def test_a_slow_pace_is_told_by_the_minute(tell: Tell) -> None:
    tell(1000, 0, 0, 100)
    assert tell(1600, 20, 0, 100) == "20 of 100 documents, 0 with an error, 2.0/min, 40 min left\n"
