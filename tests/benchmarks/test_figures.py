"""What the benchmarks reckon with: their articles, arrivals, slopes and bounds."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
import typer

from serving.schemas import ClassifyRequest
from serving.settings import session_threads, worker_count

Load = Callable[[str], ModuleType]
BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """Imports a program of the benchmarks by name: they stand side by side, in no package."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return import_module


def test_articles_are_full_length_and_name_their_actors(load: Load) -> None:
    articles = load("articles").load_articles(200)
    words = [len(one.text.split()) for one in articles]
    assert len({one.text for one in articles}) == len(articles) == 200
    assert 550 <= statistics.mean(words) <= 620
    assert min(words) >= 450
    for one in articles:
        assert ClassifyRequest.model_validate_json(one.body).actors == ClassifyRequest(**json.loads(one.body)).actors
        assert len(one.names) == 8
        assert all(any(name in one.text for name in names) for names in one.names)


def test_a_slope_is_told_from_noise(load: Load) -> None:
    soak = load("soak")
    growth, error = soak.fit_slope([100 + minute + (-1) ** minute for minute in range(30)])
    assert growth == pytest.approx(30 / 115, rel=0.1)
    assert growth > 10 * error
    growth, error = soak.fit_slope([100 + 5 * (-1) ** minute for minute in range(30)])
    assert abs(growth) < 2 * error


def test_growth_is_told_by_documents_done(load: Load) -> None:
    memory = load("batch_memory")
    samples = [(n * 1000, 900.0 if n < 10 else 300 + 0.4 * n + (-1) ** n) for n in range(100)]
    growth, error = memory.fit_growth([*samples, (100_000, 2000.0)], 100_000)
    assert growth == pytest.approx(4, abs=0.1)
    assert growth > 10 * error
    assert str(memory.fit_growth(samples[:5], 100_000)[0]) == "nan"
    assert str(memory.fit_growth([(50_000, 300.0), (50_000, 301.0), (50_000, 302.0)], 100_000)[0]) == "nan"


def test_arrivals_come_at_their_rate(load: Load) -> None:
    clients = load("clients")
    even = list(clients._due(20, 100, False))
    chance = list(clients._due(20, 100, True))
    assert len(even) == pytest.approx(2000, abs=1)
    assert len(chance) == pytest.approx(2000, rel=0.1)
    assert max(*even, *chance) < 100


def test_layouts_take_no_more_threads_than_cores(load: Load) -> None:
    layouts = load("layouts")
    assert [(one.workers, one.threads) for one in layouts.find_layouts(2)] == [(1, 1), (1, 2), (2, 1)]
    assert len(list(layouts.find_layouts(4))) == 6


@pytest.mark.parametrize("cores", [1, 2, 4])
def test_the_default_layout_is_among_those_measured(load: Load, monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    monkeypatch.delenv("STANCE_WORKERS", raising=False)
    monkeypatch.delenv("STANCE_THREADS", raising=False)
    layouts = load("layouts")
    default, one = layouts.Layout.default(), layouts.Layout.one()
    assert {default, one} <= set(layouts.find_layouts(cores))
    assert (default.workers, default.threads) == (worker_count(), session_threads())
    assert one.settings == {"STANCE_WORKERS": "1", "STANCE_THREADS": str(cores)}


@pytest.mark.parametrize(("figure", "code"), [(1.9, 0), (2.1, 1), (float("nan"), 1), (float("inf"), 1)])
def test_a_broken_bound_is_told_and_leaves_with_1(load: Load, figure: float, code: int) -> None:
    bounds = load("bounds").Bounds()
    bounds.at_most("full speed again after", figure, 2, " s")
    with pytest.raises(typer.Exit) as caught:
        bounds.leave()
    assert caught.value.exit_code == code


def test_clients_come_again_after_a_refusal(load: Load) -> None:
    from aiohttp import web

    clients = load("clients")
    seen: list[bytes] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(await request.read())
        if len(seen) == 1:
            return web.Response(status=429, headers={"Retry-After": "0"})
        return web.Response(body=seen[-1])

    async def run() -> object:
        app = web.Application()
        app.router.add_post("/", answer)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            port = site._server.sockets[0].getsockname()[1]
            return await clients.ask_in_turn(f"http://127.0.0.1:{port}/", [b"a", b"b", b"c"], 2)
        finally:
            await runner.cleanup()

    done = asyncio.run(run())
    assert [one.body for one in done.exchanges] == [b"a", b"b", b"c"]
    assert done.statuses == {200: 3}
    assert done.refused == 1
