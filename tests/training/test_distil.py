from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stance.actors import Lexicon
from stance.bundle import load_bundle
from stance.classify import classify_document
from stance.errors import StanceError
from stance.schema import Document, Span
from stance.transformer import HeadLayout
from training import pipeline
from training.augment import Passage, drop_sentences, make_pool
from training.backbone import load_tokenizer, make_encoder
from training.batches import IGNORE, Collator, RecordEncoder
from training.config import TrainingConfig
from training.corpus import load_corpus
from training.data import load_data
from training.distil import Teacher, distil_loss, translate_ids
from training.losses import link


@pytest.fixture(scope="module")
def mpnet(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> Path:
    """A backbone of another kind, with the tiny one's words under other ids and MPNet's special tokens."""
    from transformers import MPNetConfig, MPNetModel, MPNetTokenizerFast

    folder = tmp_path_factory.mktemp("mpnet")
    words = [word for word in load_tokenizer(str(tiny_backbone)).get_vocab() if not word.startswith("[")]
    vocabulary = ["<s>", "<pad>", "</s>", "<unk>", "[UNK]", "<mask>", *sorted(words)]
    MPNetTokenizerFast(vocab={word: index for index, word in enumerate(vocabulary)}).save_pretrained(folder)
    shape = MPNetConfig(
        vocab_size=len(vocabulary),
        hidden_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
    )
    MPNetModel(shape).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory, mpnet: Path, small_corpus: Path) -> Path:
    """A finished fine-tuning of that backbone."""
    run = tmp_path_factory.mktemp("runs") / "seed-13"
    config = TrainingConfig(backbone=str(mpnet), epochs=1.0, learning_rate=1e-3, key_size=8)
    pipeline.finetune_step(load_data([small_corpus]), config, run, resume=False, progress=False)
    return run


def test_another_vocabulary_says_the_same_tokens(tiny_backbone: Path, mpnet: Path) -> None:
    student, teacher = load_tokenizer(str(tiny_backbone)), load_tokenizer(str(mpnet))
    ids = translate_ids(student, teacher)
    text = "The Delta Council stayed away."
    ours = student(text)["input_ids"]
    assert ids[torch.tensor(ours)].tolist() == teacher(text)["input_ids"]
    assert ids[student.pad_token_id] == teacher.pad_token_id


def test_a_teacher_of_other_words_is_refused(tiny_backbone: Path, mpnet: Path) -> None:
    student, teacher = load_tokenizer(str(tiny_backbone)), load_tokenizer(str(mpnet))
    student.add_tokens(["quorum-of-one"])
    with pytest.raises(StanceError, match="vocabulary lacks 'quorum-of-one'"):
        translate_ids(student, teacher)


def test_a_missing_teacher_is_told(tmp_path: Path, tiny_backbone: Path) -> None:
    with pytest.raises(StanceError, match="no finished fine-tuning there; make one with `train finetune`"):
        Teacher(tmp_path, load_tokenizer(str(tiny_backbone)))


def test_the_loss_is_least_where_student_and_teacher_agree(
    taught: Path, tiny_backbone: Path, small_corpus: Path
) -> None:
    config = TrainingConfig(backbone=str(tiny_backbone), key_size=8, max_length=96, context=16)
    tokenizer = load_tokenizer(config.backbone)
    encode = RecordEncoder(make_encoder(tokenizer, config), Lexicon([]), [], config)
    rows = [{"json": one.record.model_dump_json(by_alias=True)} for one in load_corpus([small_corpus])[:6]]
    batch = Collator(encode, int(tokenizer.pad_token_id))(rows)
    labels = batch.pop("labels")
    reading = Teacher(taught, tokenizer).read(batch, labels)

    def loss(student: dict[str, torch.Tensor]) -> float:
        return float(distil_loss(student, reading, labels, temperature=2.0, link_weight=0.0))

    other = {**reading, "mention_logits": reading["mention_logits"].flip(-1)}
    assert loss(reading) == pytest.approx(0.0, abs=1e-5)
    assert loss(other) > 0.01


