"""The charts of a report, as Vega-Lite specifications that carry their data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from serving.report.camps import Camps
from serving.report.figures import NO_DATE, Moment, Position
from stance.errors import needs
from stance.schema import LABELS

with needs("altair", "report"):
    import altair as alt

Spec = dict[str, Any]
#: Okabe and Ito's colours, which the colour-blind tell apart; each stands beside its sign.
COLOURS: Mapping[str, str] = {"support": "#0072B2", "boycott": "#D55E00", "conditional": "#CC79A7", "none": "#C4C8CE"}
SIGNS: Mapping[str, str] = {"support": "S", "boycott": "B", "conditional": "C", "none": "·"}
_NEUTRAL = "#7B818B"
_DIVERGING = [COLOURS["boycott"], "#E4E6E9", COLOURS["support"]]
_SHAPES = {"support": "circle", "conditional": "diamond", "boycott": "square"}
#: Pixels that a part of a bar needs for its sign and its count, and for its sign alone.
_ROOM, _ROOM_FOR_SIGN = 34, 11
_MAX_SENTENCE = 280
#: Upright: a slanted label of the last column would stand out over the right border.
_COLUMNS: Mapping[str, object] = {"orient": "top", "labelAngle": -90}


def clip(text: str) -> str:
    """The text, its end cut off where it is long, which an ellipsis tells."""
    return text if len(text) <= _MAX_SENTENCE else text[: _MAX_SENTENCE - 1].rstrip() + "…"


def heat_map(actors: Sequence[str], periods: Sequence[str], positions: Iterable[Position]) -> Spec:
    """Actors by periods; a cell has the stance's colour and sign, ? where it may be another, * for a second one."""
    axes = alt.Chart(alt.Data(values=[])).encode(
        x=alt.X("period:O", sort=list(periods), scale=_domain(periods), axis=_axis(**_COLUMNS)),
        y=alt.Y("actor:N", sort=list(actors), scale=_domain(actors), axis=_axis(grid=True)),
        tooltip=_tooltip("actor", "period", "stance", "may also be", "documents", "sentence"),
    )
    cells = axes.mark_rect(cornerRadius=2).encode(color=_colour())
    signs = axes.mark_text(fontWeight="bold").encode(text="sign:N", color=_ink("datum.stance === 'support'"))
    values = [{"actor": one.actor, "period": one.period, **_about(one)} for one in positions]
    return _spec(alt.layer(cells, signs), values, "Stances by actor and date", alt.Step(24), alt.Step(22))


def bars(actors: Sequence[str], counts: Mapping[str, Mapping[str, int]]) -> Spec:
    """For each actor a bar of its documents, parted by label."""
    axes = alt.Chart(alt.Data(values=[])).encode(
        y=alt.Y("actor:N", sort=list(actors), axis=_axis()),
        order=alt.Order("place:Q"),
        tooltip=_tooltip("actor", "stance", "documents", "share"),
    )
    x = alt.X("documents:Q", stack="zero", axis=alt.Axis(title="documents", tickMinStep=1, format="d"))
    parts = axes.mark_bar().encode(x=x, color=_colour())
    middle = alt.X("documents:Q", stack="zero", bandPosition=0.5)
    pixels = "datum.part * width"
    text = f"{pixels} >= {_ROOM} ? datum.text : {pixels} >= {_ROOM_FOR_SIGN} ? datum.sign : ''"
    texts = axes.mark_text(fontWeight="bold", text=alt.ExprRef(expr=text)).encode(
        x=middle, color=_ink("datum.stance === 'support'")
    )
    longest = max((sum(one.values()) for one in counts.values()), default=1)
    values = [_part(actor, label, counts[actor], longest) for actor in actors for label in LABELS]
    shown = [value for value in values if value["documents"]]
    return _spec(alt.layer(parts, texts), shown, "Documents by actor and label", "container", alt.Step(22))


def _part(actor: str, label: str, counts: Mapping[str, int], longest: int) -> dict[str, object]:
    count = counts.get(label, 0)
    return {
        "actor": actor,
        "stance": label,
        "place": LABELS.index(label),
        "documents": count,
        "share": f"{count / sum(counts.values()):.0%}",
        "sign": SIGNS[label],
        "text": f"{SIGNS[label]} {count:,}",
        "part": count / longest,
    }


