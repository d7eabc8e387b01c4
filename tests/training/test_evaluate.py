from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from transformers import EvalPrediction

from stance.actors import find_given
from stance.bundle import Bundle, load_bundle
from stance.classify import classify_document
from stance.schema import Actor, ActorStance, Classification, Document, Evidence, Process, Span
from training.corpus import LabelledActor, ProcessNames, Record, load_corpus
from training.evaluate import (
    _LENGTH_NAMES,
    Case,
    _length_of,
    _macro_by_process,
    evidence_f1,
    make_document,
    score,
)
from training.metrics import Interval, bootstrap_by_label, bootstrap_macro_f1, f1_by_label, macro_f1
from training.pipeline import over_seeds
from training.trainer import score_predictions

SOCHI = Process("Sochi congress", key="sochi")
TEXT = "Turkey came. The Delta Council stayed away. It rained."


def case(label: str, evidence: list[str], stance: str, given: list[Span]) -> Case:
    gold = LabelledActor(actor="Turkey", mentions=("Turkey",), label=label, evidence=tuple(evidence))
    record = Record(id="x", register="wire", process="Sochi", text=TEXT, actors=(gold,))
    found = tuple(Evidence(span, 1.0) for span in given)
    return Case(record, SOCHI, gold, ActorStance(Actor("Turkey"), stance, {}, (stance,), (), found))


def test_macro_f1_is_over_the_labels_that_occur() -> None:
    assert macro_f1(np.asarray([0, 1, 2, 3]), np.asarray([0, 1, 2, 3])) == 1
    assert macro_f1(np.asarray([0, 0, 3, 3]), np.asarray([0, 0, 3, 3])) == 1
    assert macro_f1(np.asarray([0, 0, 3, 3]), np.asarray([0, 1, 3, 3])) == pytest.approx((2 / 3 + 0 + 1) / 3)


def test_labels_that_do_not_occur_count_nowhere() -> None:
    y_true, y_pred = np.asarray([0, 0, 3, 3, -100]), np.asarray([0, 0, 3, 3, 1])
    assert f1_by_label(y_true[:4], y_pred[:4]) == {"support": 1.0, "none": 1.0}
    assert f1_by_label(y_true[:4], y_pred[1:]) == pytest.approx({"support": 2 / 3, "boycott": 0.0, "none": 0.5})
    prediction = EvalPrediction(predictions=np.eye(4)[y_pred], label_ids=y_true)
    assert score_predictions(prediction) == {"macro_f1": 1.0}


