from __future__ import annotations

import copy
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import load_file
from transformers import BertModel, DebertaV2Config, DebertaV2Model, EvalPrediction, TrainerCallback

from stance.actors import Lexicon
from stance.errors import ParityError, StanceError
from stance.head import HeadLayout, attend, mention_importance, pool_mentions
from training.augment import NamePool
from training.backbone import load_tokenizer, load_trained, make_encoder, make_model
from training.batches import IGNORE, Collator, RecordEncoder, StagedSampler
from training.callbacks import CheckpointClock, WeightAverage
from training.config import TrainingConfig
from training.corpus import load_corpus
from training.data import Data, load_data
from training.export import export_model
from training.finetune import finetune, make_dataset
from training.losses import StanceLoss, link
from training.pipeline import finetune_step
from training.runs import Earlier, Run
from training.trainer import StanceTrainer, make_arguments, score_predictions


@pytest.fixture(scope="module")
def config(tiny_backbone: Path) -> TrainingConfig:
    return TrainingConfig(backbone=str(tiny_backbone), key_size=8, max_length=96, context=16, swap_rate=0.0)


@pytest.fixture(scope="module")
def encode(config: TrainingConfig) -> RecordEncoder:
    return RecordEncoder(make_encoder(load_tokenizer(config.backbone), config), Lexicon([]), [], config)


@pytest.fixture(scope="module")
def batch(encode: RecordEncoder, small_corpus: Path) -> dict[str, object]:
    rows = [{"json": one.record.model_dump_json(by_alias=True)} for one in load_corpus([small_corpus])[:6]]
    return Collator(encode, 0)(rows)


def forward(config: TrainingConfig, batch: dict[str, object]) -> tuple[torch.nn.Module, object]:
    model = make_model(config).eval()
    inputs = {key: value for key, value in batch.items() if key != "labels"}
    return model, model(**inputs)


def test_serving_and_training_judge_alike(
    config: TrainingConfig, encode: RecordEncoder, batch: dict[str, object], small_corpus: Path
) -> None:
    layout = HeadLayout(config.key_size)
    _, outputs = forward(config, batch)
    linked = link(outputs["logits"], batch["labels"], layout)
    for row, one in enumerate(load_corpus([small_corpus])[:6]):
        arrays = encode(one.record)
        count, actors = arrays["mentions"].shape[1], len(arrays["labels"])
        tokens = linked["tokens"][row, :count].detach().numpy()
        owners = arrays["owners"]
        mentions, by_mention = attend(arrays["mentions"] @ tokens, tokens, layout)
        stances, counts = pool_mentions(mentions, owners, actors), mention_importance(mentions)
        attention = np.zeros((actors, count), dtype=np.float32)
        np.add.at(attention, owners, (counts / np.bincount(owners, counts)[owners])[:, None] * by_mention)
        assert np.allclose(stances, linked["stances"][row, :actors].detach().numpy(), atol=1e-4)
        assert np.allclose(attention, linked["attention"][row, :actors, :count].detach().numpy(), atol=1e-4)


def test_evidence_and_labels_lie_on_the_right_tokens(encode: RecordEncoder, small_corpus: Path) -> None:
    for one in load_corpus([small_corpus])[:20]:
        arrays = encode(one.record)
        for row, actor in enumerate(one.record.actors):
            assert arrays["evidence"][row].any() == (actor.label != "none")
        assert np.allclose(arrays["mentions"].sum(axis=1), 1)
        assert (arrays["tags"] == 1).sum() > 0


def test_every_part_of_the_loss_teaches(config: TrainingConfig, batch: dict[str, object]) -> None:
    layout = HeadLayout(config.key_size)
    model, outputs = forward(config, batch)
    loss = StanceLoss(config)(outputs, batch["labels"])
    loss.backward()
    gradient = model.classifier.weight.grad.abs().sum(dim=1)
    for part in (layout.tags, layout.stance, layout.cues, layout.key, layout.query):
        assert (gradient[part] > 0).any()