def line(first: date, last: date) -> Spec:
    """An actor's line; what :func:`points` gives for the actor is to be put into it as its data."""
    ends = (first, last) if first < last else (first - timedelta(days=1), last + timedelta(days=1))
    domain = [alt.DateTime(year=day.year, month=day.month, date=day.day, utc=True) for day in ends]
    format_ = "%d %b %Y" if (last - first).days < 300 else "%b %Y"
    ticks = alt.Axis(title=None, grid=False, format=format_, tickCount=5, labelOverlap="greedy", labelFlush=True)
    axes = alt.Chart(alt.Data(values=[])).encode(
        x=alt.X("day:T", scale=alt.Scale(type="utc", domain=domain), axis=ticks),
        y=alt.Y("stance:O", sort=list(_SHAPES), scale=alt.Scale(domain=list(_SHAPES)), axis=_axis(grid=True)),
        tooltip=_tooltip("period", "stance", "may also be", "documents", "sentence"),
    )
    shape = alt.Shape("stance:N", legend=None, scale=alt.Scale(domain=list(_SHAPES), range=list(_SHAPES.values())))
    path = axes.mark_line(interpolate="step-after", color=_NEUTRAL, strokeWidth=1.5)
    marks = axes.mark_point(filled=True, size=80, opacity=1).encode(color=_colour(), shape=shape)
    rings = axes.mark_point(size=300, color=_NEUTRAL, strokeWidth=2).transform_filter("datum.changed")
    return _spec(alt.layer(path, rings, marks), [], "Stance over time", "container", 66)


def points(positions: Iterable[Position], moments: Iterable[Moment]) -> list[dict[str, object]]:
    """An actor's dated positions, as the data of its line."""
    changed = {one.after.period for one in moments if one.before}
    return [
        {"day": f"{one.best.article.day}", "period": one.period, "changed": one.period in changed, **_about(one)}
        for one in positions
        if one.period != NO_DATE and one.stance != "none"
    ]


def grid(camps: Camps) -> Spec:
    """Actors by actors: agreement from -1 to 1 where two took a stance in the same document, with its sign."""
    names = list(camps.actors)
    axes = alt.Chart(alt.Data(values=[])).encode(
        x=alt.X("other:N", sort=names, scale=_domain(names), axis=_axis(labelLimit=120, **_COLUMNS)),
        y=alt.Y("actor:N", sort=names, scale=_domain(names), axis=_axis(grid=True)),
        tooltip=_tooltip("actor", "other", "agreement", "documents"),
    )
    scale = alt.Scale(domain=[-1, 0, 1], range=_DIVERGING, interpolate="lab")
    cells = axes.mark_rect(cornerRadius=2).encode(color=alt.Color("agreement:Q", scale=scale, legend=None))
    signs = axes.mark_text(fontWeight="bold").encode(text="sign:N", color=_ink("datum.agreement > 0.4"))
    values = [
        _pair(camps, row, column)
        for row in range(len(names))
        for column in range(len(names))
        if row != column and camps.together[row, column]
    ]
    return _spec(alt.layer(cells, signs), values, "Agreement of actors", alt.Step(24), alt.Step(22))


def _pair(camps: Camps, row: int, column: int) -> dict[str, object]:
    value = float(camps.agreement[row, column])
    return {
        "actor": camps.actors[row],
        "other": camps.actors[column],
        "agreement": round(value, 2),
        "documents": int(camps.together[row, column]),
        "sign": "+" if value > 0 else "−" if value < 0 else "0",
    }


def _about(one: Position) -> dict[str, object]:
    counts = ", ".join(f"{label} {count}" for label, count in one.counts.items())
    sign = SIGNS[one.stance] + ("?" if one.is_unsure else "") + ("*" if one.is_mixed else "")
    about = {"stance": one.stance, "sign": sign, "documents": counts, "sentence": clip(one.best.sentence)}
    return {**about, "may also be": ", ".join(one.best.others)}


def _spec(chart: Any, values: list[dict[str, object]], description: str, width: object, height: object) -> Spec:
    """The specification; the data come in only now, for Altair would validate each value of them."""
    fit = alt.AutoSizeParams(type="fit-x" if width == "container" else "pad", contains="padding")
    spec: Spec = chart.properties(width=width, height=height, description=description, autosize=fit).to_dict()
    return {**spec, "data": {"values": values}}


def _tooltip(*fields: str) -> list[Any]:
    return [alt.Tooltip(f"{field}:N") for field in fields]


def _axis(**options: object) -> Any:
    return alt.Axis(title=None, ticks=False, domain=False, zindex=0, **options)


def _domain(values: Sequence[str]) -> Any:
    return alt.Scale(domain=list(values), paddingInner=0.08)


def _colour() -> Any:
    return alt.Color("stance:N", scale=alt.Scale(domain=list(COLOURS), range=list(COLOURS.values())), legend=None)


def _ink(is_dark: str) -> Any:
    return alt.condition(is_dark, alt.value("#FFFFFF"), alt.value("#14171A"))
