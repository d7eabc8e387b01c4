"""Who takes a connection where several listen on one socket."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import socket
from collections.abc import Iterator

import pytest

from serving.http.backlog import Backlog
from serving.http.connections import Listener, take_connections
from serving.http.deliveries import Deliveries
from serving.settings import Limits

PATIENCE = 10


class Echo(asyncio.Protocol):
    """Counts its connections and tells each the name of who took it."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.taken = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.taken += 1
        transport.write(self.name)
        transport.close()


@contextlib.contextmanager
def listening() -> Iterator[socket.socket]:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        one.listen(100)
        one.setblocking(False)
        yield one


def watch(sock: socket.socket, backlog: Backlog, name: bytes) -> Echo:
    """A listener of its own, as another process would be; it has the socket under a number of its own."""
    echo = Echo(name)
    Listener(asyncio.get_running_loop(), sock, lambda: echo, None, backlog).listen()
    return echo


async def connect(address: tuple[str, int]) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    told = await asyncio.wait_for(reader.read(), PATIENCE)
    writer.close()
    return told


def test_a_worker_with_work_leaves_connections_to_one_without() -> None:
    async def ask() -> list[bytes]:
        busy, idle = Backlog(Limits()), Backlog(Limits())
        with listening() as sock, sock.dup() as other, busy.queue(5000):
            watch(sock, busy, b"busy")
            watch(other, idle, b"idle")
            told = []
            for _ in range(20):
                told.append(await connect(sock.getsockname()))
                await asyncio.sleep(0.03)  # a pause is over before the next comes
            return told

    assert asyncio.run(ask()) == [b"idle"] * 20


def test_a_worker_with_work_takes_what_nobody_else_does() -> None:
    async def ask() -> list[bytes]:
        busy = Backlog(Limits())
        with listening() as sock, busy.queue(5000):
            watch(sock, busy, b"busy")
            return await asyncio.gather(*(connect(sock.getsockname()) for _ in range(80)))

    assert asyncio.run(ask()) == [b"busy"] * 80


def test_idle_workers_share_connections_that_come_together() -> None:
    async def ask() -> list[bytes]:
        with listening() as sock, sock.dup() as other:
            watch(sock, Backlog(Limits()), b"one")
            watch(other, Backlog(Limits()), b"other")
            return await asyncio.gather(*(connect(sock.getsockname()) for _ in range(16)))

    told = asyncio.run(ask())
    assert set(told) == {b"one", b"other"}
    assert 5 <= told.count(b"one") <= 11


def test_a_body_that_arrives_counts_as_work() -> None:
    backlog = Backlog(Limits())
    assert backlog.is_idle
    backlog.hold(10, 0)
    assert not backlog.is_idle
    backlog.release(10)
    with backlog.queue(10):
        assert not backlog.is_idle
    assert backlog.is_idle


def test_without_file_descriptors_it_tries_again(caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> bytes:
        with listening() as sock:
            watch(sock, Backlog(Limits()), b"taken")
            client = socket.socket()
            client.setblocking(False)
            soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
            used = max(map(int, os.listdir("/proc/self/fd")))
            held = [os.open(os.devnull, os.O_RDONLY) for _ in range(20)]  # fills the numbers that are free below
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(held[0], used), hard))
            try:
                with contextlib.suppress(BlockingIOError):
                    client.connect(sock.getsockname())
                await asyncio.sleep(0.3)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
                for one in held:
                    os.close(one)
            assert "no connection can be taken" in caplog.text
            assert caplog.text.count("no connection") == 1, "it span"
            told = await asyncio.wait_for(asyncio.get_running_loop().sock_recv(client, 100), PATIENCE)
            client.close()
            return told

    with caplog.at_level(logging.WARNING):
        assert asyncio.run(ask()) == b"taken"


@pytest.mark.parametrize("has_work", [True, False])
def test_a_socket_that_is_closed_is_watched_no_longer(has_work: bool, caplog: pytest.LogCaptureFixture) -> None:
    async def close() -> None:
        loop, backlog, echo = asyncio.get_running_loop(), Backlog(Limits()), Echo(b"taken")
        take_connections(loop, PATIENCE, Deliveries(1 << 20), backlog)
        with contextlib.ExitStack() as stack:
            sock = stack.enter_context(listening())
            if has_work:
                stack.enter_context(backlog.queue(5000))
            server = await loop.create_server(lambda: echo, sock=sock)
            with socket.create_connection(sock.getsockname()):
                await asyncio.sleep(0)  # it meets the connection, and leaves it to others or rests after it
                await asyncio.sleep(0)
                server.close()
                await asyncio.wait_for(server.wait_closed(), PATIENCE)
                assert sock.fileno() < 0
                await asyncio.sleep(0.1)

    asyncio.run(close())
    assert not caplog.records


def test_a_fault_in_one_connection_does_not_make_it_deaf(caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> tuple[bytes, bytes]:
        echo, faults = Echo(b"taken"), iter([True])

        def make() -> Echo:
            if next(faults, False):
                raise RuntimeError("no protocol")
            return echo

        with listening() as sock:
            Listener(asyncio.get_running_loop(), sock, make, None, Backlog(Limits())).listen()
            return await connect(sock.getsockname()), await connect(sock.getsockname())

    assert asyncio.run(ask()) == (b"", b"taken")
    assert ["no protocol" in one.getMessage() for one in caplog.records] == [True]


def test_servers_that_a_loop_makes_share(caplog: pytest.LogCaptureFixture) -> None:
    async def ask() -> list[bytes]:
        loop, busy, echo, told = asyncio.get_running_loop(), Backlog(Limits()), Echo(b"own"), []
        take_connections(loop, PATIENCE, Deliveries(1 << 20), busy)
        with listening() as sock, sock.dup() as other, busy.queue(5000):
            watch(other, Backlog(Limits()), b"idle")  # of two readers the later is told first
            server = await loop.create_server(lambda: echo, sock=sock, backlog=50)
            for _ in range(5):
                told.append(await connect(other.getsockname()))
                await asyncio.sleep(0.03)
            server.close()
            await asyncio.wait_for(server.wait_closed(), PATIENCE)
        return told

    assert asyncio.run(ask()) == [b"idle"] * 5
    assert not caplog.records


def test_connections_that_bring_no_work_are_soon_taken_many_at_a_time() -> None:
    class Silent(asyncio.Protocol):
        taken = 0

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            Silent.taken += 1

    async def fill(count: int) -> float:
        loop, Silent.taken = asyncio.get_running_loop(), 0
        with listening() as sock, contextlib.ExitStack() as stack:
            sock.listen(count)
            for _ in range(count):
                client = stack.enter_context(socket.socket())
                client.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    client.connect(sock.getsockname())
            started = loop.time()
            Listener(loop, sock, Silent, None, Backlog(Limits())).listen()
            while Silent.taken < count:
                assert loop.time() < started + PATIENCE
                await asyncio.sleep(0.001)
            return loop.time() - started

    assert min(asyncio.run(fill(300)) for _ in range(3)) < 0.3  # one at a time takes half a second


def test_a_loop_of_another_kind_keeps_its_own_way() -> None:
    class Other(asyncio.AbstractEventLoop):
        """As uvloop's: it has its own way of taking connections."""

    other = Other()
    take_connections(other, PATIENCE, Deliveries(1 << 20), Backlog(Limits()))
    assert not vars(other)
