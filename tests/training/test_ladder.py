from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stance.bundle import save_json
from stance.errors import StanceError
from training.config import TrainingConfig, parse_changes
from training.data import load_data
from training.ladder import LADDER, curve_rows, measure_ladder, summarise_ladder


@pytest.mark.slow
def test_the_ladder_goes_on_where_it_was(small_corpus: Path, tiny_backbone: Path, tmp_path: Path) -> None:
    data = load_data([small_corpus])
    config = TrainingConfig(backbone=str(tiny_backbone), epochs=1.0, key_size=8, max_length=128)
    held_out = {"corpus dev": data.splits["dev"]}
    quarter, whole = {"max_records": 15}, {"max_records": 0, "link_weight": 0.0}

    def measure(
        rows: dict[str, dict[str, float]], seeds: int, own: TrainingConfig = config
    ) -> dict[str, list[dict[str, object]]]:
        return measure_ladder(data, held_out, own, rows=rows, seeds=seeds, folder=tmp_path / "ladder", progress=False)

    first = measure({"a": quarter}, 1)
    again = measure({"b": whole, "a": quarter}, 2)
    assert again["runs"][2] == first["runs"][0]
    assert [(one["row"], one["seed"]) for one in again["runs"]] == [("b", 13), ("b", 14), ("a", 13), ("a", 14)]
    assert [one["records"] for one in again["runs"]] == [60, 60, 15, 15]
    assert [path.name for path in (tmp_path / "ladder").iterdir()] == [LADDER]
    row, runs, scores = summarise_ladder(again)[0]
    assert (row, len(runs)) == ("b", 2)
    assert scores["corpus dev"].value == pytest.approx(
        sum(one["macro_f1"]["corpus dev"]["all"]["value"] for one in runs) / 2
    )
    with pytest.raises(StanceError, match="made with other settings or data"):
        measure({"b": whole}, 1, replace(config, epochs=2.0))
    with pytest.raises(StanceError, match="has a row 'a' of other settings"):
        measure({"a": whole}, 1)


def test_a_ladder_on_other_labels_is_not_gone_on_with(small_corpus: Path, tmp_path: Path) -> None:
    data = load_data([small_corpus])
    first, *others = data.splits["dev"]
    actor = first.record.actors[0]
    label = "support" if actor.label == "none" else "none"
    relabelled = (actor.model_copy(update={"label": label}), *first.record.actors[1:])
    changed = replace(first, record=first.record.model_copy(update={"actors": relabelled}))
    nothing = {"config": TrainingConfig(), "rows": {}, "seeds": 1, "folder": tmp_path}
    ladder = measure_ladder(data, {"gold dev": [first, *others]}, **nothing)
    save_json(tmp_path / LADDER, ladder)
    assert measure_ladder(data, {"gold dev": [first, *others]}, **nothing) == ladder
    with pytest.raises(StanceError, match="made with other settings or data"):
        measure_ladder(data, {"gold dev": [changed, *others]}, **nothing)


def test_a_row_whose_backbone_cannot_be_trained_is_refused_before_others_are(
    small_corpus: Path, tiny_backbone: Path, tmp_path: Path
) -> None:
    data, config = load_data([small_corpus]), TrainingConfig(backbone=str(tiny_backbone), max_records=1)
    for changes, told in (
        ({"max_length": 640}, "reads at most 512"),
        ({"backbone": str(tmp_path)}, "cannot be loaded"),
    ):
        rows = {"unchanged": {}, "faulty": changes}
        with pytest.raises(StanceError, match=told):
            measure_ladder(data, {}, config, rows=rows, seeds=1, folder=tmp_path, progress=False)
    assert not (tmp_path / LADDER).exists()


def test_a_curve_is_a_ladder_of_shares(small_corpus: Path) -> None:
    rows = curve_rows(load_data([small_corpus]), [100, 25, 25])
    assert rows == {"25%": {"max_records": 15}, "100%": {"max_records": 0}}


def test_changes_are_read_as_the_settings_are() -> None:
    assert parse_changes("swap_rate=0.7, layers=6,backbone=mpnet,curriculum=1") == {
        "swap_rate": 0.7,
        "layers": 6,
        "backbone": "mpnet",
        "curriculum": True,
    }


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("swap=0.7", "'swap=0.7' is no setting with its value; allowed are NAME=VALUE of backbone, layers"),
        ("swap_rate", "'swap_rate' is no setting"),
        ("seed=4", "'seed=4' is no setting"),
        ("", "'' is no setting"),
        ("epochs=1,layers=2, epochs=2", "epochs: is given twice; give it once"),
        ("layers=6.5", 'settings: layers: Input should be a valid integer, .*; received "6.5"'),
        ("swap_rate=7,average=2", 'average: .* or equal to 1; received "2"\nsettings: swap_rate: .*; received "7"'),
    ],
)
def test_changes_that_cannot_be_are_told(text: str, told: str) -> None:
    with pytest.raises(StanceError, match=told):
        parse_changes(text)
