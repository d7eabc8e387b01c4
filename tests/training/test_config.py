"""The settings of a training: what they may be, and how they are read again."""

from __future__ import annotations

import json
import pickle
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from stance.errors import StanceError
from training.config import PRESETS, TrainingConfig, choose, parse_changes, parse_config

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"batch_size": -3}, "settings: batch_size: Input should be greater than 0; received -3"),
        ({"batch_size": 0}, "batch_size: Input should be greater than 0"),
        ({"epochs": float("nan")}, "epochs: Input should be a finite number"),
        ({"link_weight": float("inf")}, "link_weight: Input should be a finite number"),
        ({"learning_rate": -1}, "learning_rate: Input should be greater than 0"),
        ({"temperature": 0}, "temperature: Input should be greater than 0"),
        ({"max_length": 0}, "max_length: Input should be greater than 0"),
        ({"key_size": 0}, "key_size: Input should be greater than 0"),
        ({"layers": -1}, "layers: Input should be greater than or equal to 0"),
        ({"layers": 6.5}, "layers: Input should be a valid integer"),
        ({"swap_rate": 7}, "swap_rate: Input should be less than or equal to 1; received 7"),
        ({"average": 2}, "average: Input should be less than or equal to 1"),
        ({"dropout": 1.5}, "dropout: Input should be less than 1"),
        ({"curriculum": 9}, "curriculum: Input should be a valid boolean"),
        ({"backbone": 3}, "backbone: Input should be a valid string"),
        ({"label_smoothing": 0.1}, "label_smoothing: Unexpected keyword argument"),
    ],
)
def test_a_setting_that_may_not_be_is_told_wherever_it_is_given(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(StanceError, match=told):
        TrainingConfig(**changes)
    with pytest.raises(StanceError, match=told):
        choose("small", **changes)
    with pytest.raises(StanceError, match=f"{told}(.|\n)*train again"):
        parse_config(changes)


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(StanceError) as caught:
        TrainingConfig(swap_rate=7, average=2)
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == ["average", "swap_rate"]


def test_two_readings_that_hardly_differ_are_not_compared() -> None:
    told = "r_drop: .* received 1.0; give hidden_dropout too, such as 0.1, or leave r_drop at 0"
    with pytest.raises(StanceError, match=told):
        replace(PRESETS["default"], r_drop=1.0)
    with pytest.raises(StanceError, match=told):
        parse_changes("r_drop=1")
    changes = parse_changes("r_drop=1,hidden_dropout=0.1")
    assert choose("default", changes=changes) == replace(PRESETS["default"], **changes)


def test_settings_are_what_they_were_when_they_are_read_again() -> None:
    for config in (*PRESETS.values(), TrainingConfig(curriculum=True, teacher="runs/a")):
        assert pickle.loads(pickle.dumps(config)) == config
        assert parse_config(json.loads(json.dumps(asdict(config)))) == config
    assert parse_config({**asdict(config), "curriculum": 1}) == config  # as earlier runs have it
    with pytest.raises(AttributeError):
        config.seed = 14  # type: ignore[misc]


def test_strings_are_read_as_what_they_stand_for() -> None:
    assert replace(TrainingConfig(), layers="6", swap_rate="0.7", curriculum="true") == TrainingConfig(
        layers=6, swap_rate=0.7, curriculum=True
    )


@pytest.mark.parametrize("name", ["default", "small"])
def test_the_settings_of_the_released_bundles_are_read(name: str) -> None:
    made = json.loads((ROOT / "models" / name / "config.json").read_text(encoding="utf-8"))["training"]
    assert made.items() <= asdict(parse_config(made)).items()
