"""The figures as plots, each an SVG element that takes its ink from the page."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator, PercentFormatter

from stance.schema import LABELS
from training.corpus import FULL_LENGTH
from training.overview.figures import CORPUS_PART, GOLD_PART, Counts, Overview
from training.overview.names import MAX_GAP

#: Okabe and Ito's colours, which the colour-blind tell apart.
COLOURS: Mapping[str, str] = {"support": "#0072B2", "boycott": "#D55E00", "conditional": "#CC79A7", "none": "#A4A9B1"}
_PARTS: Mapping[str, str] = {CORPUS_PART: "#0072B2", GOLD_PART: "#E69F00"}
#: Stands for the page's ink until the SVG is written.
_INK = "#010203"
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "overview",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.labelcolor": _INK,
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK),
}
#: Inches: as wide as a telephone, so that letters keep their size there.
_WIDTH = 4.2
_TICKS = (5, 10, 20, 50, 100, 200, 350, 500, 1000, 2000)


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawn figure: its SVG element and the words that say what is on it."""

    title: str
    svg: str


def draw_plots(measured: Overview) -> list[Plot]:
    """All plots that there is something to draw for."""
    draw: dict[str, Callable[[Axes], None] | None] = {
        "Labels by part": lambda axes: _shares(axes, _turned(measured.labels)),
        "Labels by register, corpus": lambda axes: _shares(axes, measured.label_by_register),
        "Processes, share of records": lambda axes: _side_by_side(axes, measured, measured.processes),
        "Registers, share of records": lambda axes: _side_by_side(axes, measured, measured.registers),
        "Tags, share of records": lambda axes: _side_by_side(axes, measured, measured.tags),
        "Words of the distinct texts": lambda axes: _lengths(axes, measured),
        "Macro-F1 without reading the text": (lambda axes: _names(axes, measured)) if measured.name_gaps else None,
    }
    with matplotlib.rc_context(_STYLE):
        return [_plot(title, one) for title, one in draw.items() if one is not None]


def _plot(title: str, draw: Callable[[Axes], None]) -> Plot:
    figure = Figure(figsize=(_WIDTH, 3.2), layout="constrained")
    axes = figure.add_subplot()
    draw(axes)
    figure.set_figheight(max(3.2, 0.6 + 0.2 * len(axes.get_yticks())))
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    return Plot(title, _inline(buffer.getvalue(), re.sub(r"\W+", "-", title.lower())))


def _inline(document: str, prefix: str) -> str:
    """The SVG element alone; ids are made its own, and it is left to the page's text to describe it."""
    svg = document[document.index("<svg") :].replace(_INK, "currentColor")
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(\bid="|url\(#|href="#)', rf"\g<1>{prefix}-", svg)
    return svg.replace("<svg ", '<svg aria-hidden="true" ', 1)


def _turned(counts: Counts) -> dict[str, dict[str, int]]:
    parts = list(dict.fromkeys(part for row in counts.values() for part in row))
    return {part: {value: row.get(part, 0) for value, row in counts.items()} for part in parts}


def _shares(axes: Axes, rows: Counts) -> None:
    names = [name for name, row in rows.items() if sum(row.values())]
    left = np.zeros(len(names))
    for label in LABELS:
        shares = np.asarray([rows[name][label] / sum(rows[name].values()) for name in names])
        bars = axes.barh(names, shares, left=left, color=COLOURS[label], label=label)
        texts = [f"{100 * share:.0f}" if share > 0.06 else "" for share in shares]
        axes.bar_label(bars, texts, label_type="center", color="white" if label == "support" else "black", fontsize=8)
        left += shares
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=4, handlelength=1)


def _side_by_side(axes: Axes, measured: Overview, counts: Counts) -> None:
    parts = [part for part in _PARTS if any(row.get(part) for row in counts.values())]
    names = sorted(counts, key=lambda name: -counts[name].get(CORPUS_PART, 0))
    height = 0.8 / max(1, len(parts))
    for place, part in enumerate(parts):
        shares = [counts[name].get(part, 0) / len(measured.parts[part]) for name in names]
        axes.barh(np.arange(len(names)) + place * height, shares, height, color=_PARTS[part], label=part)
    axes.set_yticks(np.arange(len(names)) + height * (len(parts) - 1) / 2, names)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.legend(loc="lower right")


def _lengths(axes: Axes, measured: Overview) -> None:
    words = {part: measured.lengths[part].words for part in _PARTS if part in measured.lengths}
    words = {part: counts for part, counts in words.items() if counts}
    if not words:
        return
    shortest, longest = min(map(min, words.values())), max(map(max, words.values()))
    bins = np.geomspace(max(1, shortest), longest + 1, 40)
    for part, counts in words.items():
        weights = np.full(len(counts), 1 / len(counts))
        axes.hist(counts, bins, weights=weights, histtype="step", linewidth=1.5, color=_PARTS[part], label=part)
    axes.axvline(FULL_LENGTH, color=_INK, linewidth=0.8, linestyle=":")
    axes.set(xscale="log", xlabel=f"words (dotted: full length, {FULL_LENGTH})")
    axes.set_xticks([words for words in _TICKS if shortest <= words <= longest])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    axes.legend()


def _names(axes: Axes, measured: Overview) -> None:
    gaps = measured.name_gaps
    places = np.arange(len(gaps))
    rows: Sequence[tuple[str, list[float], str]] = (
        ("majority", [100 * one.majority for one in gaps], "#A4A9B1"),
        ("chance", [100 * one.chance for one in gaps], "#56B4E9"),
        ("name only", [100 * one.name_only for one in gaps], "#D55E00"),
    )
    for number, (name, values, colour) in enumerate(rows):
        bars = axes.bar(places + 0.27 * number, values, 0.26, color=colour, label=name)
        axes.bar_label(bars, fmt="%.0f")
    allowed = [100 * one.majority + MAX_GAP for one in gaps]
    axes.hlines(allowed, places - 0.14, places + 0.68, color=_INK, linestyle=":", label="allowed")
    axes.set_xticks(places + 0.27, [one.subset for one in gaps])
    axes.set_ylabel("macro-F1, points")
    axes.figure.legend(*axes.get_legend_handles_labels(), loc="outside upper center", ncols=4, handlelength=1)
