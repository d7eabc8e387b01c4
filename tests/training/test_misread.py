from __future__ import annotations

import json
from pathlib import Path

import pytest

from stance.errors import CorpusError
from stance.schema import Actor, ActorStance, Evidence, Process, Span
from training.corpus import LabelledActor, Record
from training.evaluate import Case
from training.misread import check_misread, find_misread, save_misread

TEXT = "Turkey came. It will see; the Delta Council stayed away."
PROBABILITIES = {"support": 0.70004, "boycott": 0.1, "conditional": 0.1, "none": 0.1}


def case(label: str, **more: object) -> Case:
    """An actor that a bundle reads as ``support``, by the first sentence."""
    evidence = () if label == "none" else ("the Delta Council stayed away",)
    gold = LabelledActor(actor="Delta Council", mentions=("Delta Council",), label=label, evidence=evidence, **more)
    record = Record(id="x", register="wire", process="Sochi", text=TEXT, actors=(gold,), tags=("invited",))
    shown = (Evidence(Span(0, 12), 1.0),)
    said = ActorStance(Actor("Delta Council"), "support", PROBABILITIES, ("support",), (), shown)
    return Case(record, Process("Sochi"), gold, said)


def test_misread_is_what_has_none_of_its_labels() -> None:
    right, wrong = case("support"), case("boycott")
    either, neither = (case("boycott", ambiguous=True, label2=one) for one in ("support", "none"))
    assert find_misread([right, wrong, either, neither]) == [wrong, neither]


def test_a_row_has_both_readings_and_what_each_goes_by(tmp_path: Path) -> None:
    path = tmp_path / "new" / "misread.jsonl"
    save_misread(path, [case("boycott"), case("none", ambiguous=True)])
    first, second = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    assert first == {
        "id": "x",
        "process": "Sochi",
        "register": "wire",
        "tags": ["invited"],
        "actor": "Delta Council",
        "mentions": ["Delta Council"],
        "label": "boycott",
        "label2": None,
        "ambiguous": False,
        "model_label": "support",
        "model_probabilities": {**PROBABILITIES, "support": 0.7},
        "evidence": ["the Delta Council stayed away"],
        "model_evidence": ["Turkey came."],
        "text": TEXT,
    }
    assert (second["label"], second["evidence"], second["ambiguous"]) == ("none", [], True)


def test_no_other_file_is_taken_for_it(tmp_path: Path) -> None:
    (labels := tmp_path / "labels.jsonl").write_text("{}")
    with pytest.raises(CorpusError, match=r"labels\.jsonl: is there already; write it anew with --overwrite"):
        check_misread(labels, overwrite=False)
    check_misread(labels, overwrite=True)
    with pytest.raises(CorpusError, match=r"misread\.csv: must end in \.jsonl"):
        check_misread(tmp_path / "misread.csv", overwrite=False)
