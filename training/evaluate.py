"""Scores on held-out records, through the same path that the service takes."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, pairwise, product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from stance.bundle import Bundle
from stance.classify import classify_document
from stance.schema import (
    LABEL2ID,
    LABELS,
    Actor,
    ActorStance,
    Classification,
    Document,
    Label,
    Mentioned,
    Process,
    Span,
)
from stance.text import find_sentences
from training.augment import find_strings
from training.corpus import FULL_LENGTH, LabelledActor, Located, ProcessNames, Record, fold_name
from training.metrics import Ids, Interval, bootstrap_by_label, bootstrap_by_subset, bootstrap_macro_f1
from training.selective import accuracy_by_coverage, coverage_at

#: Cases that a part must have for a figure of its own.
_FEWEST = 20
#: Passages or events that they must come from: of fewer a bootstrap gives no interval.
_FEWEST_ORIGINS = 5
#: Words at which a longer kind of text begins.
_LENGTHS = (100, FULL_LENGTH)
#: The kinds, shortest first.
_LENGTH_NAMES = (
    f"below {_LENGTHS[0]} words",
    *(f"{low} to {high - 1} words" for low, high in pairwise(_LENGTHS)),
    f"{_LENGTHS[-1]} words and more",
)


@dataclass(frozen=True, slots=True)
class Case:
    """One actor of one record: what is right, and what a bundle said."""

    record: Record
    process: Process
    gold: LabelledActor
    predicted: ActorStance


@dataclass(frozen=True, slots=True)
class Scores:
    """What is reported of a bundle on a split; every share is 0..1.

    Attributes:
        macro_f1: over the labels that occur, ambiguous cases left out, actors given; by subset.
        by_label: F1 of the labels that occur.
        by_process, by_register, by_length, by_tag: macro-F1 of the parts that have at least 20 such cases, from 5
            passages or events; a process is one however it is spelled, lengths rise, all else is by name.
        evidence_f1: of the sentences returned, over the same cases.
        ece: expected calibration error, ten bins of equal width.
        coverage, set_size: how often the truth is plausible, and how many labels are on average.
        accuracy_by_coverage: ``(share of the cases answered, accuracy on them)``, surest cases first.
        coverage_at_95: the largest such share at which accuracy reaches 0.95.
        found_recall, found_precision, pair_f1: when the actors are to be found.
        confusion: rows the truth, columns the prediction, in the order of LABELS.
        reliability: one ``(confidence, accuracy, cases)`` a bin.
    """

    cases: int
    macro_f1: dict[str, Interval]
    by_label: dict[str, Interval]
    by_process: dict[str, Interval]
    by_register: dict[str, Interval]
    by_length: dict[str, Interval]
    by_tag: dict[str, Interval]
    accuracy: float
    evidence_f1: float
    ece: float
    coverage: float
    set_size: float
    found_recall: float
    found_precision: float
    pair_f1: float
    confusion: list[list[int]]
    reliability: list[tuple[float, float, int]] = field(default_factory=list)
    accuracy_by_coverage: list[tuple[float, float]] = field(default_factory=list)
    coverage_at_95: float = 0.0

    def confusions(self) -> list[tuple[Label, Label, int]]:
        """``(truth, prediction, cases)`` of the labels taken for each other, most cases first."""
        pairs = zip(product(LABELS, LABELS), chain.from_iterable(self.confusion), strict=True)
        taken = [(truth, given, count) for (truth, given), count in pairs if count and truth != given]
        return sorted(taken, key=lambda one: -one[2])

    def parts(self) -> dict[str, dict[str, Interval]]:
        """By kind of part, in the order shown, F1 of each label and macro-F1 of each other part."""
        return {
            "label": self.by_label,
            "process": self.by_process,
            "register": self.by_register,
            "length": self.by_length,
            "tag": self.by_tag,
        }


def run_cases(bundle: Bundle, located: Sequence[Located], *, names: ProcessNames, by_name: bool = False) -> list[Case]:
    """Classify every record with its actors given, and pair what was said with what is right."""
    cases: list[Case] = []
    for one in located:
        document = make_document(one.record, names, by_name=by_name)
        result = classify_document(bundle, document)
        cases += [
            Case(one.record, document.process, gold, predicted)
            for gold, predicted in zip(one.record.actors, result.actors, strict=True)
        ]
    return cases


def predict_ids(bundle: Bundle, located: Sequence[Located], names: ProcessNames) -> Ids:
    """What a bundle says of the clear actors, by the path that the service takes; shape ``(actors,)``."""
    cases = run_cases(bundle, located, names=names)
    return np.asarray([LABEL2ID[one.predicted.stance] for one in cases if not one.gold.ambiguous], dtype=np.int64)


def make_document(record: Record, names: ProcessNames, *, by_name: bool = False) -> Document:
    """A record as a document to classify, its actors given: ``by_name`` without what else the text calls them."""
    actors = tuple(Actor(one.actor) for one in record.actors) if by_name else record.requested()
    return Document(record.text, names.resolve(record.process), actors, id=record.id)


def score(bundle: Bundle, located: Sequence[Located], *, names: ProcessNames, by_name: bool = False) -> Scores:
    """All figures of a bundle on labelled records, their actors given with all that the text calls them, or by name."""
    return score_cases(bundle, located, run_cases(bundle, located, names=names, by_name=by_name), names=names)


def score_cases(bundle: Bundle, located: Sequence[Located], cases: Sequence[Case], *, names: ProcessNames) -> Scores:
    """As :func:`score`, of what :func:`run_cases` gave for these records; their actors are yet to be found."""
    clear = [case for case in cases if not case.gold.ambiguous]
    origins = [case.record.origin for case in clear]
    y_true, y_pred = case_ids(clear)
    probabilities = np.asarray([[case.predicted.probabilities[label] for label in LABELS] for case in clear])
    recall, precision, pair_f1 = _score_finding(bundle, located, names)
    confidence, reliability = probabilities.max(axis=1), _reliability(probabilities, y_true)
    plausible = [case.predicted.plausible for case in clear]
    by_length = _macro_by(clear, lambda case: (_length_of(case.record.text),))
    return Scores(
        cases=len(clear),
        macro_f1=bootstrap_by_subset([case.process.key for case in clear], origins, y_true, y_pred),
        by_label=bootstrap_by_label(origins, y_true, y_pred),
        by_process=_macro_by_process(clear),
        by_register=_macro_by(clear, lambda case: (case.record.text_register,)),
        by_length={name: by_length[name] for name in _LENGTH_NAMES if name in by_length},
        by_tag=_macro_by(clear, lambda case: case.record.tags),
        accuracy=float((y_true == y_pred).mean()),
        evidence_f1=evidence_f1(clear),
        ece=float(sum(abs(confidence - accuracy) * count for confidence, accuracy, count in reliability) / len(clear)),
        coverage=float(np.mean([case.gold.label in kept for case, kept in zip(clear, plausible, strict=True)])),
        set_size=float(np.mean([len(kept) for kept in plausible])),
        found_recall=recall,
        found_precision=precision,
        pair_f1=pair_f1,
        confusion=confusion_matrix(y_true, y_pred, labels=range(len(LABELS))).tolist(),
        reliability=reliability,
        accuracy_by_coverage=accuracy_by_coverage(confidence, y_true == y_pred),
        coverage_at_95=coverage_at(0.95, confidence, y_true == y_pred),
    )


def case_ids(cases: Sequence[Case]) -> tuple[Ids, Ids]:
    """Label ids, those that are right and those that a bundle gave; each of shape ``(cases,)``."""
    y_true = np.asarray([LABEL2ID[case.gold.label] for case in cases], dtype=np.int64)
    return y_true, np.asarray([LABEL2ID[case.predicted.stance] for case in cases], dtype=np.int64)


def _macro_by(cases: Sequence[Case], keys: Callable[[Case], Sequence[str]]) -> dict[str, Interval]:
    groups: dict[str, list[Case]] = {}
    for case in cases:
        for key in keys(case):
            groups.setdefault(key, []).append(case)
    return {
        key: _macro_of(group)
        for key, group in sorted(groups.items())
        if len(group) >= _FEWEST and len({case.record.origin for case in group}) >= _FEWEST_ORIGINS
    }


def _macro_by_process(cases: Sequence[Case]) -> dict[str, Interval]:
    """Under the first of its spellings, as not every process is a known one."""
    spellings: dict[str, str] = {}
    for case in cases:
        spellings.setdefault(fold_name(case.process.name), case.process.name)
    return _macro_by(cases, lambda case: (spellings[fold_name(case.process.name)],))


def _macro_of(cases: Sequence[Case]) -> Interval:
    return bootstrap_macro_f1([case.record.origin for case in cases], *case_ids(cases))


def _length_of(text: str) -> str:
    return _LENGTH_NAMES[bisect_right(_LENGTHS, len(text.split()))]


def evidence_f1(cases: Sequence[Case]) -> float:
    """Micro-F1 over the evidence sentences of all actors; one that should have none, or got none, counts too."""
    right = wanted = given = 0
    for case in cases:
        spans = find_strings(case.record.text, case.gold.evidence)
        gold = {s for s in find_sentences(case.record.text) if any(_touch(s, span) for span in spans)}
        predicted = {evidence.span for evidence in case.predicted.evidence}
        right += len(gold & predicted)
        wanted += len(gold)
        given += len(predicted)
    return 2 * right / max(1, wanted + given)


def _touch(left: Span, right: Span) -> bool:
    return left.start < right.end and right.start < left.end


def _reliability(probabilities: NDArray[Any], y_true: Ids) -> list[tuple[float, float, int]]:
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == y_true
    bins = np.minimum((confidence * 10).astype(int), 9)
    return [
        (float(confidence[bins == index].mean()), float(right[bins == index].mean()), int((bins == index).sum()))
        for index in range(10)
        if (bins == index).any()
    ]


def _score_finding(bundle: Bundle, located: Sequence[Located], names: ProcessNames) -> tuple[float, float, float]:
    """Recall and precision of distinct actors, and F1 of clear (actor, stance) pairs, nobody given."""
    found = wanted = given = pairs = gold_pairs = given_pairs = 0
    for one in located:
        # A record's lines are joined already, so that its own text has the places of what is read.
        mentioned = [found for _, found in one.record.mentioned(bundle.lexicon)]
        free = classify_document(bundle, replace(make_document(one.record, names), actors=None))
        matches = _match(mentioned, free)
        clear = [not gold.ambiguous for gold in one.record.actors]
        unclear = {place for gold, place in matches.items() if not clear[gold]}
        wanted += sum(bool(actor.mentions) for actor in mentioned)
        given += len(free.actors)
        found += len(matches)
        stances = [gold.label for gold in one.record.actors]
        gold_pairs += sum(stance != "none" for stance, is_clear in zip(stances, clear, strict=True) if is_clear)
        given_pairs += sum(actor.stance != "none" for n, actor in enumerate(free.actors) if n not in unclear)
        pairs += sum(
            stances[gold] == free.actors[place].stance != "none" for gold, place in matches.items() if clear[gold]
        )
    return found / max(1, wanted), found / max(1, given), 2 * pairs / max(1, gold_pairs + given_pairs)


def _match(mentioned: Sequence[Mentioned], free: Classification) -> dict[int, int]:
    """Places of found actors by places of given ones, where a mention of the one overlaps a mention of the other."""
    matches: dict[int, int] = {}
    for gold, actor in enumerate(mentioned):
        for place, candidate in enumerate(free.actors):
            taken = place in matches.values()
            if not taken and any(_touch(a, b) for a in actor.mentions for b in candidate.mentions):
                matches[gold] = place
                break
    return matches
