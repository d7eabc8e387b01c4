"""Rounded batches everywhere; passes by CUDA graphs where there is a GPU."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import DebertaV2Config, DebertaV2ForTokenClassification

from stance.actors import Lexicon
from training.backbone import load_tokenizer, make_encoder, make_model
from training.batches import Collator, RecordEncoder
from training.config import TrainingConfig
from training.corpus import load_corpus
from training.graphs import GraphedPasses, keep_relative_positions
from training.losses import StanceLoss

needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU with CUDA")


@pytest.fixture(scope="module")
def config(tiny_backbone: Path) -> TrainingConfig:
    return TrainingConfig(backbone=str(tiny_backbone), key_size=8, max_length=96, context=16, dropout=0.0)


@pytest.fixture(scope="module")
def rows(small_corpus: Path) -> list[dict[str, Any]]:
    return [{"json": one.record.model_dump_json(by_alias=True)} for one in load_corpus([small_corpus])[:24]]


@pytest.fixture(scope="module")
def encode(config: TrainingConfig) -> RecordEncoder:
    return RecordEncoder(make_encoder(load_tokenizer(config.backbone), config), Lexicon([]), [], config)


def loss_of(model: torch.nn.Module, batch: Mapping[str, Any], config: TrainingConfig) -> torch.Tensor:
    outputs = model(**{key: one for key, one in batch.items() if key != "labels"})
    loss = StanceLoss(config)(outputs, batch["labels"])
    loss.backward()
    return loss


def to_gpu(batch: Mapping[str, Any]) -> dict[str, Any]:
    return {key: to_gpu(one) if isinstance(one, Mapping) else one.cuda() for key, one in batch.items()}


def gradients(model: torch.nn.Module) -> list[torch.Tensor]:
    return [one.grad.clone() for one in model.parameters() if one.grad is not None]


def test_a_rounded_batch_teaches_the_same(
    config: TrainingConfig, encode: RecordEncoder, rows: list[dict[str, Any]]
) -> None:
    model = make_model(config).eval()
    for start in range(0, len(rows), 5):
        learnt = []
        for rounded in (False, True):
            model.zero_grad()
            batch = Collator(encode, 0, rounded=rounded)(rows[start : start + 5])
            learnt.append((loss_of(model, batch, config).item(), gradients(model)))
        (exact, its), (padded, theirs) = learnt
        assert padded == pytest.approx(exact, rel=1e-4)
        for one, other in zip(its, theirs, strict=True):
            assert torch.allclose(one, other, atol=1e-4, rtol=1e-3)


def test_rounded_batches_come_in_few_shapes(encode: RecordEncoder, rows: list[dict[str, Any]]) -> None:
    def shapes(rounded: bool) -> set[Any]:
        batches = [Collator(encode, 0, rounded=rounded)(rows[start : start + 2]) for start in range(0, len(rows), 2)]
        return {(one["input_ids"].shape, *(part.shape for part in one["labels"].values())) for one in batches}

    assert len(shapes(True)) < len(shapes(False))


def test_kept_distances_are_what_deberta_makes() -> None:
    shape = DebertaV2Config(
        vocab_size=50,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=16,
        relative_attention=True,
        position_buckets=8,
        pos_att_type=["c2p", "p2c"],
        max_relative_positions=32,
        position_biased_input=False,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )
    torch.manual_seed(0)
    model = DebertaV2ForTokenClassification(shape)
    inputs = [torch.randint(50, (2, length)) for length in (12, 30, 12)]
    before = [model(one).logits for one in inputs]
    keep_relative_positions(model)
    for kept in (model.eval(), model.train(), pickle.loads(pickle.dumps(model))):
        with torch.inference_mode(mode=not kept.training):
            after = [kept(one).logits for one in inputs]
        assert all(torch.equal(one, other) for one, other in zip(before, after, strict=True))
    after[1].sum().backward()


@needs_gpu
def test_graphs_give_what_passes_give(
    config: TrainingConfig, encode: RecordEncoder, rows: list[dict[str, Any]]
) -> None:
    config = replace(config, class_power=0.5)
    model = make_model(config).cuda().eval()
    loss = StanceLoss(config, [0.3, 0.2, 0.1, 0.4])

    def run(batch: Mapping[str, Any]) -> torch.Tensor:
        value = loss(model(**{key: one for key, one in batch.items() if key != "labels"}), batch["labels"])
        value.backward()
        return value

    passes = GraphedPasses(run, list(model.parameters()))
    collate = Collator(encode, 0, rounded=True)
    batches = [to_gpu(collate(rows[start : start + 4])) for start in range(0, len(rows), 4)]
    for _ in range(3):  # plain, captured, replayed; shapes between each other
        for batch in batches:
            model.zero_grad()
            value, given = passes(batch).item(), gradients(model)
            model.zero_grad()
            assert value == pytest.approx(run(batch).item(), rel=1e-4)
            for one, other in zip(given, gradients(model), strict=True):
                assert torch.allclose(one, other, atol=1e-4, rtol=1e-3)
