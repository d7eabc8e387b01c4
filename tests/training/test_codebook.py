"""One test for each rule of the codebook, on the examples that lie beside it, and tags held against labels."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from training.corpus import DATA, Located, Record, check_records, load_corpus

EXAMPLES = [json.loads(line) for line in (DATA / "codebook_examples.jsonl").read_text(encoding="utf-8").splitlines()]

#: The labels that a rule can give the actor that it decides on.
OUTCOMES = {
    1: {"support", "boycott", "conditional"},
    2: {"support", "boycott"},
    3: {"conditional"},
    4: {"support", "boycott", "conditional"},
    5: {"none"},
    6: {"none"},
    7: {"support", "boycott", "none"},
    8: {"support", "conditional"},
    9: {"support", "conditional"},
    10: {"none", "conditional"},
    11: {"boycott"},
    12: {"none"},
    13: {"support", "boycott"},
    14: {"support", "boycott", "conditional", "none"},
    15: {"support", "boycott", "conditional", "none"},
    16: {"support", "none"},
    17: {"none", "conditional", "boycott"},
    18: {"support", "boycott", "conditional", "none"},
    19: {"conditional", "boycott", "support"},
    20: {"conditional", "boycott", "support"},
    21: {"conditional", "boycott", "support"},
    22: {"support", "boycott"},
    23: {"support", "boycott", "conditional", "none"},
    24: {"support", "none"},
    25: {"boycott", "none"},
    26: {"support"},
    27: {"support", "conditional"},
    28: {"none"},
    29: {"none", "conditional", "boycott"},
}


def as_record(example: dict[str, object]) -> Record:
    return Record.model_validate({key: value for key, value in example.items() if key not in ("rule", "focus")})


@pytest.mark.parametrize("rule", OUTCOMES)
def test_the_rule_is_shown_by_two_sound_examples(rule: int) -> None:
    examples = [one for one in EXAMPLES if one["rule"] == rule]
    assert len(examples) == 2
    located = [Located(Path("examples"), number, as_record(one)) for number, one in enumerate(examples)]
    assert check_records(located) == []
    for one, example in zip(located, examples, strict=True):
        (focus,) = [actor for actor in one.record.actors if actor.actor == example["focus"]]
        assert focus.label in OUTCOMES[rule]
        assert focus.ambiguous == (rule in (11, 15) or example["id"] == "rule-27-1")
        if focus.ambiguous and rule in (11, 27):
            assert focus.label2 == "conditional"
        if rule == 15:
            assert focus.label2 not in (None, focus.label)


def test_the_codebook_has_just_these_rules() -> None:
    numbers = re.findall(r"^(\d+)\. ", (DATA / "codebook.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert list(map(int, numbers)) == list(OUTCOMES)


def test_no_example_is_trained_on() -> None:
    texts = {one.record.text for one in load_corpus()}
    assert not texts & {example["text"] for example in EXAMPLES}


def test_tags_and_labels_go_together() -> None:
    """Rules 3 and 14 as they bind the corpus: what is tagged as open is conditional somewhere, and an adjective is no actor."""
    passages: dict[str, set[str]] = {}
    open_conditions = set()
    for one in load_corpus():
        passages.setdefault(one.record.passage, set()).update(actor.label for actor in one.record.actors)
        passages[one.record.passage] |= {actor.label2 for actor in one.record.actors if actor.label2}
        if "open_condition" in one.record.tags:
            open_conditions.add(one.record.passage)
        for actor in one.record.actors:
            assert actor.actor not in ("Russian", "Turkish", "Syrian", "Iranian", "Kurdish", "American"), one
    without = [passage for passage in open_conditions if "conditional" not in passages[passage]]
    assert len(without) <= 0.02 * len(open_conditions), without
