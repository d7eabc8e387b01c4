"""Ten times the capacity for a while: what is answered, what it takes, and how soon all is as before."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiohttp
from bounds import CONSOLE, Bounds
from clients import Run, ask_at_rate, ask_in_turn, connect, exchange
from rich.table import Table
from server import Server

TIMES = 10
PROBES = ("/livez", "/readyz")
#: Seconds between two looks at the probes, and that a probe may take (Kubernetes' own default is 1, the manifest's 3).
_PROBE_EVERY, _PROBE_PATIENCE = 0.5, 3.0
#: An answer that took at most this much longer than before is one at full speed; so many of them in a row are needed.
_FULL_SPEED, _IN_A_ROW = 1.5, 3
_GIVE_UP = 60.0


@dataclass(slots=True)
class Watched:
    """What was seen of a server once in a while.

    Attributes:
        memory: MiB (PSS) of all processes, every second.
        probes: seconds that each look at a probe took; infinite if it did not answer 200 in time.
    """

    memory: list[float] = field(default_factory=list)
    probes: list[float] = field(default_factory=list)


async def watch_memory(server: Server, watched: Watched) -> None:
    """Measure memory every second, until cancelled."""
    while True:
        watched.memory.append(await asyncio.to_thread(server.memory))
        await asyncio.sleep(1)


async def watch_probes(server: Server, watched: Watched) -> None:
    """Look at both probes, each time by a new connection as Kubernetes does, until cancelled."""
    while True:
        for path in PROBES:
            watched.probes.append(await _probe(f"{server.url}{path}"))
        await asyncio.sleep(_PROBE_EVERY)


async def _probe(url: str) -> float:
    started = time.perf_counter()
    try:
        timeout = aiohttp.ClientTimeout(total=_PROBE_PATIENCE)
        async with aiohttp.ClientSession(timeout=timeout) as session, session.get(url) as response:
            return time.perf_counter() - started if response.status == 200 else float("inf")
    except (aiohttp.ClientError, TimeoutError, OSError):
        return float("inf")


async def time_recovery(url: str, bodies: Sequence[bytes], normal: float) -> float:
    """Seconds from now until answers come as fast as before (``normal`` seconds), several in a row."""
    started, quick = time.perf_counter(), []
    async with connect() as session:
        while time.perf_counter() - started < _GIVE_UP:
            one = await exchange(session, url, 0, bodies[len(quick)], again=False)
            quick = [*quick, one.sent] if one.status == 200 and one.seconds <= _FULL_SPEED * normal else []
            if len(quick) == _IN_A_ROW:
                return quick[0] - started
            await asyncio.sleep(0.05 if one.status == 429 else 0)
    return float("inf")


async def _overload(
    server: Server, bodies: Sequence[bytes], rate: float, seconds: float, normal: float
) -> tuple[Run, Watched, float]:
    watched, url = Watched(), f"{server.url}/classify"
    watchers = [asyncio.create_task(watch(server, watched)) for watch in (watch_memory, watch_probes)]
    flood = asyncio.create_task(ask_at_rate(url, bodies, rate, seconds))
    await asyncio.sleep(seconds)
    recovery = await time_recovery(url, bodies, normal)
    run = await flood
    for one in watchers:
        one.cancel()
    return run, watched, recovery


def check_overload(server: Server, bodies: Sequence[bytes], seconds: float, deadline: float, bounds: Bounds) -> None:
    """Flood a server and hold what came of it against its bounds."""
    url = f"{server.url}/classify"
    asyncio.run(ask_in_turn(url, bodies[:16], 4))
    alone = asyncio.run(ask_in_turn(url, bodies[:32], 1))
    capacity = asyncio.run(ask_in_turn(url, bodies, 16)).rate
    normal = alone.centiles()[0] / 1000
    run, watched, recovery = asyncio.run(_overload(server, bodies, TIMES * capacity, seconds, normal))
    _print(run, capacity, watched, seconds)
    contract = {200, 429, 503, 504}
    bounds.at_most(
        "answers outside the contract", sum(n for status, n in run.statuses.items() if status not in contract), 0
    )
    bounds.at_most("p99 of what was accepted", run.centiles()[1] / 1000, deadline, " s")
    bounds.at_least("answered with 200, of the capacity", run.rate / capacity, 0.5)
    bounds.at_most("looks at the probes that failed", watched.probes.count(float("inf")), 0)
    third = max(1, len(watched.memory) // 3)
    growth = statistics.mean(watched.memory[-third:]) / statistics.mean(watched.memory[third : 2 * third] or [1])
    bounds.at_most("memory, last third of the middle one", growth, 1.05)
    bounds.at_most("full speed again after", recovery, 2, " s")


def _print(run: Run, capacity: float, watched: Watched, seconds: float) -> None:
    title = f"{TIMES} x {capacity:.2f} articles/s for {seconds:g} s"
    table = Table("status", "requests", "share", title=title)
    for status, count in sorted(run.statuses.items()):
        table.add_row(str(status or "no answer"), str(count), f"{count / len(run.exchanges):.1%}")
    p50, p99 = run.centiles()
    seen = [one for one in watched.probes if one < float("inf")] or [float("nan")]
    CONSOLE.print(table)
    CONSOLE.print(
        f"accepted: {run.rate:.2f} articles/s, p50 {p50:.0f} ms, p99 {p99:.0f} ms; "
        f"probes: {len(watched.probes)} looks, "
        f"slowest {1000 * max(seen):.0f} ms\nPSS every second, MiB: {' '.join(f'{one:.0f}' for one in watched.memory)}"
    )
