"""What waits on connections whose clients take their answers slowly."""

from __future__ import annotations

from typing import Protocol

from serving.http import metrics


class Waiting(Protocol):
    """A connection on which an answer waits."""

    def give_up(self, why: str) -> None:
        """Close it at once, and drop what waits."""


class Deliveries:
    """Answers that were given and not yet taken: of one worker they hold at most so many bytes together.

    Where they would hold more, the one that waits longest is given up. To refuse requests instead, as with bodies,
    would let a few clients that take next to nothing lock out all others for hours.

    Args:
        most: bytes; an answer is never in its own way, however large it is.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._sizes: dict[Waiting, int] = {}

    def hold(self, connection: Waiting, size: int) -> None:
        """An answer of which that many bytes are left begins to wait; they are held until it was taken whole."""
        self.release(connection)
        self._sizes[connection] = size
        self._held += size
        metrics.take_in(size)
        while self._held > self._most and len(self._sizes) > 1:
            oldest = next(iter(self._sizes))
            self.release(oldest)
            oldest.give_up("answers waited of more bytes than may, and its own waited longest")

    def release(self, connection: Waiting) -> None:
        """Nothing waits on a connection any more."""
        size = self._sizes.pop(connection, 0)
        self._held -= size
        metrics.let_go(size)
