"""Clients of a server: some that wait for their answer before they ask again, and some that do not.

aiohttp, which BentoML brings along, because the clients share the cores with the server and it takes the least of them.
"""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

HEADERS = {"Content-Type": "application/json"}
#: Seconds that a client waits at most; more than the service's deadline and its grace.
PATIENCE = 360.0


@dataclass(slots=True)
class Exchange:
    """One request and what came of it.

    Attributes:
        number: of the body that was sent.
        sent: when, on the clock of ``time.perf_counter``.
        seconds: until the answer that stood, those waited as a Retry-After told among them.
        status: of that answer; 0 if the connection broke.
        refused: how many 429 came before it.
    """

    number: int
    sent: float
    seconds: float = 0.0
    status: int = 0
    refused: int = 0
    body: bytes = b""

    @property
    def ended(self) -> float:
        """When the answer came."""
        return self.sent + self.seconds


@dataclass(slots=True)
class Run:
    """Requests that were sent together, in the order of their bodies."""

    exchanges: list[Exchange] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def statuses(self) -> Counter[int]:
        """How often each status came."""
        return Counter(one.status for one in self.exchanges)

    @property
    def refused(self) -> int:
        """429s that clients came again after."""
        return sum(one.refused for one in self.exchanges)

    @property
    def rate(self) -> float:
        """Requests answered with 200, a second."""
        return self.statuses[200] / self.seconds

    def centiles(self) -> tuple[float, float]:
        """Median and 99th centile of the milliseconds to a 200; not numbers where there are fewer than two."""
        return centiles([1000 * one.seconds for one in self.exchanges if one.status == 200])


def centiles(times: Sequence[float]) -> tuple[float, float]:
    """Median and 99th centile, in the unit of the times; not numbers where there are fewer than two."""
    if len(times) < 2:
        return float("nan"), float("nan")
    return statistics.median(times), statistics.quantiles(times, n=100, method="inclusive")[98]


@asynccontextmanager
async def connect() -> Any:
    """A session with as many connections as are asked for."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=HEADERS) as session:
        yield session


async def exchange(session: aiohttp.ClientSession, url: str, number: int, body: bytes, again: bool) -> Exchange:
    """Send one body; with ``again``, after each 429 once more, when its Retry-After tells."""
    one = Exchange(number, time.perf_counter())
    pause = 0.0
    while True:
        try:
            async with session.post(url, data=body) as response:
                one.status, one.body = response.status, await response.read()
                pause = float(response.headers.get("Retry-After", 1))
        except (aiohttp.ClientError, TimeoutError, OSError):
            one.status = 0
        if not again or one.status != 429:
            one.seconds = time.perf_counter() - one.sent
            return one
        one.refused += 1
        await asyncio.sleep(pause)


async def ask_in_turn(url: str, bodies: Sequence[bytes], clients: int) -> Run:
    """Send all bodies once; each client has one request under way at a time."""
    left, run = iter(enumerate(bodies)), Run()

    async def client(session: aiohttp.ClientSession) -> None:
        for number, body in left:
            run.exchanges.append(await exchange(session, url, number, body, again=True))

    async with connect() as session:
        started = time.perf_counter()
        await asyncio.gather(*(client(session) for _ in range(clients)))
        run.seconds = time.perf_counter() - started
    run.exchanges.sort(key=lambda one: one.number)
    return run


async def ask_at_rate(url: str, bodies: Sequence[bytes], rate: float, seconds: float, *, poisson: bool = False) -> Run:
    """Send bodies over and over at a rate, whether or not answers come; a 429 stands.

    A request's time counts from when it was due, so that clients that are late do not flatter the server.
    """
    run, tasks = Run(), []
    async with connect() as session:
        started = time.perf_counter()
        for number, due in enumerate(_due(rate, seconds, poisson)):
            await asyncio.sleep(started + due - time.perf_counter())
            tasks.append(asyncio.create_task(_timed(session, url, number, bodies[number % len(bodies)], started + due)))
        run.seconds = time.perf_counter() - started
        run.exchanges = list(await asyncio.gather(*tasks))
    return run


async def _timed(session: aiohttp.ClientSession, url: str, number: int, body: bytes, due: float) -> Exchange:
    one = await exchange(session, url, number, body, again=False)
    one.seconds, one.sent = one.ended - due, due
    return one


def _due(rate: float, seconds: float, poisson: bool) -> Iterator[float]:
    """When requests are due, in seconds from the start."""
    chance = random.Random(13)
    due = 0.0
    while due < seconds:
        yield due
        due += chance.expovariate(rate) if poisson else 1 / rate
