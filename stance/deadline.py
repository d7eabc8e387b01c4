"""When a piece of work has to stop."""

from __future__ import annotations

import time

from stance.errors import DeadlineExceeded


class Deadline:
    """A time at which work stops, or sooner if nobody waits for it any more.

    Args:
        seconds: from now.
    """

    __slots__ = ("_end", "_is_cancelled")

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._is_cancelled = False

    def cancel(self) -> None:
        """Let the deadline pass now; any thread may call it."""
        self._is_cancelled = True

    @property
    def has_passed(self) -> bool:
        """Whether the work should stop."""
        return self._is_cancelled or time.monotonic() > self._end

    def check(self, place: str) -> None:
        """Go on only if there is time.

        Args:
            place: where the work is, to follow "stopped".

        Raises:
            DeadlineExceeded: if the deadline passed.
        """
        if self.has_passed:
            raise DeadlineExceeded(f"stopped {place}")
