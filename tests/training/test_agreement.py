from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from stance.errors import CorpusError
from training.agreement import measure_agreement
from training.corpus import GOLD, Located, load_corpus
from training.splits import split_faults


def read(actor: str, mention: str, label: str, *readings: str) -> dict[str, object]:
    evidence = [] if label == "none" else ["will send"]
    return {"actor": actor, "mentions": [mention], "label": label, "evidence": evidence, "readings": readings}


def test_agreement_counts_both_readings(write_records: Callable[..., Path]) -> None:
    actors = [
        read("Turkey", "Turkey", "support", "support", "support"),
        read("DC", "Delta Council", "none", "none", "support"),
    ]
    measured = measure_agreement(load_corpus([write_records({"actors": actors})]))
    assert (measured.cases, measured.raw) == (2, 0.5)
    assert measured.kappa == pytest.approx(-1 / 3)
    assert measured.by_label["support"] == pytest.approx(-1 / 3)


def test_three_readings_are_three_pairs(write_records: Callable[..., Path]) -> None:
    actors = [read("Turkey", "Turkey", "support", "support", "support", "conditional")]
    measured = measure_agreement(load_corpus([write_records({"actors": actors})]))
    assert (measured.cases, measured.raw) == (3, 1 / 3)


def test_who_stands_first_in_a_record_makes_no_difference(write_records: Callable[..., Path]) -> None:
    measured = []
    for second in (("none", "support"), ("support", "none")):
        actors = [
            read("Turkey", "Turkey", "support", "none", "support"),
            read("DC", "Delta Council", "support", *second),
            read("Sochi", "Sochi", "none", "none", "none"),
        ]
        measured.append(measure_agreement(load_corpus([write_records({"actors": actors})])))
    assert measured[0] == measured[1]


@pytest.mark.filterwarnings("error")
def test_readings_of_one_label_have_no_kappa(write_records: Callable[..., Path]) -> None:
    measured = measure_agreement(
        load_corpus([write_records({"actors": [read("Turkey", "Turkey", "none", "none", "none")]})])
    )
    assert measured.raw == 1
    assert math.isnan(measured.kappa)


def test_without_readings_there_is_nothing_to_measure(write_records: Callable[..., Path]) -> None:
    with pytest.raises(CorpusError, match="no actor has two readings"):
        measure_agreement(load_corpus([write_records({})]))


def test_the_gold_set_is_sound_apart_from_training_and_read_alike(whole_corpus: list[Located]) -> None:
    gold = load_corpus([GOLD])
    measured = measure_agreement(gold)
    assert measured.kappa >= 0.85
    assert all(one.record.source is not None and one.record.event for one in gold)
    events = {split: {one.record.event for one in gold if one.record.split == split} for split in ("dev", "test")}
    assert not events["dev"] & events["test"]
    assert {one.record.split for one in gold} == {"dev", "test"}
    assert split_faults([*gold, *whole_corpus]) == []
