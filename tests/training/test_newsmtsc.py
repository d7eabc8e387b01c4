from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import RobertaConfig, RobertaModel

from stance.errors import CorpusError, StanceError
from training.backbone import load_tokenizer, make_encoder
from training.batches import Collator
from training.config import TrainingConfig
from training.newsmtsc import (
    NEWSMTSC,
    Sentence,
    SentenceEncoder,
    _fit,
    benchmark_config,
    load_sentences,
    pool_targets,
    run_newsmtsc,
)
from training.trainer import HeadTrainer

LINES = [
    ("Ada Brown praised the plan, but Carl Diaz was mocked.", [("Ada Brown", 4.0), ("Carl Diaz", 2.0)]),
    ("Ada Brown was mocked, and Carl Diaz was praised.", [("Ada Brown", 2.0), ("Carl Diaz", 6.0)]),
    ("Eve Foster was praised.", [("Eve Foster", 6.0)]),
    ("Eve Foster spoke on Monday.", [("Eve Foster", 4.0)]),
]


def write_line(text: str, targets: Sequence[tuple[str, float]], **changes: Any) -> str:
    return json.dumps(
        {
            "primary_gid": text[:9],
            "sentence_normalized": text,
            "targets": [
                {"Input.gid": name, "from": text.index(name), "to": text.index(name) + len(name), "mention": name}
                | {"polarity": polarity, **changes}
                for name, polarity in targets
            ],
        },
        ensure_ascii=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = [write_line(*one) for one in LINES]
    (tmp_path / "train.jsonl").write_text("\n".join(lines * 2) + "\n", encoding="utf-8")
    (tmp_path / "split_rw_test.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (tmp_path / "split_mt_test.jsonl").write_text("\n".join(lines[:2]) + "\n", encoding="utf-8")
    return tmp_path


def test_targets_are_read_with_their_places(folder: Path) -> None:
    first, *_ = load_sentences(folder / "split_mt_test.jsonl")
    assert [first.text[span.start : span.end] for span in first.mentions] == ["Ada Brown", "Carl Diaz"]
    assert first.labels == (1, 0)


def test_faults_are_told_by_line(tmp_path: Path) -> None:
    text, targets = LINES[2]
    lines = [write_line(text, targets, polarity=5.0), "{}", write_line(text, targets, mention="Ada")]
    (tmp_path / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(CorpusError) as told:
        load_sentences(tmp_path / "train.jsonl")
    assert [fault.split(": ")[0].rsplit(":", 1)[1] for fault in told.value.faults] == ["1", "2", "3"]
    assert "polarity 5.0 is none; allowed are 2.0, 4.0, 6.0" in told.value.faults[0]
    with pytest.raises(CorpusError, match="does not exist; give the folder of NewsMTSC"):
        load_sentences(tmp_path / "none.jsonl")
    (tmp_path / "latin.jsonl").write_bytes("\u00e9".encode("latin-1"))
    with pytest.raises(CorpusError, match=r"latin\.jsonl: is no text in UTF-8"):
        load_sentences(tmp_path / "latin.jsonl")


def test_a_target_is_the_mean_of_its_mention(folder: Path, tiny_backbone: Path) -> None:
    config = benchmark_config(backbone=str(tiny_backbone))
    tokenizer = load_tokenizer(config.backbone)
    encode = SentenceEncoder(make_encoder(tokenizer, config))
    sentences = load_sentences(folder / "split_rw_test.jsonl")[1:3]
    rows = [{"json": str(place)} for place in range(2)]
    batch = Collator(encode, 0, parse=lambda line: sentences[int(line)])(rows)
    logits = torch.randn(*batch["input_ids"].shape, 3, generator=torch.Generator().manual_seed(0))
    pooled = pool_targets(logits, batch["labels"])
    assert pooled.shape == (2, 2, 3)
    assert batch["labels"]["stances"].tolist() == [[0, 2], [2, -100]]
    (span,) = sentences[1].mentions
    offsets = tokenizer(sentences[1].text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    own = [2 + place for place, (start, end) in enumerate(offsets) if start < span.end and end > span.start]
    assert torch.allclose(pooled[1, 0], logits[1, own].mean(dim=0), atol=1e-6)


def test_it_learns_a_sample_and_tells_all_seeds(folder: Path, tiny_backbone: Path) -> None:
    config = benchmark_config(backbone=str(tiny_backbone), epochs=60.0, learning_rate=2e-3, batch_size=4)
    result = run_newsmtsc(folder, config, runs=folder / "runs", seeds=2, progress=False)
    assert set(result["by_seed"]) == {"rw", "mt"}
    assert all(len(values) == 2 for values in result["by_seed"].values())
    assert result["macro_f1"]["rw"]["value"] > 0.8
    assert result["targets"] == {"train": 12, "rw": 6, "mt": 4}
    assert "70%" in result["note"]


def test_a_backbone_that_knows_no_second_type_is_taken(folder: Path, tiny_backbone: Path, tmp_path: Path) -> None:
    backbone = tmp_path / "roberta"
    shutil.copytree(tiny_backbone, backbone)
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    roberta = RobertaConfig(vocab_size=len(load_tokenizer(str(tiny_backbone))), type_vocab_size=1, **shape)
    RobertaModel(roberta).save_pretrained(backbone)
    config = benchmark_config(backbone=str(backbone), epochs=1.0)
    result = run_newsmtsc(folder, config, runs=tmp_path / "runs", seeds=1, progress=False)
    assert len(result["by_seed"]["rw"]) == 1


def test_a_seed_that_has_a_result_is_not_trained_again(
    folder: Path, tiny_backbone: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "train")
    config, runs, trained = benchmark_config(backbone=str(tiny_backbone), epochs=1.0), folder / "runs", []

    def fit_or_fail(train: Sequence[Sentence], own: TrainingConfig, *, progress: bool) -> HeadTrainer:
        trained.append(own.seed)
        if trained == [1, 2]:
            raise MemoryError
        return _fit(train, own, progress=progress)

    monkeypatch.setattr("training.newsmtsc._fit", fit_or_fail)
    with pytest.raises(MemoryError):
        run_newsmtsc(folder, config, runs=runs, seeds=2, progress=False)
    first = json.loads((runs / NEWSMTSC).read_text())["runs"]
    assert [one["seed"] for one in first] == [1]
    result = run_newsmtsc(folder, config, runs=runs, seeds=2, progress=False)
    assert trained == [1, 2, 2]
    assert [told for told in caplog.messages if "done already" in told] == ["seed 1: was done already"]
    assert result["runs"][:1] == first
    assert len(result["by_seed"]["rw"]) == 2
    assert json.loads((runs / NEWSMTSC).read_text()) == result
    with pytest.raises(StanceError, match=r"made with other settings or data \(config\)"):
        run_newsmtsc(folder, benchmark_config(backbone=str(tiny_backbone)), runs=runs, progress=False)