def test_a_few_steps_overfit_a_batch(config: TrainingConfig, batch: dict[str, object]) -> None:
    model, _ = forward(config, batch)
    inputs = {key: value for key, value in batch.items() if key != "labels"}
    optimizer, loss_of = torch.optim.AdamW(model.parameters(), 5e-3), StanceLoss(config)
    losses = []
    for _ in range(60):
        loss = loss_of(model(**inputs), batch["labels"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 2


def test_an_export_that_does_not_agree_is_refused(
    config: TrainingConfig, encode: RecordEncoder, small_corpus: Path
) -> None:
    model = make_model(config)
    encoder = make_encoder(load_tokenizer(config.backbone), config)
    located = load_corpus([small_corpus])[:4]
    exported = export_model(model, encoder, HeadLayout(8), encode, located, min_agreement=0.0)
    assert exported.parity.fp32_agreement == 1
    assert exported.parity.fp32_difference < 1e-3
    weights = onnx.load_from_string(exported.graph).graph.initializer
    assert any(one.data_type in (onnx.TensorProto.INT8, onnx.TensorProto.UINT8) and one.dims for one in weights)
    with pytest.raises(ParityError, match="nothing was written; train longer"):
        export_model(make_model(replace(config, layers=1)), encoder, HeadLayout(8), encode, located, min_agreement=1.01)


def test_only_the_first_layers_are_read(config: TrainingConfig) -> None:
    whole, cut = make_model(config), make_model(replace(config, layers=1))
    assert (whole.config.num_hidden_layers, cut.config.num_hidden_layers) == (2, 1)
    weights = whole.state_dict()
    first = [name for name in cut.state_dict() if "encoder.layer.0." in name]
    assert first
    assert all(torch.equal(cut.state_dict()[name], weights[name]) for name in first)
    assert make_model(replace(config, layers=99)).config.num_hidden_layers == 2


def test_the_saved_model_is_a_plain_token_classifier(config: TrainingConfig, tmp_path: Path) -> None:
    make_model(config).save_pretrained(tmp_path)
    saved = json.loads((tmp_path / "config.json").read_text())
    assert saved["architectures"] == ["BertForTokenClassification"]
    assert saved["id2label"]["3"] == "stance:support"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_backbone_in_half_precision_is_trained_in_fp32(
    config: TrainingConfig, tiny_backbone: Path, tmp_path: Path, dtype: torch.dtype
) -> None:
    shutil.copytree(tiny_backbone, tmp_path, dirs_exist_ok=True)
    BertModel.from_pretrained(tiny_backbone).to(dtype).save_pretrained(tmp_path)
    model = make_model(replace(config, backbone=str(tmp_path)))
    assert {one.dtype for one in model.parameters()} == {torch.float32}
    model.to(dtype).save_pretrained(tmp_path / "trained")
    assert {one.dtype for one in load_trained(tmp_path / "trained").parameters()} == {torch.float32}


def test_every_evaluation_counts_all_cases(
    config: TrainingConfig, small_corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, counted = load_data([small_corpus]), []

    def count(prediction: EvalPrediction) -> dict[str, float]:
        counted.append(int((prediction.label_ids != IGNORE).sum()))
        return score_predictions(prediction)

    monkeypatch.setattr("training.finetune.score_predictions", count)
    splits = data.splits["train"][:8], data.splits["dev"]
    finetune(*splits, data.lexicon, data.known, replace(config, epochs=2.0), tmp_path, progress=False)
    encode = RecordEncoder(make_encoder(load_tokenizer(config.backbone), config), data.lexicon, data.known, config)
    labels = np.concatenate([encode(one.record)["labels"] for one in data.splits["dev"]])
    assert len(data.splits["dev"]) % 32
    assert counted == [(labels != IGNORE).sum()] * 2


def fine_tuned(config: TrainingConfig, small_corpus: Path, folder: Path) -> tuple[Data, StanceTrainer]:
    data = load_data([small_corpus])
    arguments = (data.splits["train"], data.splits["dev"], data.lexicon, data.known, config, folder)
    return data, finetune(*arguments, progress=False, epochwise=False)


@pytest.fixture(scope="module")
def trained(
    config: TrainingConfig, small_corpus: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Data, StanceTrainer]:
    settings = {"epochs": 1.0, "layer_decay": 0.5, "r_drop": 1.0, "hidden_dropout": 0.1, "curriculum": 1}
    return fine_tuned(replace(config, **settings), small_corpus, tmp_path_factory.mktemp("trained"))


def test_a_trainer_judges_records_in_order(
    trained: tuple[Data, StanceTrainer], config: TrainingConfig, encode: RecordEncoder
) -> None:
    data, trainer = trained
    dev, layout = data.splits["dev"], HeadLayout(config.key_size)
    judged = trainer.judge(make_dataset(dev, data.names).to_list())
    assert [len(rows) for rows in judged] == [len(one.record.actors) for one in dev]
    for rows, one in zip(judged, dev, strict=True):
        batch = Collator(encode, 0)([{"json": one.record.model_dump_json(by_alias=True)}])
        labels = batch.pop("labels")
        with torch.no_grad():
            outputs = trainer.model.eval()(**batch)
        alone = link(outputs["logits"], labels, layout)["stances"][0].numpy()
        assert np.allclose(rows, alone, atol=0.05)  # bf16 against fp32
    assert np.ptp([rows[0] for rows in judged], axis=0).max() > 0.1  # or any order would do


def test_lower_layers_learn_slower(trained: tuple[Data, StanceTrainer]) -> None:
    _, trainer = trained
    peak = trainer.args.learning_rate
    rates = {
        name: trainer._rate(name)
        for name in (
            "classifier.weight",
            "bert.encoder.layer.1.output.dense.weight",
            "bert.encoder.layer.0.output.dense.weight",
            "bert.embeddings.word_embeddings.weight",
        )
    }
    assert list(rates.values()) == pytest.approx([peak * 5, peak, peak / 2, peak / 4])
    assert set(rates) <= {name for name, _ in trainer.model.named_parameters()}


def test_a_pass_ends_with_the_sochi_process(trained: tuple[Data, StanceTrainer]) -> None:
    data, trainer = trained
    order = list(trainer._get_train_sampler())
    late = [data.names.resolve(data.splits["train"][index].record.process).key == "sochi" for index in order]
    assert sorted(order) == list(range(len(data.splits["train"])))
    assert 0 < sum(late) < len(late)
    assert late == sorted(late)


def test_rare_labels_weigh_more(config: TrainingConfig, batch: dict[str, object]) -> None:
    _, outputs = forward(config, batch)
    shares = [0.4, 0.1, 0.1, 0.4]
    weighed = replace(config, class_power=0.5, tag_weight=0.0, link_weight=0.0, cue_weight=0.0)
    loss = StanceLoss(weighed, shares)(outputs, batch["labels"])
    stances, labels = link(outputs["logits"], batch["labels"], HeadLayout(8))["stances"], batch["labels"]["stances"]
    weight = torch.tensor(shares) ** -0.5
    weight /= (weight * torch.tensor(shares)).sum()
    known = labels >= 0
    assert float(weight[1] / weight[0]) == pytest.approx(2)
    expected = -(stances[known].gather(1, labels[known][:, None])[:, 0] * weight[labels[known]]).mean()
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)


def test_the_head_has_dropout_whatever_the_backbone(config: TrainingConfig, tmp_path: Path) -> None:
    DebertaV2Model(
        DebertaV2Config(
            vocab_size=20,
            hidden_size=8,
            num_hidden_layers=1,
            num_attention_heads=2,
            intermediate_size=8,
            hidden_dropout_prob=0.1,
        )
    ).save_pretrained(tmp_path)
    for backbone in (config.backbone, str(tmp_path)):
        assert make_model(replace(config, backbone=backbone, dropout=0.25)).dropout.p == 0.25


def test_labels_that_nobody_has_weigh_nothing(config: TrainingConfig, batch: dict[str, object]) -> None:
    _, outputs = forward(config, batch)
    weighed = replace(config, class_power=0.5)
    assert torch.isfinite(StanceLoss(weighed, [0.5, 0.0, 0.1, 0.4])(outputs, batch["labels"]))
    with pytest.raises(ValueError, match="needs the share of each label"):
        StanceLoss(weighed)


def test_layers_that_cannot_be_told_apart_are_refused(
    trained: tuple[Data, StanceTrainer], config: TrainingConfig
) -> None:
    _, trainer = trained
    wrapped = copy.copy(trainer)
    wrapped.optimizer, wrapped.model = None, torch.nn.Linear(2, 2)
    with pytest.raises(StanceError, match="has no layers by that name"):
        wrapped.create_optimizer()


def test_frozen_layers_and_embeddings_stay_as_they_are(
    config: TrainingConfig, small_corpus: Path, tmp_path: Path
) -> None:
    frozen = replace(config, epochs=1.0, freeze=1, average=0.5)
    before = make_model(frozen).state_dict()
    after = fine_tuned(frozen, small_corpus, tmp_path)[1].model.state_dict()
    same = {name for name in after if torch.equal(after[name], before[name].to(after[name].device))}
    kept = {name for name in after if "embeddings" in name or ".layer.0." in name}
    assert kept <= same
    assert not {name for name in same - kept if ".layer.1." in name and not name.endswith("key.bias")}


def test_more_frozen_layers_than_there_are_are_refused(
    config: TrainingConfig, small_corpus: Path, tmp_path: Path
) -> None:
    with pytest.raises(StanceError, match=r"freeze: received 2; .* at most 1 layers"):
        fine_tuned(replace(config, freeze=2), small_corpus, tmp_path)


def test_a_stage_may_be_empty() -> None:
    rows = np.arange(5)
    assert sorted(StagedSampler([rows[:0], rows], [3, 1, 2, 5, 4], 2)) == rows.tolist()


def test_names_are_tagged_by_the_capitals_that_the_text_had(config: TrainingConfig, small_corpus: Path) -> None:
    encoder = make_encoder(load_tokenizer(config.backbone), config)
    pool = NamePool((), (), ())
    plain, changed = (
        RecordEncoder(encoder, Lexicon([]), [], replace(config, process_rate=1.0, case_rate=rate), pool=pool, seed=1)
        for rate in (0.0, 1.0)
    )
    records = [one.record for one in load_corpus([small_corpus])[:20]]
    assert any((plain(one)["tags"] == 1).any() for one in records)
    for one in records:
        assert np.array_equal(plain(one)["tags"], changed(one)["tags"])  # the tiny backbone reads small letters only


def test_the_last_weights_are_averaged(config: TrainingConfig, small_corpus: Path, tmp_path: Path) -> None:
    class Recorder(TrainerCallback):
        seen: ClassVar[list[torch.Tensor]] = []

        def on_step_end(
            self, args: object, state: object, control: object, *, model: torch.nn.Module, **_: object
        ) -> None:
            self.seen.append(model.classifier.weight.detach().clone())

    data = load_data([small_corpus])
    arguments = make_arguments(replace(config, epochs=6.0, average=0.5), tmp_path, progress=False, epochwise=False)
    encoded = RecordEncoder(make_encoder(load_tokenizer(config.backbone), config), data.lexicon, data.known, config)
    trainer = StanceTrainer(
        model=make_model(config),
        args=arguments,
        train_dataset=make_dataset(data.splits["train"], data.names),
        data_collator=Collator(encoded, 0),
        eval_collator=Collator(encoded, 0),
        teacher=None,
        compute_loss_func=StanceLoss(config),
        config=config,
        callbacks=[Recorder(), WeightAverage(0.5)],
    )
    trainer.train()
    steps = len(Recorder.seen)
    averaged = [
        Recorder.seen[step - 1] for step in range(1, steps + 1) if step > steps / 2 and (steps - step) % 10 == 0
    ]
    assert len(averaged) > 2
    assert torch.allclose(trainer.model.classifier.weight, torch.stack(averaged).mean(dim=0), atol=1e-6)


def test_a_resumed_run_averages_what_an_uninterrupted_one_does(
    config: TrainingConfig, small_corpus: Path, tmp_path: Path
) -> None:
    data = load_data([small_corpus])
    config = replace(config, epochs=6.0, average=0.9, dropout=0.0)

    def run() -> dict[str, torch.Tensor]:
        splits = data.splits["train"], data.splits["dev"]
        trainer = finetune(*splits, data.lexicon, data.known, config, tmp_path, progress=False)
        return {name: one.clone() for name, one in trainer.model.state_dict().items()}

    whole = run()
    first, last = sorted(tmp_path.glob("checkpoint-*"), key=lambda one: int(one.name.split("-")[1]))
    assert (first / "mean.safetensors").exists()
    at_last = load_file(last / "model.safetensors")
    shutil.rmtree(last)
    resumed = run()
    assert all(torch.allclose(one, resumed[name], atol=1e-4) for name, one in whole.items())
    assert not torch.allclose(whole["classifier.weight"], at_last["classifier.weight"], atol=1e-4)


def test_only_a_checkpoint_that_was_written_to_its_end_is_gone_on_from(
    config: TrainingConfig, small_corpus: Path, tmp_path: Path
) -> None:
    data, config = load_data([small_corpus]), replace(config, epochs=2.0, average=0.9)
    data = replace(data, splits={**data.splits, "train": data.splits["train"][:16], "dev": data.splits["dev"][:2]})
    finetune_step(data, config, Run(tmp_path), progress=False)
    first, last = sorted(tmp_path.glob("checkpoints/*"), key=lambda one: int(one.name.split("-")[1]))
    assert 0 < CheckpointClock.seconds(first) < CheckpointClock.seconds(last)
    assert CheckpointClock.last_whole(tmp_path / "checkpoints") == last
    (last / "seconds.json").unlink()  # a stop between the Trainer's files and ours
    assert CheckpointClock.last_whole(tmp_path / "checkpoints") == first
    (first / "seconds.json").write_text("1000.0")
    (tmp_path / "done.json").unlink()
    assert finetune_step(data, config, Run(tmp_path), earlier=Earlier.RESUME, progress=False).seconds > 1000
    assert CheckpointClock.seconds(last) > 1000
