"""How workers share the socket that they all listen on: one that has work leaves new connections to the others.

By itself asyncio has whichever worker wakes first take every connection that waits, and two clients may well share one
worker while another stands idle.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from serving.backlog import Backlog

if TYPE_CHECKING:
    import socket

log = logging.getLogger("bentoml.stance.service")

#: Seconds that a worker with work leaves a connection to the others, and how many more for each second of its work.
_PAUSE, _PAUSE_EACH, _LONGEST_PAUSE = 0.005, 0.01, 0.025
#: Seconds after a connection in which the next is left to others: whether it brings work shows only then.
_BREATH = 0.001
#: Connections that a worker takes at once if nobody else has.
_AT_ONCE = 32
#: Seconds until it tries again where the system has no file descriptor left.
_RETRY = 1.0


def leave_to_others(loop: asyncio.AbstractEventLoop, backlog: Backlog) -> None:
    """Have the servers that this loop will make take connections one by one, and late while there is work.

    What runs the service makes them by ``loop.create_server`` and has no setting for this. Where a loop's methods
    cannot be set, as uvloop's, its own way of taking connections holds.
    """
    create = loop.create_server

    async def create_server(factory: Any, *args: Any, sock: socket.socket | None = None, **more: Any) -> Any:
        if sock is None or not more.get("start_serving", True):
            return await create(factory, *args, sock=sock, **more)
        server = await create(factory, *args, sock=sock, **{**more, "start_serving": False})
        sock.listen(more.get("backlog", 100))
        Listener(loop, sock, factory, more.get("ssl"), backlog).listen()
        return server

    with suppress(AttributeError):
        loop.create_server = create_server  # type: ignore[method-assign, assignment]


class Listener:
    """Takes connections from a socket that other processes listen on as well.

    Args:
        sock: listening, and not blocking.
        factory: makes the protocol of each connection.
        ssl: as ``loop.connect_accepted_socket`` takes it.
        backlog: the work of this process.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        factory: Callable[[], asyncio.Protocol],
        ssl: Any,
        backlog: Backlog,
    ) -> None:
        self._loop = loop
        self._socket = sock
        self._factory = factory
        self._ssl = ssl
        self._backlog = backlog
        self._opening: set[asyncio.Task[None]] = set()

    def listen(self) -> None:
        """Take connections from now on, until the socket is closed."""
        if self._socket.fileno() >= 0:
            self._loop.add_reader(self._socket, self._meet)

    def _meet(self) -> None:
        """Take the connection that waits; with work in hand, leave it to others for a moment first."""
        if self._backlog.is_idle:
            self._take(1, _BREATH)
        else:
            self._loop.remove_reader(self._socket)
            pause = min(_PAUSE + _PAUSE_EACH * self._backlog.wait, _LONGEST_PAUSE)
            self._loop.call_later(pause, self._take, _AT_ONCE, 0)

    def _take(self, most: int, rest: float) -> None:
        """Take what connections there are, and look again after a rest."""
        self._loop.remove_reader(self._socket)
        for _ in range(most if self._socket.fileno() >= 0 else 0):
            try:
                connection, _ = self._socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                break
            except OSError as error:
                log.warning("no connection can be taken (%s); tried again in %g s", error, _RETRY)
                rest = _RETRY
                break
            connection.setblocking(False)
            task = self._loop.create_task(self._open(connection))
            self._opening.add(task)  # the loop itself keeps none
            task.add_done_callback(self._opening.discard)
        self._loop.call_later(rest, self.listen)

    async def _open(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._factory, connection, ssl=self._ssl)
        except OSError as error:
            log.debug("a connection was lost while it was taken: %s", error)
            connection.close()
