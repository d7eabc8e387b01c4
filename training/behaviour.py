"""Behaviour tests: pairs of texts that differ in one thing, and what must or must not change in the answer.

After Ribeiro et al. 2020, Beyond Accuracy: Behavioral Testing of NLP Models with CheckList.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, model_validator

from stance.bundle import Bundle
from stance.classify import classify_document
from stance.errors import CorpusError
from stance.schema import Actor, Document
from training.corpus import BEHAVIOUR, Label, ProcessNames, corpus_files, read_lines
from training.formats import Strict, faults_of


class Side(Strict):
    """One text, and the right label of each actor that is asked about, by a name that stands in it."""

    text: str = Field(min_length=1)
    stances: dict[str, Label] = Field(min_length=1)

    @model_validator(mode="after")
    def _names_stand_in_the_text(self) -> Side:
        for name in self.stances:
            if name not in self.text:
                raise ValueError(f"actor {name!r} is not in the text {self.text[:60]!r}")
        return self


class Pair(Strict):
    """Two sides; ``kind`` says what is asked of them.

    Attributes:
        kind: ``change``: each label of both sides must be right; ``invariance``: the answer must be the same on both
            sides, actor by actor in the order in which they are listed.
    """

    id: str
    capability: str
    kind: Literal["change", "invariance"]
    process: str
    before: Side
    after: Side

    @model_validator(mode="after")
    def _sides_fit_the_kind(self) -> Pair:
        before, after = list(self.before.stances.values()), list(self.after.stances.values())
        if self.kind == "invariance" and before != after:
            raise ValueError(f"an invariance has the same labels on both sides, got {before} and {after}")
        if self.kind == "change" and self.before == self.after:
            raise ValueError("a change has two different sides")
        return self


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How a bundle fared on one capability."""

    capability: str
    pairs: int
    failed: tuple[str, ...]

    @property
    def failure_rate(self) -> float:
        """Share of pairs that failed, 0..1."""
        return len(self.failed) / self.pairs


def load_pairs(paths: Sequence[Path] = (BEHAVIOUR,)) -> list[Pair]:
    """Read and check pairs.

    Raises:
        CorpusError: with ``file:line`` for each fault.
    """
    pairs: list[Pair] = []
    faults: list[str] = []
    for path in corpus_files(paths):
        for number, line in read_lines(path):
            try:
                pairs.append(Pair.model_validate_json(line))
            except ValidationError as error:
                faults += faults_of(error, f"{path}:{number}")
    ids = [pair.id for pair in pairs]
    faults += [f"id {one!r} occurs {ids.count(one)} times" for one in sorted(set(ids)) if ids.count(one) > 1]
    if faults:
        raise CorpusError(faults)
    return pairs


def run_pairs(bundle: Bundle, pairs: Sequence[Pair]) -> list[Behaviour]:
    """Put every pair to a bundle, by the path that the service takes; one result a capability, in order of its name."""
    names = ProcessNames(bundle.processes.values())
    by_capability: dict[str, list[Pair]] = {}
    for pair in pairs:
        by_capability.setdefault(pair.capability, []).append(pair)
    return [
        Behaviour(capability, len(ones), tuple(pair.id for pair in ones if not _passes(bundle, pair, names)))
        for capability, ones in sorted(by_capability.items())
    ]


def _passes(bundle: Bundle, pair: Pair, names: ProcessNames) -> bool:
    before, after = (_stances(bundle, side, pair.process, names) for side in (pair.before, pair.after))
    if pair.kind == "invariance":
        return before == after
    return before == list(pair.before.stances.values()) and after == list(pair.after.stances.values())


def _stances(bundle: Bundle, side: Side, process: str, names: ProcessNames) -> list[str]:
    actors = tuple(Actor(name) for name in side.stances)
    result = classify_document(bundle, Document(side.text, names.resolve(process), actors))
    return [one.stance for one in result.actors]
