"""From labels that people gave, in Label Studio or in a spreadsheet, to records of the corpus."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stance.errors import CorpusError
from training.corpus import LabelledActor, Located, Record, Register, check_records, label_faults
from training.files import written_whole
from training.formats import faults_of


@dataclass(frozen=True, slots=True)
class LabelledText:
    """A text with the labels that somebody gave its actors.

    Attributes:
        place: the task's id in Label Studio, or the text's first row in the table.
        actors: each with its place and the fields of :class:`training.corpus.LabelledActor`.
    """

    place: int
    process: str
    text: str
    actors: tuple[tuple[int, dict[str, Any]], ...]

    @property
    def stances(self) -> dict[str, tuple[str, bool]]:
        """Each actor's label, and whether it is ambiguous."""
        return {one["actor"]: (one["label"], one["ambiguous"]) for _, one in self.actors}


@dataclass(slots=True)
class Reading:
    """What was read of a file: its labelled texts, what is wrong, and how many were left out, by reason."""

    path: Path
    texts: list[LabelledText] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)

    def fault(self, place: int, message: str) -> None:
        """Note what is wrong in a place."""
        self.faults.append(f"{self.path}:{place}: {message}")


def to_records(reading: Reading, *, register: Register) -> list[Record]:
    """The records of the corpus that a file's labels make; a text takes two processes at most.

    Raises:
        CorpusError: with one ``file:row`` for each fault.
    """
    located: list[Located] = []
    uses: defaultdict[str, dict[str, LabelledText]] = defaultdict(dict)
    for one in reading.texts:
        actors = _actors(reading, one)
        if not one.actors:
            reading.left_out["without an actor"] += 1
        elif first := uses[one.text].get(one.process):
            if first.stances == one.stances:
                reading.left_out["labelled twice, alike"] += 1
            else:
                told = f"text: is labelled on {one.process!r} in {first.place} too, otherwise; keep one of them"
                reading.fault(one.place, told)
        elif len(uses[one.text]) > 1:
            reading.left_out["a text's third process"] += 1
        elif len(actors) == len(one.actors):
            uses[one.text][one.process] = one
            twin = "b" if len(uses[one.text]) > 1 else ""
            located += _located(reading, one, f"{_identify(one.text)}{twin}", actors, register)
    faults = reading.faults or check_records(located)
    if faults:
        raise CorpusError(faults)
    return [one.record for one in located]


def _actors(reading: Reading, one: LabelledText) -> list[LabelledActor]:
    """The actors that hold to the format; what is wrong with the others is noted."""
    sound = []
    for place, values in one.actors:
        try:
            actor = LabelledActor.model_validate(values).as_in(one.text)
        except ValidationError as error:
            reading.faults += faults_of(error, f"{reading.path}:{place}: {values['actor']}")
            continue
        faults = list(label_faults(one.text, actor))
        for message in faults:
            reading.fault(place, message)
        if not faults:
            sound.append(actor)
    return sound


def _located(
    reading: Reading, one: LabelledText, name: str, actors: Sequence[LabelledActor], register: Register
) -> list[Located]:
    try:
        record = Record(id=name, register=register, process=one.process, text=one.text, actors=tuple(actors))
    except ValidationError as error:
        reading.faults += faults_of(error, f"{reading.path}:{one.place}")
        return []
    return [Located(reading.path, one.place, record)]


def _identify(text: str) -> str:
    """An id that is the text's own, in decimals: one that ends in b would be taken for a twin's."""
    return f"own-{int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], 'big')}"


def save_records(path: Path, records: Sequence[Record]) -> None:
    """Write records as lines of JSON, all or none."""
    lines = [
        json.dumps(one.model_dump(by_alias=True, exclude_defaults=True, mode="json"), ensure_ascii=False)
        for one in records
    ]
    with written_whole(path) as temporary:
        temporary.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
