from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoConfig, AutoModel, BertConfig, BertForTokenClassification, PreTrainedConfig, XLNetConfig

from stance.bundle import save_json
from stance.errors import StanceError
from training.backbone import load_tokenizer, make_model, require_backbone, window_room
from training.config import TrainingConfig


def test_a_mistyped_backbone_is_told_with_what_may_be_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    told = r"backbone '.*': cannot be loaded: .*; give minilm, deberta, a hub name or a folder"
    for wrong in ("debreta", str(tmp_path), "no such/name/at all"):
        with pytest.raises(StanceError, match=told):
            load_tokenizer(wrong)
        with pytest.raises(StanceError, match=told):
            make_model(TrainingConfig(backbone=wrong))


def test_a_folder_without_its_tokenizer_is_refused(tiny_backbone: Path, tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        shutil.copy(tiny_backbone / name, tmp_path)
    with pytest.raises(StanceError, match=r"its tokenizer has \d+ word pieces, its weights \d+; put the files"):
        load_tokenizer(str(tmp_path))


def test_a_backbone_of_shorter_windows_is_refused(tiny_backbone: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_backbone, tmp_path, dirs_exist_ok=True)
    shape = BertConfig.from_pretrained(tiny_backbone, max_position_embeddings=128)
    BertForTokenClassification(shape).save_pretrained(tmp_path)
    told = "reads at most 128 tokens at once, max_length is 320; take another, or lower it: --set max_length=128 for"
    with pytest.raises(StanceError, match=told):
        require_backbone(TrainingConfig(backbone=str(tmp_path)))
    with pytest.raises(StanceError, match=told):
        make_model(TrainingConfig(backbone=str(tmp_path)))
    require_backbone(TrainingConfig(backbone=str(tmp_path), max_length=128))


def shape_of(kind: str, **changes: Any) -> PreTrainedConfig:
    shape = {
        "vocab_size": 50,
        "hidden_size": 8,
        "embedding_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "intermediate_size": 8,
        "max_position_embeddings": 20,
        "pad_token_id": 1,
    }
    return AutoConfig.for_model(kind, **{**shape, **changes})


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("roberta", {}),
        ("mpnet", {}),
        ("camembert", {}),
        ("xlm-roberta", {}),
        ("bert", {}),
        ("electra", {}),
        ("longformer", {}),
        ("luke", {}),
        ("data2vec-text", {}),
        ("ibert", {}),
        ("markuplm", {}),
        ("lilt", {"hidden_size": 24}),
        ("xmod", {"languages": ["en_XX"], "default_language": "en_XX"}),
        ("deberta-v2", {}),
        ("deberta-v2", {"relative_attention": True}),  # v2: reads both relative and absolute ones
    ],
)
def test_a_backbone_reads_as_many_tokens_as_it_says(kind: str, changes: dict[str, Any]) -> None:
    """Asked of the models themselves: one token more than there is room for fails."""
    shape = shape_of(kind, **changes)
    model, room = AutoModel.from_config(shape).eval(), window_room(shape, 0)
    model(torch.full((1, room), 7))
    with pytest.raises((IndexError, RuntimeError)):
        model(torch.full((1, room + 1), 7))


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("deberta-v2", {"relative_attention": True, "position_biased_input": False}),  # as v3 is
        ("modernbert", {"pad_token_id": 0}),
    ],
)
def test_a_backbone_without_places_reads_more_than_it_says(kind: str, changes: dict[str, Any]) -> None:
    shape = shape_of(kind, **changes)
    assert window_room(shape, 640) == 640
    AutoModel.from_config(shape).eval()(torch.full((1, 640), 7))


def test_a_backbone_that_tells_no_room_has_no_limit() -> None:
    assert window_room(XLNetConfig(), 640) == 640


def test_a_shape_that_tells_no_vocabulary_is_taken(tiny_backbone: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_backbone, tmp_path, dirs_exist_ok=True)
    shape = json.loads((tmp_path / "config.json").read_text())
    save_json(tmp_path / "config.json", {**shape, "model_type": "esm", "vocab_size": None})
    assert len(load_tokenizer(str(tmp_path))) == shape["vocab_size"]
