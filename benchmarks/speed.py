"""Full-length articles (about 600 words, 8 actors) by every way, each as a ratio to the first two, in one run.

    python benchmarks/speed.py [--articles 200] [--sample 20] [--bundle models/default]

(a) a text-classification pipeline of transformers, fp32, one (actor, sentence) pair at a time, on the first
``--sample`` articles; (b) the int8 session alone, fed ready arrays of the same windows; (c) ours in process; (d) ours
over HTTP with 1, 4, 16 and 64 clients, which come again after a 429 when its Retry-After tells; (e) ours over
/classify/batch, on a server that gives a batch minutes: 64 articles can take longer than the default deadline. (d) and
(e) have the default number of workers and must give the labels of (c). Then: 80% of the highest throughput with
arrivals that wait for no answer, short texts, the share of each stage, what actors and length cost, and the memory of
one worker. Needs the extra `train` for (a). Leaves with 1 if a bound is broken, and says which.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer
from articles import Article, load_articles
from bounds import CONSOLE, Bounds
from clients import Exchange, Run, ask_at_rate, ask_in_turn, centiles
from pairs import make_pipeline, time_pairs
from rich.table import Table
from server import DEFAULT_BUNDLE, Layout, Server, serve
from stages import profile_stages, time_actors, time_each, time_engine, time_lengths, to_documents

from serving.schemas import MAX_DOCUMENTS
from serving.settings import cores
from stance.bundle import Bundle, load_bundle
from stance.classify import classify_document

CLIENTS = (1, 4, 16, 64)
LOAD = 0.8
#: Seconds that a batch of articles may take, on whatever machine.
BATCH_DEADLINE = 300
SHORT = b'{"text": "Turkey will send a delegation to Sochi.", "actors": ["Turkey"]}'
OURS = "JSON in", "JSON out", "tokenising", "finding mentions"
Labels = list[list[str]]


@dataclass(slots=True)
class Row:
    """One way: articles a second, its milliseconds, and what else there is to tell."""

    name: str
    rate: float
    centiles: tuple[float, float] | None = None
    note: str = ""
    labels: Labels | None = field(default=None, repr=False)


def in_process(bundle: Bundle, articles: Sequence[Article], sample: int) -> list[Row]:
    """(a), (b) and (c)."""
    documents = to_documents(bundle, articles)
    pipeline = make_pipeline()
    note = f"the first {sample} articles"
    every, named = (time_pairs(pipeline, articles[:sample], only_named=one) for one in (False, True))
    rows = [Row("(a) pipeline, every pair", every, note=note), Row("    only sentences that name", named, note=note)]
    alone = time_engine(bundle, documents)
    labels: Labels = []
    ours = time_each(lambda one: labels.append(_labels_of(classify_document(bundle, one))), documents)
    rows.append(Row("(b) engine alone", 1000 * len(alone) / sum(alone), centiles(alone)))
    rows.append(Row("(c) in process", 1000 * len(ours) / sum(ours), centiles(ours), labels=labels[1:]))
    return rows


def _labels_of(result: Any) -> list[str]:
    return [one.stance for one in result.actors]


def over_http(server: Server, articles: Sequence[Article]) -> list[Row]:
    """(d)."""
    bodies = [one.body for one in articles]
    asyncio.run(ask_in_turn(f"{server.url}/classify", bodies[:8], 1))
    rows = []
    for clients in CLIENTS:
        run = asyncio.run(ask_in_turn(f"{server.url}/classify", bodies, clients))
        labels = [_labels(_parse(one)) for one in run.exchanges]
        rows.append(Row(f"(d) HTTP, {clients} client(s)", run.rate, run.centiles(), _tell(run), labels))
    return rows


def over_batch(server: Server, layout: Layout, articles: Sequence[Article]) -> Row:
    """(e)."""
    parts = [articles[start : start + MAX_DOCUMENTS] for start in range(0, len(articles), MAX_DOCUMENTS)]
    bodies = [json.dumps({"documents": [one.fields for one in part]}).encode() for part in parts]
    # Two clients for each worker, so that a batch is on its way while another is worked on.
    run = asyncio.run(ask_in_turn(f"{server.url}/classify/batch", bodies, 2 * layout.workers))
    results = [one for done in run.exchanges for one in _parse(done).get("results", [])]
    answered = sum("actors" in one for one in results)
    return Row(f"(e) batches of {MAX_DOCUMENTS}", answered / run.seconds, None, _tell(run), [*map(_labels, results)])


def _parse(one: Exchange) -> Any:
    """An answer's JSON; empty where none came."""
    return json.loads(one.body or b"{}")


def _labels(answer: Any) -> list[str]:
    return [one["stance"] for one in answer.get("actors", [])]


def _tell(run: Run) -> str:
    others = {status: count for status, count in run.statuses.items() if status != 200}
    told = [f"{run.refused} x 429, asked again"] if run.refused else []
    return ", ".join([*told, *(f"{count} x {status}" for status, count in others.items())])


def print_rows(rows: Sequence[Row], title: str) -> None:
    """The table of all ways."""
    table = Table("way", "articles/s", "of (a)", "of (b)", "p50, ms", "p99, ms", "as (c)", "note", title=title)
    a, b, labels = rows[0].rate, rows[2].rate, rows[3].labels
    for row in rows:
        times = ("", "") if row.centiles is None else [f"{one:.1f}" for one in row.centiles]
        same = "" if row.labels is None else ("yes" if row.labels == labels else "NO")
        table.add_row(row.name, f"{row.rate:.2f}", f"{row.rate / a:.1f}", f"{row.rate / b:.2f}", *times, same, row.note)
    CONSOLE.print(table)


