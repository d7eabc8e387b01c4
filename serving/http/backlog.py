"""The work that waits: what of it is let in, and how long it will take."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager

from serving.http.responses import Refusal
from serving.settings import GRACE, Limits

#: Seconds that a byte of a body takes, until it was measured.
_FIRST_GUESS = 1e-5
#: What a request costs whatever it holds, in bytes.
_EACH = 300
#: What the measurements so far count for when a further one comes.
_MEMORY = 0.9


class Backlog:
    """Bodies taken in and not yet answered; the handler has one thread and takes them in order.

    Their cost is told by their bytes: they go with the tokens, and are known before anything is parsed.

    Attributes:
        held: bytes of all bodies, those still arriving among them.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.held = 0
        self._queue: dict[int, int] = {}
        self._number = 0
        self._since = time.monotonic()
        self._seconds, self._bytes = _FIRST_GUESS, 1.0

    @property
    def is_working(self) -> bool:
        """Whether something is in work."""
        return bool(self._queue)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in work, and nothing arrives."""
        return not self._queue and not self.held

    @property
    def wait(self) -> float:
        """Seconds until what is queued will be done."""
        if not self._queue:
            return 0.0
        pace, longest = self._seconds / self._bytes, self._limits.deadline + GRACE
        each = [min(pace * size, longest) for size in self._queue.values()]
        return sum(each) - min(each[0], time.monotonic() - self._since)

    def admit(self) -> None:
        """Let a request in that would come last.

        Raises:
            Refusal: with 429, if what is queued takes longer than ``max_wait``.
        """
        if self.wait > self._limits.max_wait:
            self._refuse(f"{self.wait:.1f} s of work wait, and at most {self._limits.max_wait:g} s may")

    def hold(self, more: int, own: int) -> None:
        """Take in ``more`` bytes of a body of which ``own`` were taken in before.

        Raises:
            Refusal: with 429, if there is no room for them beside other bodies.
        """
        if self.held > own and self.held + more > self._limits.max_pending:
            self._refuse(f"it would hold {self.held + more} bytes, and at most {self._limits.max_pending} may wait")
        self.held += more

    def release(self, size: int) -> None:
        """Let a body of that many bytes go."""
        self.held -= size

    @contextmanager
    def queue(self, size: int) -> Iterator[int]:
        """The time that a whole body of that many bytes waits and is worked on; gives its number.

        Raises:
            Refusal: with 429, as :meth:`admit`.
        """
        self.admit()
        number, self._number = self._number, self._number + 1
        if not self._queue:
            self._since = time.monotonic()
        self._queue[number] = size + _EACH
        try:
            yield number
        finally:
            if self._is_next(number):
                self._since = time.monotonic()
            del self._queue[number]

    def learn(self, number: int, *, cut: bool = False) -> None:
        """Take a body that was worked on into the pace, if it was its turn.

        Args:
            cut: the deadline ended the work early: all it can tell is that the pace is slower than was thought.
        """
        if not self._is_next(number):
            return
        seconds, size = time.monotonic() - self._since, self._queue[number]
        if cut and seconds * self._bytes <= self._seconds * size:
            return
        self._seconds = _MEMORY * self._seconds + seconds
        self._bytes = _MEMORY * self._bytes + size

    def _is_next(self, number: int) -> bool:
        """Whether all before it are done: what is refused unread leaves out of turn, while another is in work."""
        return next(iter(self._queue)) == number

    def _refuse(self, why: str) -> None:
        # Half of the wait allowed is left then, so that the handler never stands idle; nothing works past the deadline.
        after = min(max(1, math.ceil(self.wait - self._limits.max_wait / 2)), math.ceil(self._limits.deadline))
        told = f"the queue is full: {why}; try again in {after} s"
        raise Refusal(429, told, headers={"Retry-After": str(after)})
