"""One model of several: what it holds is their mean, and what it cannot be made of is told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from stance.bundle import load_bundle
from stance.errors import BundleNotFound, StanceError
from stance.head import HeadLayout
from training.cli import app
from training.config import TrainingConfig
from training.data import load_data
from training.pipeline import run as run_pipeline
from training.runs import Earlier, Run, Trained
from training.soup import load_ingredient, make_soup, mix_weights
from training.start import make_start, start_settings

LAYOUT = HeadLayout(4)


def head(seed: int) -> dict[str, torch.Tensor]:
    make = torch.Generator().manual_seed(seed)
    return {
        "classifier.weight": torch.randn((LAYOUT.size, 12), generator=make),
        "classifier.bias": torch.randn(LAYOUT.size, generator=make),
        "layer": torch.randn((3, 5), generator=make),
    }


def links(weights: dict[str, torch.Tensor]) -> torch.Tensor:
    """What each of 30 tokens looks at, before the softmax."""
    tokens = torch.randn((30, 12), generator=torch.Generator().manual_seed(9))
    logits = tokens @ weights["classifier.weight"].T + weights["classifier.bias"]
    return logits[:, LAYOUT.query] @ logits[:, LAYOUT.key].T


def turned(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same model, its keys and queries in other axes."""
    turn, _ = torch.linalg.qr(torch.randn((4, 4), generator=torch.Generator().manual_seed(5)))
    other = {name: one.clone() for name, one in weights.items()}
    for name in ("classifier.weight", "classifier.bias"):
        for columns in (LAYOUT.key, LAYOUT.query):
            other[name][columns] = turn @ weights[name][columns]
    return other


def test_the_mean_of_a_model_and_itself_in_other_axes_is_that_model() -> None:
    one = head(1)
    mixed = mix_weights([one, turned(one)], [3, 1], LAYOUT)
    assert not torch.allclose(turned(one)["classifier.weight"], one["classifier.weight"], atol=0.1)
    assert torch.allclose(links(mixed), links(one), atol=1e-4)
    for columns in (LAYOUT.tags, LAYOUT.stance, LAYOUT.cues):
        assert torch.allclose(mixed["classifier.weight"][columns], one["classifier.weight"][columns], atol=1e-6)


def test_shares_weigh_and_the_link_is_as_near_to_the_mean_as_so_few_dimensions_allow() -> None:
    one, other = head(1), head(2)
    mixed = mix_weights([one, other], [3, 1], LAYOUT)
    assert torch.allclose(mixed["layer"], 0.75 * one["layer"] + 0.25 * other["layer"])
    stance = LAYOUT.stance
    wanted = 0.75 * one["classifier.bias"][stance] + 0.25 * other["classifier.bias"][stance]
    assert torch.allclose(mixed["classifier.bias"][stance], wanted)
    mean = 0.75 * links(one) + 0.25 * links(other)
    assert (links(mixed) - mean).norm() < (links(one) - mean).norm()
    plain = {name: 0.75 * one[name] + 0.25 * other[name] for name in one}
    assert (links(mixed) - mean).norm() < 0.8 * (links(plain) - mean).norm()


def test_a_bundle_and_its_run_are_mixed_exported_and_told(
    tiny_bundle: Path, small_corpus: Path, tmp_path: Path
) -> None:
    trained = tiny_bundle.parents[1] / "runs" / "tiny" / "seed-13"
    both = ["soup", str(tiny_bundle), str(trained), "--data", str(small_corpus)]
    both += ["--runs", str(tmp_path), "--name", "both"]
    told = CliRunner().invoke(app, [*both, "--share", "3", "--share", "1"])
    assert told.exit_code == 0, told.output
    assert "(0.75) and" in told.output
    assert "next: train export --name both --seed 0" in told.output
    run = Run(tmp_path / "both" / "seed-0")
    restored, learnt = (load_ingredient(one).weights for one in (tiny_bundle, trained))
    name = "bert.encoder.layer.0.output.dense.weight"
    wanted = 0.75 * restored[name] + 0.25 * learnt[name]
    assert torch.allclose(load_ingredient(run.folder).weights[name], wanted, atol=1e-6)

    data = load_data([small_corpus])
    folder = tmp_path / "models" / "both"
    run_pipeline(data, run.config(), folder=folder, runs=tmp_path, earlier=Earlier.RESUME, min_agreement=0.5)
    assert load_bundle(folder).version != load_bundle(tiny_bundle).version
    start = json.loads((folder / "config.json").read_text())["start"]
    assert start.startswith("the mean of the weights of tiny 0")
    assert f" with {start}, head included, exported" in (folder / "MODEL_CARD.md").read_text()
    assert start_settings(folder).backbone == run.config().backbone  # and training goes on from it
    again = CliRunner().invoke(app, both)
    assert again.exit_code == 1
    assert "holds a finished run" in again.output


def test_what_cannot_be_mixed_is_told_before_anything_is_written(
    tiny_bundle: Path, small_corpus: Path, tmp_path: Path
) -> None:
    run, config = Run(tmp_path / "mixed"), start_settings(tiny_bundle)
    with pytest.raises(StanceError, match=r"1 models and the shares 1; give two models or more"):
        make_soup([tiny_bundle], [], run, "0", seed=1)
    for shares in ([1.0], [1.0, 0.0], [2.0, -1.0], [1.0, float("nan")], [1.0, float("inf")]):
        with pytest.raises(StanceError, match="give two models or more and, if not all count alike, a --share above 0"):
            make_soup([tiny_bundle, tiny_bundle], shares, run, "0", seed=1)
    with pytest.raises(BundleNotFound, match="no bundle in"):
        make_soup([tiny_bundle, tmp_path / "none"], [], run, "0", seed=1)
    other = finished(tmp_path / "other", replace(config, start="", key_size=16))
    with pytest.raises(StanceError, match=r"other: classifier\.bias is \(43,\), in tiny .* \(27,\); mix models of one"):
        make_soup([tiny_bundle, other], [], run, "0", seed=1)
    assert not run.folder.exists()


def finished(folder: Path, config: TrainingConfig) -> Path:
    """A finished run of a model that has learnt nothing."""
    run = Run(folder)
    run.begin(config, "0")
    make_start(config).save_pretrained(run.model)
    run.finish(Trained(run.model, 0.0, [], None))
    return folder