def test_the_interval_is_over_groups() -> None:
    y_true = np.asarray([0, 1, 2, 3] * 20)
    y_pred = np.where(np.arange(80) < 40, y_true, (y_true + 1) % 4)
    few = bootstrap_macro_f1([str(n // 40) for n in range(80)], y_true, y_pred)
    many = bootstrap_macro_f1([str(n) for n in range(80)], y_true, y_pred)
    assert few.value == many.value == 0.5
    assert few.high - few.low > 2 * (many.high - many.low)
    assert many.low < 0.5 < many.high


def test_the_interval_is_that_of_the_metric_itself() -> None:
    rng = np.random.default_rng(1)
    y_true, y_pred = rng.integers(4, size=60), rng.integers(3, size=60)
    groups = [str(number // 5) for number in range(60)]
    drawn = np.random.default_rng(0)
    scores = []
    for _ in range(1000):
        chosen = np.concatenate([np.arange(5 * one, 5 * one + 5) for one in drawn.integers(12, size=12)])
        scores.append(macro_f1(y_true[chosen], y_pred[chosen]))
    interval = bootstrap_macro_f1(groups, y_true, y_pred)
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(scores, [0.025, 0.975])))


def test_each_label_has_an_interval_of_its_own() -> None:
    y_true = np.asarray([0, 0, 1, 3] * 20)
    y_pred = np.where(y_true == 1, np.where(np.arange(80) % 8 < 4, 1, 3), y_true)
    intervals = bootstrap_by_label([str(n) for n in range(80)], y_true, y_pred)
    assert {label: one.value for label, one in intervals.items()} == f1_by_label(y_true, y_pred)
    assert set(intervals) == {"support", "boycott", "none"}
    assert intervals["support"] == Interval(1, 1, 1)
    assert intervals["boycott"].low < intervals["boycott"].value < intervals["boycott"].high < 1


def test_evidence_counts_what_is_missed_and_what_is_too_much() -> None:
    first, second = Span(0, 12), Span(13, 43)
    assert evidence_f1([case("support", ["came"], "support", [first])]) == 1
    assert evidence_f1([case("support", ["came"], "support", [first, second])]) == pytest.approx(2 / 3)
    assert evidence_f1([case("support", ["came"], "none", [])]) == 0
    assert evidence_f1([case("none", [], "support", [first])]) == 0


def test_every_clear_actor_is_counted_once(tiny_bundle: Path, small_corpus: Path) -> None:
    located = [one for one in load_corpus([small_corpus]) if one.record.split == "test"]
    bundle = load_bundle(tiny_bundle)
    scores = score(bundle, located, names=ProcessNames(bundle.processes.values()))
    assert scores.cases == sum(not actor.ambiguous for one in located for actor in one.record.actors)
    assert sum(map(sum, scores.confusion)) == scores.cases
    assert sum(count for _, _, count in scores.reliability) == scores.cases
    assert scores.accuracy_by_coverage[-1] == (1.0, pytest.approx(scores.accuracy))


def test_parts_are_those_that_have_cases_enough(tiny_bundle: Path, small_corpus: Path) -> None:
    located = [one for one in load_corpus([small_corpus]) if one.record.split == "test"]
    bundle = load_bundle(tiny_bundle)
    names = ProcessNames(bundle.processes.values())
    scores = score(bundle, located, names=names)
    lengths = ("below 100 words", "100 to 349 words", "350 words and more")
    counts: Counter[str] = Counter()
    origins: defaultdict[str, set[str]] = defaultdict(set)
    for one in located:
        clear = len(one.record.clear)
        words = len(one.record.text.split())
        length = "below 100 words" if words < 100 else "100 to 349 words" if words < 350 else "350 words and more"
        for part in (one.record.text_register, names.resolve(one.record.process).name, length, *one.record.tags):
            counts[part] += clear
            origins[part] |= {one.record.origin} if clear else set()
    told = {**scores.by_process, **scores.by_register, **scores.by_length, **scores.by_tag}
    assert set(told) == {part for part, count in counts.items() if count >= 20 and len(origins[part]) >= 5}
    assert all(0 <= one.low <= one.high <= 1 for one in told.values())
    assert [name for kind in scores.parts().values() for name in kind] == [*scores.by_label, *told]
    everything = score(bundle, located * 20, names=names).by_length
    assert list(everything) == [name for name in lengths if len(origins[name]) >= 5]


def test_lengths_rise_and_spellings_of_a_process_are_one() -> None:
    cases = [case("support", [], "support", []) for _ in range(30)]
    words = [99, 100, 349, 350, 20, 350]
    assert [_length_of("one " * count) for count in words] == [_LENGTH_NAMES[n] for n in (0, 1, 1, 2, 0, 2)]
    spelled = [
        replace(
            one,
            process=Process(("the Delta talks", "Delta Talks")[n % 2]),
            record=one.record.model_copy(update={"event": f"event {n % 5}"}),
        )
        for n, one in enumerate(cases)
    ]
    assert list(_macro_by_process(spelled)) == ["the Delta talks"]
    assert _macro_by_process(spelled[:19]) == {}
    assert _macro_by_process([one for one in spelled * 2 if one.record.event != "event 0"]) == {}


def test_the_model_reads_a_record_twice_with_its_actors_given_and_with_none(
    tiny_bundle: Path, small_corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = load_bundle(tiny_bundle)
    located = [one for one in load_corpus([small_corpus]) if one.record.split == "test"][:8]
    broken = located[0].record.model_dump(by_alias=True)
    broken["text"] = broken["text"].replace(" ", "\n", 3)
    located.append(replace(located[0], record=Record.model_validate(broken)))
    names = ProcessNames(bundle.processes.values())
    given: list[bool] = []

    def classify(of: Bundle, document: Document) -> Classification:
        result = classify_document(of, document)
        given.append(document.actors is not None)
        if document.actors is not None:
            found = find_given(document.text, document.actors, of.lexicon)
            assert [one.mentions for one in found] == [one.mentions for one in result.actors]
        return result

    monkeypatch.setattr("training.evaluate.classify_document", classify)
    score(bundle, located, names=names)
    assert given == [True] * len(located) + [False] * len(located)


def test_by_name_only_the_names_are_asked_for(tiny_bundle: Path, small_corpus: Path) -> None:
    record = next(one.record for one in load_corpus([small_corpus]) if one.record.actors)
    names = ProcessNames(load_bundle(tiny_bundle).processes.values())
    asked, by_name = (make_document(record, names, by_name=one).actors or () for one in (False, True))
    assert [one.name for one in asked] == [one.name for one in by_name]
    assert any(one.aliases for one in asked)
    assert not any(one.aliases for one in by_name)


def test_the_interval_of_a_label_is_over_the_draws_in_which_it_occurs() -> None:
    y_true = np.asarray([1, 1, *[0] * 48])
    groups = [str(n // 2) for n in range(50)]  # one event in 25 has the label: a draw in three is without
    assert bootstrap_by_label(groups, y_true, y_true)["boycott"] == Interval(1, 1, 1)


def test_seeds_give_a_mean_and_its_t_interval(tiny_bundle: Path, small_corpus: Path) -> None:
    located = [one for one in load_corpus([small_corpus]) if one.record.split == "test"]
    bundle = load_bundle(tiny_bundle)
    one = score(bundle, located, names=ProcessNames(bundle.processes.values()))
    seeds = [replace(one, macro_f1={"all": Interval(value, 0, 0)}) for value in (0.6, 0.7, 0.8)]
    interval = over_seeds(seeds)["all"]
    half = 4.3027 * 0.1 / 3**0.5
    assert (interval.value, interval.low, interval.high) == pytest.approx((0.7, 0.7 - half, 0.7 + half), abs=1e-4)
