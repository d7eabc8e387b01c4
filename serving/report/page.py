"""The report as one HTML file: text, charts, table and their script. It asks no other host for anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

from serving.report.charts import SIGNS, Spec, bars, clip, grid, heat_map, line, points
from serving.report.results import Results, Statement
from serving.report.views import MAX_DRAWN_ACTORS, ActorView, ProcessView, build_views
from stance.errors import needs
from stance.schema import LABELS

_FOLDER = Path(__file__).parent / "assets"
#: Most rows of the table, most moments of an actor, most failures told one by one, most bytes of a file to download
#: from the page.
MAX_ROWS = 20_000
MAX_MOMENTS = 12
MAX_FAILURES = 200
MAX_DOWNLOAD = 2 << 20


def render_page(results: Results, name: str, files: dict[str, str]) -> str:
    """The page.

    Args:
        name: of the file or files that hold the results.
        files: name -> content of what the page offers to save, where it is not too large.

    Raises:
        ExtraMissing: if a library of the extra 'report' is not installed.
    """
    with needs("jinja2", "report"):
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
        from jinja2.utils import htmlsafe_json_dumps

    views, left_out = build_views(results.statements)
    rows = choose_rows(results.statements)
    offered = {name: text for name, text in files.items() if len(text.encode()) <= MAX_DOWNLOAD}
    data = {"charts": [_charts(view) for view in views], "table": _table(rows), "files": offered}
    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update({"labels": LABELS, "signs": SIGNS, "clip": clip, "max_actors": MAX_DRAWN_ACTORS})
    return environment.get_template("report.html").render(
        name=name,
        results=results,
        views=views,
        left_out=left_out,
        failures=results.failures[:MAX_FAILURES],
        actors=len({one.actor for one in results.statements}),
        rows=len(rows),
        moments=_moments,
        offered=list(offered),
        too_large=[name for name in files if name not in offered],
        data=htmlsafe_json_dumps(data, dumps=partial(json.dumps, ensure_ascii=False, separators=(",", ":"))),
        library=_library().replace("</script", "<\\/script"),
        style=(_FOLDER / "report.css").read_text(encoding="utf-8"),
        script=(_FOLDER / "report.js").read_text(encoding="utf-8"),
    )


@cache
def _library() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script."""
    with needs("vl-convert-python", "report"):
        import vl_convert

    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))


def choose_rows(statements: Sequence[Statement]) -> list[Statement]:
    """What the table holds, in the order of RESULTS: all; where they are too many, stances before ``none`` and the
    most probable of them.
    """
    if len(statements) <= MAX_ROWS:
        return list(statements)
    order = sorted(
        range(len(statements)), key=lambda index: (statements[index].stance == "none", -statements[index].probability)
    )
    return [statements[index] for index in sorted(order[:MAX_ROWS])]


def _moments(actor: ActorView) -> dict[str, Any]:
    """The latest moments of an actor, with the number of those left out."""
    return {"shown": actor.moments[-MAX_MOMENTS:], "left_out": max(0, len(actor.moments) - MAX_MOMENTS)}


def _charts(view: ProcessView) -> dict[str, Spec | list[Any] | None]:
    names = [one.name for one in view.actors]
    columns = set(view.periods)
    cells = [cell for one in view.actors for cell in one.positions if cell.period in columns]
    return {
        "heat": heat_map(names, view.periods, cells),
        "bars": bars(names, {one.name: one.counts for one in view.actors}),
        "camps": grid(view.camps) if view.camps.together.any() else None,
        "line": line(*view.days) if view.days else None,
        "points": [points(one.positions, one.moments) for one in view.dated],
    }


def _table(rows: Sequence[Statement]) -> dict[str, list[Any]]:
    """Rows that name their document, process and actor by a number."""
    sources = {one.article.index: one.article for one in rows}
    places = {index: place for place, index in enumerate(sources)}
    actors = {name: place for place, name in enumerate(dict.fromkeys(one.actor for one in rows))}
    processes = {name: place for place, name in enumerate(dict.fromkeys(one.process for one in rows))}
    return {
        "documents": [[one.id, one.title or "", f"{one.day or ''}"] for one in sources.values()],
        "actors": list(actors),
        "processes": list(processes),
        "rows": [
            [
                places[one.article.index],
                processes[one.process],
                actors[one.actor],
                LABELS.index(one.stance),
                round(one.probability, 2),
                clip(one.sentence),
                [LABELS.index(label) for label in one.others],
            ]
            for one in rows
        ],
    }
