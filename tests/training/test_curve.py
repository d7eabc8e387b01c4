from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from stance.bundle import save_json
from stance.errors import StanceError
from training.config import TrainingConfig
from training.curve import CURVE, measure_curve, summarise_curve
from training.data import load_data


@pytest.mark.slow
def test_the_curve_goes_on_where_it_was(small_corpus: Path, tiny_backbone: Path, tmp_path: Path) -> None:
    data = load_data([small_corpus])
    config = TrainingConfig(backbone=str(tiny_backbone), epochs=1.0, key_size=8, max_length=128)
    held_out = {"corpus dev": data.splits["dev"]}

    def measure(percents: list[int], seeds: int, own: TrainingConfig = config) -> dict[str, object]:
        return measure_curve(
            data, held_out, own, percents=percents, seeds=seeds, folder=tmp_path / "curve", progress=False
        )

    first = measure([25], 1)
    again = measure([100, 25], 2)
    assert again["rows"][0] == first["rows"][0]
    assert [(row["percent"], row["seed"]) for row in again["rows"]] == [(25, 13), (25, 14), (100, 13), (100, 14)]
    assert [row["records"] for row in again["rows"]] == [15, 15, 60, 60]
    assert [path.name for path in (tmp_path / "curve").iterdir()] == [CURVE]
    share, rows, scores = summarise_curve(again)[1]
    assert (share, len(rows)) == (100, 2)
    assert scores["corpus dev"].value == pytest.approx(
        sum(row["macro_f1"]["corpus dev"]["all"]["value"] for row in rows) / 2
    )
    with pytest.raises(StanceError, match="made with other settings or data"):
        measure([100], 1, TrainingConfig(backbone=str(tiny_backbone), epochs=2.0, key_size=8, max_length=128))


def test_a_curve_on_other_labels_is_not_gone_on_with(small_corpus: Path, tmp_path: Path) -> None:
    data = load_data([small_corpus])
    first, *others = data.splits["dev"]
    actor = first.record.actors[0]
    label = "support" if actor.label == "none" else "none"
    relabelled = (actor.model_copy(update={"label": label}), *first.record.actors[1:])
    changed = replace(first, record=first.record.model_copy(update={"actors": relabelled}))
    nothing = {"config": TrainingConfig(), "percents": [], "seeds": 1, "folder": tmp_path}
    curve = measure_curve(data, {"gold dev": [first, *others]}, **nothing)
    save_json(tmp_path / CURVE, curve)
    assert measure_curve(data, {"gold dev": [first, *others]}, **nothing) == curve
    with pytest.raises(StanceError, match="made with other settings or data"):
        measure_curve(data, {"gold dev": [changed, *others]}, **nothing)
