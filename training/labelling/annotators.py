"""What several people said of one text, settled: the annotation that counts, and what all said beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stance.schema import LABELS
from training.labelling.labelled import Reading


@dataclass(frozen=True, slots=True)
class Annotation:
    """What one person said of a text.

    Attributes:
        who: said it.
        truth: whether it was marked as ground truth.
        actors: the fields of :class:`training.corpus.LabelledActor` of each.
        faults: what is wrong in it.
    """

    who: str
    truth: bool
    actors: Sequence[dict[str, Any]]
    faults: Sequence[str]

    @property
    def said(self) -> dict[str, str]:
        """Each actor's label, and whether it is ambiguous, in words."""
        return {one["actor"]: f"{one['label']}{', ambiguous' * one['ambiguous']}" for one in self.actors}


def settle(
    reading: Reading, place: int, annotations: Sequence[Annotation]
) -> tuple[tuple[int, dict[str, Any]], ...] | None:
    """The actors of the annotation that counts, with the labels of all as ``readings`` if there are several.

    The one that is marked as ground truth counts; without one, the first, if all have the same actors with the same
    labels. Otherwise there is none, and what differs is noted as a fault. Faults of what does not count are not. Of
    several by one person the first gives the readings: nobody is another reader beside themselves.
    """
    marked = [one for one in annotations if one.truth]
    if len(marked) > 1:
        reading.fault(place, f"annotations: {len(marked)} are marked as ground truth; mark one")
        return None
    counting = marked or annotations
    reading.faults += [fault for one in counting for fault in one.faults]
    differences = list(_differences(counting))
    for told in differences:
        reading.fault(place, f"{told}; mark the annotation that counts as ground truth")
    if differences:
        return None
    actors = counting[0].actors
    if len(annotations) > 1:
        sound = _first_of_each([one for one in annotations if not one.faults])
        actors = [{**one, "readings": _labels(one["actor"], sound)} for one in actors]
    return tuple((place, one) for one in actors)


def _differences(annotations: Sequence[Annotation]) -> Iterator[str]:
    """What is not said alike, as ``actor: label (who, who); label (who)``."""
    for name in dict.fromkeys(name for one in annotations for name in one.said):
        told: dict[str, list[str]] = {}
        for one in annotations:
            told.setdefault(one.said.get(name, "not marked"), []).append(one.who)
        if len(told) > 1:
            yield f"{name}: " + "; ".join(f"{label} ({', '.join(people)})" for label, people in told.items())


def _first_of_each(annotations: Sequence[Annotation]) -> list[Sequence[dict[str, Any]]]:
    people: dict[str, Sequence[dict[str, Any]]] = {}
    for one in annotations:
        people.setdefault(one.who, one.actors)
    return list(people.values())


def _labels(name: str, said: Sequence[Sequence[dict[str, Any]]]) -> list[str]:
    return [one["label"] for actors in said for one in actors if one["actor"] == name and one["label"] in LABELS]
