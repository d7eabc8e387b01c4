"""DeBERTa with only the distances that a window has says what it said with all, and so does its graph."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from transformers import BertConfig, BertForTokenClassification, DebertaV2Config, DebertaV2ForTokenClassification

from training.distances import narrow_distances
from training.export import _export_fp32

#: Of a window; beyond eight the distances of this model share places, beyond 32 they have none of their own.
LENGTHS = (1, 2, 5, 8, 9, 17, 33, 60)


def make(**changes: Any) -> DebertaV2ForTokenClassification:
    torch.manual_seed(0)
    shape: dict[str, Any] = {
        "vocab_size": 50,
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "relative_attention": True,
        "position_buckets": 8,
        "norm_rel_ebd": "layer_norm",
        "share_att_key": True,
        "pos_att_type": ["p2c", "c2p"],
        "max_relative_positions": 32,
        "position_biased_input": False,
        "initializer_range": 0.5,
        "pad_token_id": 0,
    }
    return DebertaV2ForTokenClassification(DebertaV2Config(**{**shape, **changes})).eval()


def text(length: int) -> dict[str, torch.Tensor]:
    mask = torch.ones((3, length), dtype=torch.long)
    mask[1, max(1, length // 2) :] = 0
    return {"input_ids": torch.randint(1, 50, (3, length)), "attention_mask": mask}


@pytest.mark.parametrize("changes", [{}, {"position_buckets": -1}, {"position_buckets": 40}])
def test_it_says_and_learns_the_same(changes: dict[str, Any]) -> None:
    plain = make(**changes)
    narrow = narrow_distances(copy.deepcopy(plain))
    for length in LENGTHS:
        inputs = text(length)
        ours, theirs = narrow(**inputs).logits, plain(**inputs).logits
        assert torch.allclose(ours, theirs, atol=1e-5)
        for model, logits in ((narrow, ours), (plain, theirs)):
            model.zero_grad()
            logits.square().sum().backward()
        for one, other in zip(narrow.parameters(), plain.parameters(), strict=True):
            assert (one.grad is None) == (other.grad is None)
            assert one.grad is None or torch.allclose(one.grad, other.grad, atol=1e-2, rtol=1e-3)


def test_it_holds_tokens_against_few_distances() -> None:
    narrow = narrow_distances(make())
    kinds = {type(module).__name__ for module in narrow.modules()}
    assert "DisentangledSelfAttention" not in kinds
    steep = {type(module).__name__ for module in narrow_distances(make(max_relative_positions=5)).modules()}
    assert "DisentangledSelfAttention" in steep  # its places lie farther out than its distances


@pytest.mark.parametrize(
    "changes",
    [
        {"pos_att_type": ["c2p"]},
        {"pos_att_type": ["p2c"]},
        {"pos_att_type": None},
        {"share_att_key": False},
        {"relative_attention": False},
        {"max_relative_positions": 1},
    ],
)
def test_debertas_of_another_kind_stay_as_they_are(changes: dict[str, Any]) -> None:
    plain = make(**changes)
    assert {type(one) for one in narrow_distances(copy.deepcopy(plain)).modules()} == {
        type(one) for one in plain.modules()
    }


def test_other_models_stay_as_they_are() -> None:
    bert = BertForTokenClassification(
        BertConfig(vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
    )
    before = [type(module) for module in bert.modules()]
    assert [type(module) for module in narrow_distances(bert).modules()] == before


def test_its_graph_says_the_same_for_every_length(tmp_path: Path) -> None:
    plain = make()
    _export_fp32(narrow_distances(copy.deepcopy(plain)), tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    for length in LENGTHS[1:]:
        inputs = {name: one[:1] for name, one in text(length).items()}
        wanted = plain(**inputs).logits.detach().numpy()
        feeds = {one.name: inputs[one.name].numpy() for one in session.get_inputs() if one.name in inputs}
        feeds |= {
            one.name: np.zeros((1, length), dtype=np.int64) for one in session.get_inputs() if one.name not in feeds
        }
        assert np.allclose(session.run(["logits"], feeds)[0], wanted, atol=1e-4)
