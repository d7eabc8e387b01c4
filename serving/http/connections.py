"""How connections are taken, and how long they may say nothing.

Workers share the socket that they all listen on: one that has work leaves new connections to the others. By itself
asyncio has whichever worker wakes first take every connection that waits, and two clients may well share one worker
while another stands idle. And uvicorn keeps a connection for ever on which no request's head is complete, or whose
client takes nothing of its answer.
"""

from __future__ import annotations

import asyncio
import errno
import fcntl
import logging
import math
import struct
import termios
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from serving.http.backlog import Backlog
from serving.http.deliveries import Deliveries

if TYPE_CHECKING:
    import socket

log = logging.getLogger("bentoml.stance.service")

#: Seconds that a worker with work leaves a connection to the others, and how many more for each second of its work.
_PAUSE, _PAUSE_EACH, _LONGEST_PAUSE = 0.005, 0.01, 0.025
#: Seconds after a connection in which the next is left to others: whether it brings work shows only then.
_BREATH = 0.001
#: Connections that are taken at once, at most: one at first, and twice as many each time that as many waited.
_AT_ONCE = 32
#: Seconds until it tries again where the system has no room for a connection, and how the system says so.
_RETRY = 1.0
_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
#: Of an answer that waits something must be taken in so many times the time that a head may take: the system tells of
#: what was taken in pieces of up to 64 KiB, so that a minute lets a client go on that takes a kilobyte a second.
_UNREAD = 6
#: The connection that a request came by; the task that answers inherits it. Weak: BentoML keeps the context of every
#: request until its timeout, long after the answer.
_CONNECTION: ContextVar[weakref.ref[Connection] | None] = ContextVar("connection", default=None)


def take_connections(
    loop: asyncio.AbstractEventLoop, patience: float, deliveries: Deliveries, backlog: Backlog | None
) -> None:
    """Have the servers that this loop will make share connections, and close those that send no head.

    What runs the service makes them by ``loop.create_server`` and has no setting for this, so that method of this loop
    is replaced. Loops other than asyncio's own, such as uvloop's, keep their way.

    Args:
        patience: as for :class:`Connection`, and so ``deliveries``.
        backlog: as for :class:`Listener`.
    """
    if not isinstance(loop, asyncio.SelectorEventLoop):
        return
    create = loop.create_server

    async def create_server(factory: Any, *args: Any, sock: socket.socket | None = None, **more: Any) -> Any:
        if sock is None or not more.get("start_serving", True):
            return await create(factory, *args, sock=sock, **more)
        server = await create(factory, *args, sock=sock, **{**more, "start_serving": False})
        sock.listen(more.get("backlog", 100))
        Listener(
            loop, sock, lambda: Connection(loop, factory(), patience, deliveries), more.get("ssl"), backlog
        ).listen()
        return server

    loop.create_server = create_server  # type: ignore[method-assign, assignment]


@contextmanager
def answering() -> Iterator[None]:
    """The time from a complete head to the answer: the connection that the request came by may be silent in it."""
    known = _CONNECTION.get()
    connection = known() if known else None
    if connection is None:
        yield
        return
    connection.answering += 1
    connection.stop_waiting()
    try:
        yield
    finally:
        connection.answering -= 1


