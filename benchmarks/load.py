"""What a server does under too much load, after a crash, over time, and on other numbers of cores.

    python benchmarks/load.py overload [--seconds 60]
    python benchmarks/load.py kill
    python benchmarks/load.py soak [--minutes 30]
    python benchmarks/load.py threads

Each starts a server of its own with full-length articles for load, as benchmarks/speed.py, and leaves with 1 if a bound
is broken, and says which.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from articles import load_articles
from bounds import Bounds
from crash import check_kill
from layouts import check_layouts
from overload import check_overload
from server import DEFAULT_BUNDLE, serve
from soak import check_soak

from serving.settings import Limits

Bundle = Annotated[Path, typer.Option(help="The bundle to serve.")]
Articles = Annotated[int, typer.Option(min=2, help="Articles, sent over and over.")]
Workers = Annotated[int, typer.Option(min=1, help="Workers of the server.")]

app = typer.Typer(add_completion=False, no_args_is_help=True, help=__doc__, rich_markup_mode=None)


def make_bodies(count: int) -> list[bytes]:
    """So many articles as they are sent."""
    return [one.body for one in load_articles(count)]


@app.command()
def overload(
    seconds: Annotated[float, typer.Option(min=3, help="How long.")] = 60,
    articles: Articles = 200,
    workers: Workers = 1,
    bundle: Bundle = DEFAULT_BUNDLE,
) -> None:
    """Send ten times the capacity, whether or not answers come.

    Example: python benchmarks/load.py overload --seconds 60
    """
    bounds = Bounds()
    with serve(bundle, STANCE_WORKERS=str(workers)) as server:
        check_overload(server, make_bodies(articles), seconds, Limits.from_environment().deadline, bounds)
    bounds.leave()


@app.command()
def kill(
    seconds: Annotated[float, typer.Option(min=1, help="Of load before the kill, and after.")] = 10,
    articles: Articles = 200,
    workers: Workers = 1,
    bundle: Bundle = DEFAULT_BUNDLE,
) -> None:
    """Kill a worker under load.

    Example: python benchmarks/load.py kill --workers 2
    """
    bounds = Bounds()
    with serve(bundle, STANCE_WORKERS=str(workers)) as server:
        check_kill(server, make_bodies(articles), seconds, bounds)
    bounds.leave()


@app.command()
def soak(
    minutes: Annotated[int, typer.Option(min=4, help="How long.")] = 30,
    length: Annotated[float, typer.Option(min=1, help="Seconds of a minute, for a trial.")] = 60,
    articles: Articles = 200,
    bundle: Bundle = DEFAULT_BUNDLE,
) -> None:
    """Load a server at 80% of its capacity.

    Example: python benchmarks/load.py soak --minutes 30
    """
    bounds = Bounds()
    with serve(bundle) as server:
        check_soak(server, make_bodies(articles), minutes, length, bounds)
    bounds.leave()


@app.command()
def threads(articles: Articles = 64, bundle: Bundle = DEFAULT_BUNDLE) -> None:
    """Measure workers x threads on 1, 2 and 4 cores, by pinning; and the memory of one worker and of two.

    Example: python benchmarks/load.py threads
    """
    bounds, bodies = Bounds(), make_bodies(articles)
    check_layouts(bundle, bodies, bounds)
    bounds.leave()


if __name__ == "__main__":
    app()
