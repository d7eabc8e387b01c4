"""kill -9 of a worker under load: how soon a server is ready again, and what it cost."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import aiohttp
import psutil
from bounds import CONSOLE, Bounds
from clients import Exchange, connect, exchange
from rich.table import Table
from server import Server

CLIENTS = 8
_GIVE_UP = 60.0


@dataclass(slots=True)
class Crash:
    """What came of a kill.

    Attributes:
        killed: when, on the clock of ``time.perf_counter``.
        ready: seconds from then until a new worker took connections, as many as before were there, and /readyz was 200.
    """

    killed: float = 0.0
    ready: float = float("inf")
    exchanges: list[Exchange] = field(default_factory=list)

    @property
    def failed(self) -> list[Exchange]:
        """Requests that got no answer, or a 5xx."""
        return [one for one in self.exchanges if not one.status or one.status >= 500]

    @property
    def in_flight(self) -> list[Exchange]:
        """Requests that were under way at the kill."""
        return [one for one in self.exchanges if one.sent <= self.killed < one.ended]

    @property
    def answered(self) -> list[Exchange]:
        """Requests that were sent after the kill and answered with 200."""
        return [one for one in self.exchanges if one.sent > self.killed and one.status == 200]

    @property
    def first_answer(self) -> float:
        """Seconds from the kill to the first answer to a request that was sent after it."""
        return min((one.ended - self.killed for one in self.answered), default=float("inf"))


async def _kill(server: Server, bodies: Sequence[bytes], seconds: float) -> Crash:
    crash, going, numbers = Crash(), asyncio.Event(), itertools.count()
    going.set()

    async def client() -> None:
        async with connect() as session:
            while going.is_set():
                number = next(numbers)
                body = bodies[number % len(bodies)]
                crash.exchanges.append(await exchange(session, f"{server.url}/classify", number, body, again=True))

    clients = [asyncio.create_task(client()) for _ in range(CLIENTS)]
    await asyncio.sleep(seconds)
    workers = server.workers()
    crash.killed = time.perf_counter()
    workers[0].kill()
    crash.ready = await _wait_for_worker(server, workers, crash.killed)
    await asyncio.sleep(seconds)
    going.clear()
    await asyncio.gather(*clients)
    return crash


async def _wait_for_worker(server: Server, before: list[psutil.Process], killed: float) -> float:
    """Seconds from the kill until a new worker takes connections, as many as before are there, and /readyz is 200."""
    while time.perf_counter() - killed < _GIVE_UP:
        workers = await asyncio.to_thread(server.workers)
        async with connect() as session:
            ready = await _is_ready(session, server)
            # While this connection is open: an idle new worker has taken it.
            connected = [one for one in workers if one not in before and one != server.process and _is_connected(one)]
            if ready and connected and len(workers) == len(before):
                return time.perf_counter() - killed
        await asyncio.sleep(0.1)
    return float("inf")


def _is_connected(process: psutil.Process) -> bool:
    with suppress(psutil.Error):
        return any(one.status == psutil.CONN_ESTABLISHED for one in process.net_connections("tcp"))
    return False


async def _is_ready(session: aiohttp.ClientSession, server: Server) -> bool:
    try:
        async with session.get(f"{server.url}/readyz") as probe:
            return bool(probe.status == 200)
    except (aiohttp.ClientError, TimeoutError, OSError):
        return False


def check_kill(server: Server, bodies: Sequence[bytes], seconds: float, bounds: Bounds) -> None:
    """Kill a worker after some seconds of load and hold what came of it against its bounds."""
    crash = asyncio.run(_kill(server, bodies, seconds))
    others = [one for one in crash.failed if one not in crash.in_flight]
    table = Table("requests", "", title=f"kill -9 of a worker under {CLIENTS} clients")
    for name, some in (("all", crash.exchanges), ("in flight at the kill", crash.in_flight), ("failed", crash.failed)):
        table.add_row(name, str(len(some)))
    CONSOLE.print(table)
    bounds.at_most("ready again after", crash.ready, 10, " s")
    bounds.at_most("first answer after", crash.first_answer, 10, " s")
    bounds.at_most("failed though not in flight", len(others), 0)
    bounds.at_least("answered after the kill", len(crash.answered), 1)
