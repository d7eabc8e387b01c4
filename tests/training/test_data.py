from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stance.errors import CorpusError
from training.corpus import spread
from training.data import load_data, load_held_out, require_enough, thin


def test_probabilities_are_fitted_on_the_dev_split_unless_other_records_are_named(
    small_corpus: Path, write_records: Callable[..., Path]
) -> None:
    reports = write_records({"split": "dev"})
    own = load_data([small_corpus])
    assert own.calibration == own.splits["dev"]
    named = load_data([small_corpus], calibration=[reports])
    assert [one.record.id for one in named.calibration] == ["t-0"]
    assert named.splits == own.splits
    assert named.digest == own.digest
    assert len(thin(own, 9, 3).calibration) == 3
    assert [len(spread(range(count), 64)) for count in (3, 64, 65, 129)] == [3, 64, 64, 64]  # type: ignore[arg-type]


def test_a_quick_run_takes_own_labels_before_others(small_corpus: Path, write_records: Callable[..., Path]) -> None:
    text = "Turkey will send a delegation to Sochi. The Delta Council stayed away on day {}."
    own = write_records(*({"split": "train", "text": text.format(day)} for day in range(30)), name="own.jsonl")
    data = load_data([small_corpus], extra=[own])
    small = thin(data, 8, 5)
    assert [one.path == own for one in small.splits["train"]] == [True] * 4 + [False] * 4
    assert {split: len(ones) for split, ones in small.splits.items()} == {"train": 8, "dev": 5, "test": 5}
    assert thin(data, 0, 5).splits["train"] == data.splits["train"]


def test_own_labels_that_copy_a_report_are_refused(small_corpus: Path, write_records: Callable[..., Path]) -> None:
    text = "Turkey will send a delegation to Sochi on Monday, its ministry said. The Delta Council stayed away{}."
    own = write_records({"id": "own", "split": "train", "text": text.format(" again")}, name="own.jsonl")
    assert "own" in [one.record.id for one in load_data([small_corpus], extra=[own]).splits["train"]]
    for split, other in (("train", "dev"), ("dev", "dev"), ("test", "dev"), ("train", "test")):
        reports = write_records({"split": "dev"}, {"split": other, "text": text.format("")}, name="gold.jsonl")
        write_records({"id": "own", "split": split, "text": text.format(" again")}, name="own.jsonl")
        with pytest.raises(CorpusError, match=r"own\.jsonl.*leave it out of your labels"):
            load_data([small_corpus], extra=[own], calibration=[reports])


def test_calibration_needs_a_dev_split(small_corpus: Path, write_records: Callable[..., Path]) -> None:
    reports = write_records({"split": "test"})
    with pytest.raises(CorpusError, match="no record of split 'dev' to calibrate on"):
        load_data([small_corpus], calibration=[reports])


def test_records_that_are_all_ambiguous_are_nothing_to_measure_on(write_records: Callable[..., Path]) -> None:
    actor = {"actor": "Turkey", "mentions": ["Turkey"], "label": "support", "ambiguous": True}
    actor["evidence"] = ["will send a delegation"]
    unclear = {"split": "test", "text": "Turkey will send a delegation.", "actors": [actor]}
    clear = {"split": "test"}
    with pytest.raises(CorpusError, match="no clear label in the records of split 'test' to measure on"):
        load_held_out([write_records(unclear)], "test")
    assert len(load_held_out([write_records(unclear, clear)], "test")) == 2


def test_too_few_cases_to_calibrate_on_are_told_before_anything_is_trained(
    small_corpus: Path, write_records: Callable[..., Path]
) -> None:
    require_enough(load_data([small_corpus]))
    with pytest.raises(CorpusError, match=r"calibration: 2 clear labels.*at least 20.*--calibration"):
        require_enough(load_data([small_corpus], calibration=[write_records({"split": "dev"})]))