def check_rows(rows: Sequence[Row], bounds: Bounds) -> None:
    """Hold (d) at 16 clients and (e) against (a) and (b), and all labels against those of (c)."""
    a, b, labels = rows[0].rate, rows[2].rate, rows[3].labels
    for row in rows[4:]:
        bounds.at_most(f"{row.name}: articles whose labels differ", sum(_differ(labels, row.labels)), 0)
        if row.name.startswith(("(e)", "(d) HTTP, 16 ")):
            bounds.at_least(f"{row.name}: of (b)", row.rate / b, 0.75)
            bounds.at_least(f"{row.name}: of (a)", row.rate / a, 8)


def _differ(one: Labels | None, other: Labels | None) -> list[bool]:
    one, other = one or [], other or []
    return [mine != yours for mine, yours in zip(one, other, strict=False)] + [True] * abs(len(one) - len(other))


def check_load(server: Server, articles: Sequence[Article], highest: float, bounds: Bounds) -> None:
    """The centiles at 80% of the highest throughput: arrivals evenly spaced, and at random."""
    bodies, seconds = [one.body for one in articles], len(articles) / (LOAD * highest)
    table = Table(
        "arrivals", "p50, ms", "p99, ms", "p99/p50", "answers", title=f"{LOAD:.0%} of {highest:.2f} articles/s"
    )
    for name, poisson in (("even", False), ("at random (Poisson)", True)):
        run = asyncio.run(ask_at_rate(f"{server.url}/classify", bodies, LOAD * highest, seconds, poisson=poisson))
        p50, p99 = run.centiles()
        table.add_row(name, f"{p50:.1f}", f"{p99:.1f}", f"{p99 / p50:.2f}", str(dict(run.statuses)))
        if not poisson:
            bounds.at_most("p99/p50 at 80%, even arrivals", p99 / p50, 3)
    CONSOLE.print(table)
    short = asyncio.run(ask_in_turn(f"{server.url}/classify", [SHORT] * max(50, len(articles)), 1))
    bounds.at_most("one sentence over HTTP, one client: p50", short.centiles()[0], 8, " ms")


def check_memory(bundle: Path, articles: Sequence[Article], bounds: Bounds) -> None:
    """The memory of one worker, in a server of its own, after all articles from 16 clients and in batches."""
    layout = Layout.one()
    with serve(bundle, **layout.settings, STANCE_DEADLINE=str(BATCH_DEADLINE)) as server:
        asyncio.run(ask_in_turn(f"{server.url}/classify", [one.body for one in articles], 16))
        over_batch(server, layout, articles)
        bounds.at_most(f"PSS of {layout} and its parent, after all articles and batches", server.memory(), 350, " MiB")


def check_stages(bundle: Bundle, articles: Sequence[Article], bounds: Bounds) -> None:
    """The share of each stage of an article, and what actors and length cost."""
    means = profile_stages(bundle, articles)
    whole = sum(means.values())
    table = Table("stage", "ms", "share", title="Within one article")
    for name, mean in sorted(means.items(), key=lambda one: -one[1]):
        table.add_row(name, f"{mean:.2f}", f"{mean / whole:.1%}")
    bounds.at_most("tokenising, mentions and JSON", 100 * sum(means[name] for name in OURS) / whole, 10, "%")
    document = to_documents(bundle, articles[:1])[0]
    actors, lengths = time_actors(bundle, document, 10), time_lengths(bundle, document, 5)
    costs = Table("of one article", "ms, median", "ratio", title="What actors and length cost")
    for count, one in actors.items():
        costs.add_row(f"{count} actor(s)", f"{one:.1f}", f"{one / actors[1]:.2f}")
    for times, one in lengths.items():
        costs.add_row(f"{times} x the text", f"{one:.1f}", f"{one / lengths[1]:.2f}")
    CONSOLE.print(table, costs)


def main(
    articles: Annotated[int, typer.Option(min=2, help="Articles by each way.")] = 200,
    sample: Annotated[int, typer.Option(min=1, help="Articles for the pipeline of (a), which is slow.")] = 20,
    bundle: Annotated[Path, typer.Option(help="The bundle to serve.")] = DEFAULT_BUNDLE,
) -> None:
    """Measure every way from an article to its labels.

    Example: python benchmarks/speed.py --articles 200
    """
    some, bounds, started = load_articles(articles), Bounds(), time.perf_counter()
    words = statistics.mean(len(one.text.split()) for one in some)
    loaded = load_bundle(bundle, threads=cores())
    rows = in_process(loaded, some, min(sample, articles))
    check_stages(loaded, some, bounds)
    layout = Layout.default()
    with serve(bundle, **layout.settings) as server:
        rows += over_http(server, some)
        with serve(bundle, **layout.settings, STANCE_DEADLINE=str(BATCH_DEADLINE)) as patient:
            rows.append(over_batch(patient, layout, some))
        about = f"{articles} articles of {words:.0f} words, {loaded.name} {loaded.version}, {cores()} cores"
        print_rows(rows, f"{about}; HTTP and batches: {layout}")
        check_rows(rows, bounds)
        bounds.at_most("ready after", server.start, 3, " s")
        check_load(server, some, max(row.rate for row in rows[4:]), bounds)
    check_memory(bundle, some, bounds)
    CONSOLE.print(f"{time.perf_counter() - started:.0f} s")
    bounds.leave()


if __name__ == "__main__":
    typer.run(main)