class Connection(asyncio.Protocol):
    """A connection that is closed where a request's head takes too long, the first or one that has begun, and where
    nothing is taken of an answer.

    Args:
        own: the protocol that does all the rest.
        patience: seconds from the connection's opening, or from a later head's first byte, to the head's end.
        deliveries: where what waits of an answer is counted.

    Attributes:
        answering: requests in work; the next one may be begun while the gate still ends the one before.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, own: asyncio.Protocol, patience: float, deliveries: Deliveries
    ) -> None:
        self._loop = loop
        self._own = own
        self._patience = patience
        self._deliveries = deliveries
        self._timer: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle | None = None
        self.answering = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See :class:`asyncio.Protocol`; the time of the first head begins."""
        self._transport = transport
        transport.set_write_buffer_limits(high=0)  # whatever the system does not take at once is waited for
        self._wait()
        self._own.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """See :class:`asyncio.Protocol`; while nothing is in work a head begins, or a refused body goes on."""
        _CONNECTION.set(weakref.ref(self))
        self._own.data_received(data)
        if self._timer is None and not self.answering:
            self._wait()

    def eof_received(self) -> bool | None:
        """See :class:`asyncio.Protocol`."""
        return self._own.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """See :class:`asyncio.Protocol`."""
        self.stop_waiting()
        self._stop_looking()
        self._deliveries.release(self)
        self._own.connection_lost(exc)

    def pause_writing(self) -> None:
        """See :class:`asyncio.Protocol`; an answer waits to be taken."""
        self._own.pause_writing()
        self._look_after(math.inf)
        self._deliveries.hold(self, self._transport.get_write_buffer_size())

    def resume_writing(self) -> None:
        """See :class:`asyncio.Protocol`."""
        self._stop_looking()
        self._deliveries.release(self)
        self._own.resume_writing()

    def stop_waiting(self) -> None:
        """The head is complete."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def give_up(self, why: str) -> None:
        """Close it at once; what waits is dropped."""
        log.warning("a connection was closed: %s", why)
        self._transport.abort()

    def _wait(self) -> None:
        self._timer = self._loop.call_later(self._patience, self._transport.close)

    def _look_after(self, before: float) -> None:
        """Go on with an answer if fewer bytes than ``before`` wait, and look again later."""
        left = self._transport.get_write_buffer_size() + self._sending()
        if left < before:
            self._look = self._loop.call_later(_UNREAD * self._patience, self._look_after, left)
        else:
            self.give_up("its client took nothing of its answer any more")

    def _sending(self) -> int:
        """Bytes that the system has of an answer and that have not arrived; 0 where it does not tell."""
        with suppress(OSError):
            told = fcntl.ioctl(self._transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, bytes(4))
            return int(struct.unpack("i", told)[0])
        return 0

    def _stop_looking(self) -> None:
        if self._look is not None:
            self._look.cancel()
            self._look = None


class Listener:
    """Takes connections from a socket that other processes may listen on as well.

    Args:
        sock: listening, and not blocking.
        factory: makes the protocol of each connection.
        ssl: as ``loop.connect_accepted_socket`` takes it.
        backlog: the work of this process, for which it leaves connections to others; ``None``: there are no others.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        factory: Callable[[], asyncio.Protocol],
        ssl: Any,
        backlog: Backlog | None,
    ) -> None:
        self._loop = loop
        self._socket = sock
        self._factory = factory
        self._ssl = ssl
        self._backlog = backlog
        self._least = _AT_ONCE if backlog is None else 1
        self._most = self._least
        self._opening: set[asyncio.Task[None]] = set()

    def listen(self) -> None:
        """Take connections from now on, until the socket is closed."""
        if self._is_open:
            self._loop.add_reader(self._socket, self._meet)

    @property
    def _is_open(self) -> bool:
        return self._socket.fileno() >= 0

    def _meet(self) -> None:
        """Take what waits; with work in hand, leave it to others for a moment first."""
        self._loop.remove_reader(self._socket)
        if self._backlog is None:
            self._take()
        elif self._backlog.is_idle:
            self._take(then_rest=_BREATH)
        else:
            pause = min(_PAUSE + _PAUSE_EACH * self._backlog.wait, _LONGEST_PAUSE)
            self._loop.call_later(pause, self._take)

    def _take(self, then_rest: float = 0.0) -> None:
        """Take some of the connections that wait, and listen again after a rest."""
        if not self._is_open:
            return
        try:
            taken = 0
            while taken < self._most and self._accept():
                taken += 1
            self._most = min(2 * self._most, _AT_ONCE) if taken == self._most else self._least
        except OSError as error:
            log.warning("no connection can be taken (%s); tried again in %g s", error, _RETRY)
            then_rest = _RETRY
        finally:
            self._loop.call_later(then_rest, self.listen)

    def _accept(self) -> bool:
        """Take one connection; whether there was one.

        Raises:
            OSError: if the system has no room for it.
        """
        try:
            connection, _ = self._socket.accept()
        except OSError as error:
            if error.errno in _NO_ROOM:
                raise
            return False  # none waits, or this one is gone
        connection.setblocking(False)
        task = self._loop.create_task(self._open(connection))
        self._opening.add(task)  # the loop itself keeps none
        task.add_done_callback(self._opening.discard)
        return True

    async def _open(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._factory, connection, ssl=self._ssl)
        except Exception as error:
            connection.close()
            log.log(logging.DEBUG if isinstance(error, OSError) else logging.ERROR, "a connection was lost: %r", error)
