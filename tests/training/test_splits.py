from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from stance.errors import CorpusError
from training.corpus import Located, load_corpus
from training.splits import assign_splits, draw_splits, near_duplicates, split_faults, write_splits

TEXT = (
    "Turkey will send a delegation to Sochi on Monday, officials said. The Delta Council stayed away from the talks {}."
)


def test_every_passage_of_the_corpus_has_a_split_and_no_near_duplicate_crosses(whole_corpus: list[Located]) -> None:
    assert split_faults(whole_corpus) == []


def test_near_duplicates_are_found() -> None:
    texts = [TEXT.format("again"), TEXT.format("once more"), "Nothing of the sort was ever said by anyone in Geneva."]
    assert [pair[:2] for pair in near_duplicates(texts)] == [(0, 1)]


def test_twins_and_near_duplicates_stay_together(write_records: Callable[..., Path]) -> None:
    changes = [{"id": f"p{n}", "text": TEXT.format("again " * n), "split": None} for n in range(8)]
    changes.append({"id": "p0b", "text": TEXT.format(""), "split": None})
    located = load_corpus([write_records(*changes)])
    splits = assign_splits(located)
    assert len(set(splits.values())) == 1


def test_a_split_once_given_stays(write_records: Callable[..., Path]) -> None:
    breaks = "b\u2028c\x85d"
    path = write_records({"id": "a", "split": "test"}, {"id": "b", "text": TEXT.format(breaks), "split": None})
    located = load_corpus([path])
    assert write_splits(located, assign_splits(located)) == 1
    again = load_corpus([path])
    assert again[0].record.split == "test"
    assert again[1].record.split is not None
    assert again[1].record.text == TEXT.format(breaks)
    assert write_splits(again, assign_splits(again)) == 0


def test_a_near_duplicate_across_splits_is_told(write_records: Callable[..., Path]) -> None:
    path = write_records(
        {"id": "a", "text": TEXT.format("again"), "split": "train"},
        {"id": "b", "text": TEXT.format("once"), "split": "test"},
    )
    (fault,) = split_faults(load_corpus([path]))
    assert "in split 'train' and that in 'test'" in fault


@pytest.mark.parametrize("split", ["dev", "test"])
def test_held_out_parts_are_large_enough(whole_corpus: list[Located], split: str) -> None:
    """What an interval's width hangs on is their size, not their share: files of training passages alone are added."""
    held = [one.record for one in whole_corpus if one.record.split == split]
    assert len(held) > 700
    assert sum(len(record.clear) for record in held) > 6000
    assert len(held) / len(whole_corpus) < 0.12


def test_gold_is_given_no_split(write_records: Callable[..., Path]) -> None:
    source = {"url": "https://example.org/1", "outlet": "Example", "date": "2018-01-30"}
    located = load_corpus([write_records({"split": None, "source": source})])
    for give in (assign_splits, draw_splits):
        with pytest.raises(CorpusError, match="gold is never trained on: give it 'dev' or 'test'"):
            give(located)
