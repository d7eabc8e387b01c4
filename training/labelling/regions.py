"""The regions of a Label Studio annotation, put together from its results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from training.corpus import words_as_in

#: The controls of the labelling interface by name, and the labels of a region.
SPAN, NAME, STANCE, AMBIGUOUS = "span", "name", "stance", "ambiguous"
ACTOR, EVIDENCE = "Actor", "Evidence"


@dataclass(frozen=True, slots=True)
class Region:
    """A stretch of text that was marked.

    Attributes:
        kind: the label of the region.
        names: what was written in its text field, parted at semicolons.
        related: at evidence, the mentions that an arrow joins it to.
    """

    kind: str
    start: int
    text: str
    names: tuple[str, ...]
    stance: str | None
    ambiguous: bool
    related: tuple[Region, ...] = ()


def parse_regions(results: Sequence[Mapping[str, Any]], text: str) -> list[Region]:
    """The regions in the order of the text; results of other controls are left alone."""
    parts: dict[str, dict[str, Mapping[str, Any]]] = {}
    for one in results:
        value = one.get("value")
        if one.get("type") != "relation" and isinstance(value, dict):
            parts.setdefault(str(one.get("id")), {})[str(one.get("from_name"))] = value
    regions = {name: _region(values, text) for name, values in parts.items() if SPAN in values}
    for one in results:
        if one.get("type") == "relation":
            _relate(regions, str(one.get("from_id")), str(one.get("to_id")))
    return sorted(regions.values(), key=lambda one: one.start)


def _region(values: Mapping[str, Mapping[str, Any]], text: str) -> Region:
    span = values[SPAN]
    written = _strings(values.get(NAME, {}).get("text"))
    stances = _strings(values.get(STANCE, {}).get("choices"))
    return Region(
        kind=next(iter(_strings(span.get("labels"))), ""),
        start=span["start"] if isinstance(span.get("start"), int) else 0,
        text=_words(span, text),
        names=tuple(name for one in written for part in one.split(";") if (name := " ".join(part.split()))),
        stance=next(iter(stances), None),
        ambiguous=bool(_strings(values.get(AMBIGUOUS, {}).get("choices"))),
    )


def _strings(value: Any) -> list[str]:
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, str)]


def _words(span: Mapping[str, Any], text: str) -> str:
    """The marked words. Told words go before offsets, which count UTF-16 units in some versions."""
    start, end, told = span.get("start"), span.get("end"), span.get("text")
    counted = text[start:end] if isinstance(start, int) and isinstance(end, int) else ""
    if not isinstance(told, str) or not told:
        return counted.strip()
    candidates = [words_as_in(text, one) for one in (told, told.replace("\\n", "\n"))]
    return next((one for one in candidates if one in text), counted or told).strip()


def _relate(regions: dict[str, Region], left: str, right: str) -> None:
    """An arrow between evidence and a mention tells whose evidence it is, besides what was written."""
    ends = {one: regions[one] for one in (left, right) if one in regions}
    for name, region in ends.items():
        other = [one for key, one in ends.items() if key != name]
        if region.kind == EVIDENCE and other and other[0].kind == ACTOR:
            regions[name] = replace(region, related=(*region.related, other[0]))
