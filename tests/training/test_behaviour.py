from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stance.bundle import load_bundle
from stance.errors import CorpusError
from training.behaviour import load_pairs, run_pairs

ROOT = Path(__file__).resolve().parent.parent.parent


def pair(**changes: Any) -> dict[str, Any]:
    sound = {
        "id": "negation-1",
        "capability": "negation",
        "kind": "change",
        "process": "Sochi congress",
        "before": {"text": "Turkey will attend the Sochi congress.", "stances": {"Turkey": "support"}},
        "after": {"text": "Turkey will not attend the Sochi congress.", "stances": {"Turkey": "boycott"}},
    }
    return {**sound, **changes}


def write(path: Path, *pairs: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in pairs), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"after": {"text": "It rained.", "stances": {"Turkey": "none"}}}, "after: actor 'Turkey' is not in the text"),
        ({"kind": "invariance"}, "an invariance has the same labels on both sides"),
        ({"after": pair()["before"]}, "a change has two different sides"),
        ({"kind": "guess"}, "kind: Input should be 'change' or 'invariance'; received \"guess\""),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path: Path, changes: dict[str, Any], fault: str) -> None:
    path = write(tmp_path / "pairs.jsonl", pair(id="sound"), pair(**changes))
    with pytest.raises(CorpusError) as caught:
        load_pairs([path])
    (told,) = caught.value.faults
    assert told.startswith(f"{path}:2: {fault}")


def test_ids_are_unique(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="occurs 2 times"):
        load_pairs([write(tmp_path / "pairs.jsonl", pair(), pair())])


def test_a_pair_fails_where_either_side_is_wrong_or_an_invariance_moves(tmp_path: Path) -> None:
    bundle = load_bundle(ROOT / "models" / "default")
    right, refusal = pair(), pair()["after"]
    wrong = {"text": refusal["text"], "stances": {"Turkey": "support"}}
    moved = {"text": right["before"]["text"], "stances": {"Turkey": "boycott"}}
    path = write(
        tmp_path / "pairs.jsonl",
        right,
        pair(id="negation-2", after={**wrong, "text": refusal["text"] + " It rained."}),
        pair(id="same-1", capability="same", kind="invariance", before=right["before"], after=right["before"]),
        pair(id="same-2", capability="same", kind="invariance", before=moved, after=refusal),
    )
    negation, same = run_pairs(bundle, load_pairs([path]))
    assert (negation.pairs, negation.failed) == (2, ("negation-2",))
    assert (same.pairs, same.failed, same.failure_rate) == (2, ("same-2",), 0.5)


def test_the_pairs_of_the_repository_are_sound() -> None:
    by_capability: dict[str, int] = {}
    for one in load_pairs():
        by_capability[one.capability] = by_capability.get(one.capability, 0) + 1
    assert len(by_capability) >= 12
    assert min(by_capability.values()) >= 40
