"""Training that goes on from a bundle: what is restored of its graph says what the bundle says."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from stance.bundle import CONFIG, MANIFEST, MODEL, load_bundle, save_bundle, save_json
from stance.encoding import Window
from stance.errors import BundleNotFound, StanceError
from stance.head import HeadLayout, join_windows, link_mentions, pool_mentions
from training.backbone import load_tokenizer, load_trained, make_encoder, own_inputs
from training.batches import RecordEncoder
from training.config import TrainingConfig, choose
from training.corpus import Located, load_corpus
from training.data import load_data
from training.finetune import finetune, sample_records
from training.pipeline import finetune_step
from training.pipeline import run as run_pipeline
from training.runs import Earlier, Run
from training.start import make_start, start_settings, tell_start

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def config(tiny_bundle: Path) -> TrainingConfig:
    return start_settings(tiny_bundle)


def judge(
    read: Callable[[Sequence[Window]], NDArray[np.float32]],
    bundle: Path,
    config: TrainingConfig,
    located: Sequence[Located],
) -> NDArray[np.float32]:
    """Log-probabilities of the stances of all actors, shape ``(actors, labels)``."""
    made = load_bundle(bundle, threads=1)
    encoder = make_encoder(load_tokenizer(config.backbone), config)
    encode = RecordEncoder(encoder, made.lexicon, list(made.processes.values()), config)
    judged = []
    for one in located:
        arrays = encode(one.record)
        mentions = link_mentions(read(arrays["windows"]), arrays["mentions"], HeadLayout(config.key_size))
        judged.append(pool_mentions(mentions, arrays["owners"], len(arrays["labels"])))
    return np.concatenate(judged)


def torch_reads(config: TrainingConfig) -> Callable[[Sequence[Window]], NDArray[np.float32]]:
    model = make_start(config).eval()

    def logits(window: Window) -> NDArray[np.float32]:
        ids, types = (torch.from_numpy(one)[None] for one in (window.input_ids, window.token_type_ids))
        with torch.no_grad():
            outputs = model(**own_inputs(model, {"input_ids": ids, "token_type_ids": types}))
        return np.asarray(outputs.logits[0].numpy())

    def read(windows: Sequence[Window]) -> NDArray[np.float32]:
        return join_windows(windows, map(logits, windows))

    return read


def test_every_weight_is_the_trained_one_but_for_the_rounding(tiny_bundle: Path, config: TrainingConfig) -> None:
    trained = load_trained(tiny_bundle.parents[1] / "runs" / "tiny" / "seed-13" / "model").state_dict()
    restored = make_start(config).state_dict()
    assert restored.keys() == trained.keys()
    for name, weight in trained.items():
        assert float((restored[name] - weight).norm()) <= 0.03 * float(weight.norm()), name


@pytest.mark.parametrize("name", ["default", "small"])
def test_a_released_bundle_restored_gives_its_labels(name: str, whole_corpus: list[Located]) -> None:
    bundle = ROOT / "models" / name
    config, engine = start_settings(bundle), load_bundle(bundle, threads=1).engine
    some = [one for one in whole_corpus if one.record.split == "dev" and len(one.record.text) < 900][:12]
    ours = judge(torch_reads(config), bundle, config, some)
    theirs = judge(engine.run_windows, bundle, config, some)
    assert len(ours) > 80
    assert (ours.argmax(axis=1) == theirs.argmax(axis=1)).mean() >= 0.97
    assert np.abs(np.exp(ours) - np.exp(theirs)).mean() < 0.02


def test_what_is_no_fine_tuned_bundle_is_told(tiny_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleNotFound, match="no bundle in"):
        start_settings(tmp_path / "none")

    def forget(folder: Path) -> None:
        config = json.loads((folder / CONFIG).read_text())
        save_json(folder / CONFIG, {key: value for key, value in config.items() if key != "training"})

    baseline = changed(tiny_bundle, tmp_path / "baseline", forget)
    with pytest.raises(
        StanceError, match=r"baseline: config\.json has no training; give a bundle that `train run` fine-tuned"
    ):
        start_settings(baseline)


def test_a_backbone_of_other_word_pieces_is_refused(config: TrainingConfig) -> None:
    told = r"its tokenizer has other word pieces \(\d+\) than backbone 'minilm'; name by --backbone the one that"
    with pytest.raises(StanceError, match=told):
        make_start(replace(config, backbone="minilm"))


def test_a_weight_that_is_missing_or_of_another_shape_is_named(
    tiny_bundle: Path, config: TrainingConfig, tmp_path: Path
) -> None:
    with pytest.raises(StanceError, match=r"model\.onnx holds \(27, 32\) for classifier\.weight, expected \(43, 32\)"):
        make_start(replace(config, key_size=16))

    def rename(folder: Path) -> None:
        graph = onnx.load(str(folder / MODEL))
        for node in graph.graph.node:
            node.input[:] = [one.replace("0.output.dense.inverse", "0.output.dense.other") for one in node.input]
        for one in graph.graph.initializer:
            one.name = one.name.replace("0.output.dense.inverse", "0.output.dense.other")
        onnx.save(graph, str(folder / MODEL))

    other = changed(tiny_bundle, tmp_path / "other", rename)
    told = r"holds nothing for bert\.encoder\.layer\.0\.output\.dense\.weight, .* train without --start"
    with pytest.raises(StanceError, match=told):
        make_start(replace(config, start=str(other)))


def changed(bundle: Path, folder: Path, change: Callable[[Path], object]) -> Path:
    """A copy of a bundle, changed and sealed again."""

    def write(target: Path) -> None:
        shutil.copytree(bundle, target, dirs_exist_ok=True)
        (target / MANIFEST).unlink()
        change(target)

    save_bundle(folder, write)
    return folder


def test_a_run_goes_on_from_the_bundle_that_it_began_with(
    tiny_bundle: Path, config: TrainingConfig, small_corpus: Path, tmp_path: Path
) -> None:
    data, run = load_data([small_corpus]), Run(tmp_path / "run")
    bundle = changed(tiny_bundle, tmp_path / "bundle", lambda folder: None)
    config = replace(config, start=str(bundle), max_records=8)
    start = tell_start(bundle)
    run.begin(config, data.digest, None, start)
    assert start.startswith("tiny 0")
    changed(tiny_bundle, bundle, lambda folder: (folder / "metrics.json").write_text("{}"))
    with pytest.raises(StanceError, match=f"was begun from the bundle {re.escape(start)}, in its --start lies tiny"):
        finetune_step(data, config, run, earlier=Earlier.RESUME, progress=False)
    changed(tiny_bundle, bundle, lambda folder: None)
    assert finetune_step(data, config, run, earlier=Earlier.RESUME, progress=False).start == start
    shutil.rmtree(bundle)  # a run that is done needs it no more
    assert finetune_step(data, config, run, earlier=Earlier.RESUME, progress=False).start == start


def test_a_bundle_that_cannot_be_gone_on_from_costs_no_earlier_run(
    config: TrainingConfig, small_corpus: Path, tmp_path: Path
) -> None:
    (kept := tmp_path / "run.json").write_text("{}")
    data = load_data([small_corpus])
    with pytest.raises(StanceError, match=r"holds \(27, 32\) for classifier\.weight"):
        finetune_step(data, replace(config, key_size=16), Run(tmp_path), earlier=Earlier.OVERWRITE, progress=False)
    assert kept.exists()


def test_a_share_of_the_weights_that_it_started_from_is_kept(
    config: TrainingConfig, small_corpus: Path, tmp_path: Path
) -> None:
    data, before = load_data([small_corpus]), make_start(config).state_dict()

    def learn(keep: float) -> dict[str, torch.Tensor]:
        some = replace(config, max_records=16, dropout=0.0, keep=keep)
        trainer = finetune(
            data.splits["train"], [], data.lexicon, data.known, some, tmp_path, progress=False, epochwise=False
        )
        weights: dict[str, torch.Tensor] = trainer.model.state_dict()
        return weights

    learnt, half, all_kept = learn(0.0), learn(0.5), learn(1.0)
    moved = [name for name, weight in learnt.items() if not torch.equal(weight, before[name])]
    assert {"classifier.weight", "bert.encoder.layer.0.output.dense.weight"} <= set(moved)
    for name, weight in learnt.items():
        assert torch.allclose(half[name], (weight + before[name]) / 2, atol=1e-6), name
        assert torch.equal(all_kept[name], before[name]), name


@pytest.mark.slow
def test_a_bundle_of_own_labels_tells_where_it_started(
    tiny_bundle: Path, config: TrainingConfig, small_corpus: Path, write_records: Callable[..., Path], tmp_path: Path
) -> None:
    text = "Turkey will send a delegation to Sochi. The Delta Council stayed away on day {}."
    own = write_records(*({"split": "train", "text": text.format(day)} for day in range(12)), name="own.jsonl")
    data = load_data([small_corpus], extra=[own])
    config = replace(config, max_records=10)
    metrics = run_pipeline(
        data, config, folder=tmp_path / "models" / "own", runs=tmp_path, min_agreement=0.5, progress=False
    )
    start = tell_start(tiny_bundle)
    assert metrics["records"]["train"] == 22
    rows = ["transformer, int8 (this bundle)", "transformer, fp32", "the bundle that it started from"]
    assert list(metrics["rows"]) == rows
    assert json.loads((tmp_path / "models" / "own" / "config.json").read_text())["start"] == start
    assert (
        f"with the weights of the bundle {start} (its card"
        in (tmp_path / "models" / "own" / "MODEL_CARD.md").read_text()
    )
    assert load_bundle(tmp_path / "models" / "own").version != load_bundle(tiny_bundle).version


def test_the_settings_are_those_of_the_bundle_for_a_short_pass(tiny_bundle: Path, config: TrainingConfig) -> None:
    made = json.loads((tiny_bundle / "config.json").read_text())["training"]
    assert {key: made[key] for key in ("backbone", "key_size", "max_length", "swap_rate")}.items() <= asdict(
        config
    ).items()
    assert (config.epochs, config.start) == (1.0, str(tiny_bundle))
    moved = choose(config, backbone="elsewhere", layers=None, learning_rate=1e-4)
    assert moved == replace(config, backbone="elsewhere", learning_rate=1e-4)


def test_all_own_labels_are_learnt_from_beside_a_part_of_the_others(small_corpus: Path, tmp_path: Path) -> None:
    ones = load_corpus([small_corpus])
    own = [replace(one, path=tmp_path / "own.jsonl") for one in ones[:30]]
    config = TrainingConfig(max_records=20)
    taken = sample_records([*own, *ones[30:]], config, {tmp_path / "own.jsonl"})
    assert len(taken) == 50
    assert taken[:30] == own
    assert len({one.record.id for one in taken}) == 50
    assert len(sample_records(ones, config)) == 20
    assert sample_records(ones[:20], config) == ones[:20]