def test_a_student_comes_nearer_to_its_teacher(
    tmp_path: Path, taught: Path, tiny_backbone: Path, small_corpus: Path
) -> None:
    data = load_data([small_corpus])
    alone = TrainingConfig(backbone=str(tiny_backbone), epochs=3.0, learning_rate=1e-3, key_size=8)
    pupil = replace(alone, teacher=str(taught), distil_weight=50.0)
    tokenizer = load_tokenizer(alone.backbone)
    encode = RecordEncoder(make_encoder(tokenizer, alone), data.lexicon, data.known, alone)
    rows = [{"json": one.record.model_dump_json(by_alias=True)} for one in data.splits["dev"][:8]]
    batch = Collator(encode, int(tokenizer.pad_token_id))(rows)
    labels = batch.pop("labels")
    reading = Teacher(taught, tokenizer).read(batch, labels)

    def distance(config: TrainingConfig, name: str) -> float:
        run = tmp_path / name
        pipeline.finetune_step(data, config, run, resume=False, progress=False)
        own = Teacher(run, tokenizer).read(batch, labels)
        return float(distil_loss(own, reading, labels, temperature=2.0, link_weight=0.3))

    assert distance(pupil, "pupil") < distance(alone, "alone")
    assert json.loads((tmp_path / "pupil" / "run.json").read_text())["config"]["teacher"] == str(taught)


TEXT = "Alpha came. Beta stayed away, Gamma said. Delta waits."


def test_sentences_go_with_the_mentions_and_evidence_in_them() -> None:
    def span(words: str) -> Span:
        return Span(TEXT.index(words), TEXT.index(words) + len(words))

    passage = Passage(
        TEXT,
        ((span("Alpha"),), (span("Beta"),), (span("Delta"),)),
        ((span("came"),), (span("stayed away"),), (span("waits"),)),
    )
    seen = set()
    for seed in range(40):
        left = drop_sentences(passage, 0.4, random.Random(seed))
        seen.add(left.text)
        for spans, name in zip(left.mentions, ("Alpha", "Beta", "Delta"), strict=True):
            assert [left.text[one.start : one.end] for one in spans] == [name] * (name in left.text)
        for spans, words in zip(left.evidence, ("came", "stayed away", "waits"), strict=True):
            assert [left.text[one.start : one.end] for one in spans] == [words] * (words in left.text)
    assert {"Alpha came. Delta waits.", TEXT, "Delta waits."} <= seen
    assert "" not in seen


def test_a_record_looks_the_same_in_the_same_epoch_only(
    tiny_backbone: Path, taught: Path, write_records: Callable[..., Path]
) -> None:
    config = TrainingConfig(backbone=str(tiny_backbone), key_size=8, swap_rate=1.0, teacher=str(taught), drop_rate=1.0)
    records = [one.record for one in load_corpus([write_records({}, {"text": TEXT_OF_TWO})])]
    pool = make_pool(["Karen Front", "Ruhani League", "Norland", "Sudland", "Ostland"])
    encoder = make_encoder(load_tokenizer(config.backbone), config)

    def look(epoch: int) -> list[int]:
        encode = RecordEncoder(encoder, Lexicon([]), [], config, pool=pool, seed=13)
        encode.epoch = epoch
        arrays = [encode(record) for record in records]
        assert all((one["labels"] == IGNORE).all() for one in arrays)
        return [token for one in arrays for window in one["windows"] for token in window.input_ids.tolist()]

    assert look(1) == look(1)
    assert len({tuple(look(epoch)) for epoch in range(6)}) > 1


TEXT_OF_TWO = "Turkey will send a delegation to Sochi, it said. The Delta Council stayed away from it."


def test_another_kind_of_backbone_becomes_a_bundle(tmp_path: Path, mpnet: Path, small_corpus: Path) -> None:
    config = TrainingConfig(backbone=str(mpnet), epochs=1.0, learning_rate=1e-3, key_size=8)
    folder = tmp_path / "models" / "other"
    pipeline.run(
        load_data([small_corpus]), config, folder=folder, runs=tmp_path / "runs", min_agreement=0.5, progress=False
    )
    bundle = load_bundle(folder)
    document = Document("Turkey will send a delegation to Sochi.", bundle.process("sochi"))
    assert "Turkey" in [one.actor.name for one in classify_document(bundle, document).actors]


def test_link_tells_mentions_and_actors_alike() -> None:
    labels = {
        "index": torch.arange(4)[None],
        "mask": torch.ones((1, 4), dtype=torch.bool),
        "mentions": torch.tensor([[[0.0, 1.0, 0.0, 0.0]]]),
        "owners": torch.ones((1, 1, 1)),
    }
    layout = HeadLayout(2)
    linked = link(torch.randn((1, 4, layout.size), generator=torch.Generator().manual_seed(1)), labels, layout)
    of_mention = linked["mention_logits"].softmax(dim=-1)
    assert torch.allclose(linked["stances"].exp(), of_mention, atol=1e-5)
    assert torch.allclose(linked["attention"], linked["mention_attention"])
