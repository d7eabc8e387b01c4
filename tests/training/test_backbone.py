from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from transformers import BertConfig, BertForTokenClassification

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
    told = "reads at most 128 tokens at once, max_length is 320"
    with pytest.raises(StanceError, match=told):
        require_backbone(TrainingConfig(backbone=str(tmp_path)))
    with pytest.raises(StanceError, match=told):
        make_model(TrainingConfig(backbone=str(tmp_path)))
    require_backbone(TrainingConfig(backbone=str(tmp_path), max_length=128))


@pytest.mark.parametrize("kind", ["roberta", "mpnet", "camembert", "xlm-roberta", "bert", "electra"])
def test_a_backbone_reads_as_many_tokens_as_it_says(kind: str) -> None:
    """Asked of the models themselves: one token more than there is room for fails."""
    import torch
    from transformers import AutoConfig, AutoModel

    shape = AutoConfig.for_model(
        kind,
        vocab_size=50,
        hidden_size=8,
        embedding_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        intermediate_size=8,
        max_position_embeddings=20,
    )
    model, room = AutoModel.from_config(shape).eval(), window_room(shape, 0)
    model(torch.full((1, room), 7))
    with pytest.raises((IndexError, RuntimeError)):
        model(torch.full((1, room + 1), 7))
