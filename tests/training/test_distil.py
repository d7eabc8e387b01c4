from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader
from transformers import MPNetConfig, MPNetModel, MPNetTokenizerFast, PreTrainedTokenizerFast

from stance.actors import Lexicon
from stance.bundle import load_bundle, save_json
from stance.classify import classify_document
from stance.errors import StanceError
from stance.head import HeadLayout
from stance.schema import Document, Process
from training import pipeline
from training.augment import make_pool
from training.backbone import load_tokenizer, make_encoder, make_model, own_inputs
from training.batches import IGNORE, Collator, RecordEncoder
from training.config import TrainingConfig
from training.corpus import Record, load_corpus
from training.data import load_data
from training.distil import Teacher, check_teacher, distil_loss, translate_ids
from training.ladder import LADDER, measure_ladder
from training.losses import link
from training.runs import Earlier, Run, Trained


@pytest.fixture(scope="module")
def mpnet(tmp_path_factory: pytest.TempPathFactory, tiny_backbone: Path) -> Path:
    """A backbone of another kind: the tiny one's words under other ids, MPNet's special tokens, BERT's unused."""
    folder = tmp_path_factory.mktemp("mpnet")
    words = sorted(load_tokenizer(str(tiny_backbone)).get_vocab())
    vocabulary = list(dict.fromkeys(["<s>", "<pad>", "</s>", "<unk>", "[UNK]", "<mask>", *words]))
    MPNetTokenizerFast(vocab={word: index for index, word in enumerate(vocabulary)}).save_pretrained(folder)
    shape = MPNetConfig(
        vocab_size=len(vocabulary), hidden_size=24, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
    )
    MPNetModel(shape).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory, mpnet: Path, small_corpus: Path) -> Path:
    """A finished fine-tuning of that backbone."""
    run = tmp_path_factory.mktemp("runs") / "seed-13"
    config = TrainingConfig(backbone=str(mpnet), epochs=1.0, learning_rate=1e-3, key_size=8)
    pipeline.finetune_step(load_data([small_corpus]), config, Run(run), progress=False)
    return run


@pytest.fixture(scope="module")
def config(tiny_backbone: Path) -> TrainingConfig:
    return TrainingConfig(backbone=str(tiny_backbone), epochs=3.0, learning_rate=1e-3, key_size=8)


@pytest.fixture(scope="module")
def student(config: TrainingConfig) -> PreTrainedTokenizerFast:
    return load_tokenizer(config.backbone)


def teacher_of(run: Path, student: PreTrainedTokenizerFast, max_length: int = 320) -> Teacher:
    return Teacher(Run(run), student, max_length=max_length, device=torch.device("cpu"))


@pytest.fixture(scope="module")
def batch(config: TrainingConfig, student: PreTrainedTokenizerFast, small_corpus: Path) -> dict[str, Any]:
    encode = RecordEncoder(make_encoder(student, config), Lexicon([]), [], config)
    rows = [{"json": one.record.model_dump_json(by_alias=True)} for one in load_corpus([small_corpus])[:8]]
    return Collator(encode, int(student.pad_token_id))(rows)


def inputs_of(batch: dict[str, Any]) -> dict[str, torch.Tensor]:
    return {name: one for name, one in batch.items() if name != "labels"}


def test_a_teacher_is_asked_as_it_was_taught(
    mpnet: Path, config: TrainingConfig, student: PreTrainedTokenizerFast
) -> None:
    ids = translate_ids(student, load_tokenizer(str(mpnet)))
    text, process = "The Delta Council stayed away.", Process("Sochi congress")
    ours, theirs = (
        make_encoder(load_tokenizer(backbone), config).encode(text, process).windows[0].input_ids
        for backbone in (config.backbone, str(mpnet))
    )
    assert ids[torch.from_numpy(ours)].tolist() == theirs.tolist()
    assert theirs[0] == load_tokenizer(str(mpnet)).cls_token_id
    assert ids[student.pad_token_id] == load_tokenizer(str(mpnet)).pad_token_id


def test_a_teacher_of_other_words_is_refused(tiny_backbone: Path, mpnet: Path) -> None:
    more = load_tokenizer(str(tiny_backbone))
    more.add_tokens(["quorum-of-one"])
    with pytest.raises(StanceError, match="vocabulary lacks 'quorum-of-one'"):
        translate_ids(more, load_tokenizer(str(mpnet)))


def test_a_teacher_that_reads_less_is_refused(taught: Path, student: PreTrainedTokenizerFast) -> None:
    with pytest.raises(StanceError, match="reads at most 510 tokens at once, the student 600"):
        teacher_of(taught, student, max_length=600)


def test_a_faulty_teacher_or_backbone_costs_no_earlier_run(
    tmp_path: Path, taught: Path, config: TrainingConfig, small_corpus: Path
) -> None:
    data = load_data([small_corpus])
    for own, told in (
        (replace(config, teacher=str(taught)), "where this run goes itself"),
        (replace(config, teacher=str(tmp_path / "typo")), "no finished fine-tuning there"),
        (replace(config, backbone=str(tmp_path)), "cannot be loaded"),
        (replace(config, max_length=1024), "reads at most 512 tokens"),
    ):
        with pytest.raises(StanceError, match=told):
            pipeline.finetune_step(data, own, Run(taught), earlier=Earlier.OVERWRITE, progress=False)
    assert (taught / "model" / "model.safetensors").exists()


def test_a_student_goes_on_with_the_teacher_that_it_began_with(
    tmp_path: Path, config: TrainingConfig, small_corpus: Path
) -> None:
    data, teacher, student = load_data([small_corpus]), Run(tmp_path / "teacher"), Run(tmp_path / "student")
    own, rows = replace(config, teacher=str(teacher)), {"taught": {"teacher": str(teacher)}}
    teacher.begin(config, data.digest)
    teacher.model.mkdir()
    teacher.weights.write_bytes(b"first")
    teacher.finish(Trained(teacher.model, 1.0, [], None))
    told = check_teacher(teacher, data.digest)
    student.begin(own, data.digest, told)
    student.check_taught_by(told)
    empty = measure_ladder(data, {}, config, rows={}, seeds=1, folder=tmp_path)
    done = {"row": "taught", "changes": rows["taught"], "teacher": told, "seed": config.seed}
    save_json(tmp_path / LADDER, {**empty, "runs": [done]})
    assert measure_ladder(data, {}, config, rows=rows, seeds=1, folder=tmp_path)["runs"] == [done]
    teacher.weights.write_bytes(b"trained anew")
    with pytest.raises(StanceError, match=r"run\.json: was begun with another teacher .*--overwrite"):
        pipeline.finetune_step(data, own, student, earlier=Earlier.RESUME, progress=False)
    with pytest.raises(StanceError, match="'taught' of other settings or with another teacher"):
        measure_ladder(data, {}, config, rows=rows, seeds=2, folder=tmp_path)
    student.finish(Trained(student.model, 1.0, [], told))
    teacher.weights.unlink()
    assert pipeline.finetune_step(data, own, student, earlier=Earlier.RESUME, progress=False).teacher == told
    assert measure_ladder(data, {}, config, rows=rows, seeds=1, folder=tmp_path)["runs"] == [done]
    with pytest.raises(StanceError, match="no finished fine-tuning there"):
        measure_ladder(data, {}, config, rows=rows, seeds=2, folder=tmp_path)


def test_a_teacher_of_other_data_is_told(taught: Path, caplog: pytest.LogCaptureFixture) -> None:
    digest = json.loads((taught / "run.json").read_text())["corpus_digest"]
    check_teacher(Run(taught), digest)
    assert not caplog.records
    check_teacher(Run(taught), "another")
    assert "was trained on other data" in caplog.text


def test_the_loss_by_hand() -> None:
    """One record: a mention, a stand-in for an actor without any, and padding; only the first counts."""
    labels = {
        "owners": torch.tensor([[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]]),
        "mentions": torch.tensor([[[0.0, 1.0], [1.0, 0.0], [0.0, 0.0]]]),
    }
    own = {
        "mention_logits": torch.tensor([[[0.0, 0.0, 0.0, 0.0], [9.0, 0, 0, 0], [0, 9.0, 0, 0]]]),
        "mention_attention": torch.full((1, 3, 2), 0.5),
    }
    theirs = {
        "mention_logits": torch.tensor([[[2 * math.log(2), 0.0, 0.0, 0.0], [0, 0, 9.0, 0], [0, 0, 0, 9.0]]]),
        "mention_attention": torch.tensor([[[0.25, 0.75], [1.0, 0.0], [1.0, 0.0]]]),
    }
    soft = [2 / 5, 1 / 5, 1 / 5, 1 / 5]  # the teacher's logits by temperature 2
    divergence = 4 * sum(p * math.log(4 * p) for p in soft)
    loss = distil_loss(own, theirs, labels, temperature=2.0, link_weight=0.3)
    assert float(loss) == pytest.approx(divergence + 0.3 * math.log(2), abs=1e-4)
    nobody = {**labels, "owners": torch.zeros((1, 2, 3))}
    assert float(distil_loss(own, theirs, nobody, temperature=2.0, link_weight=0.3)) == 0


def test_a_student_comes_nearer_to_its_teacher(
    tmp_path: Path,
    taught: Path,
    config: TrainingConfig,
    student: PreTrainedTokenizerFast,
    batch: dict[str, Any],
    small_corpus: Path,
) -> None:
    data, labels = load_data([small_corpus]), batch["labels"]
    reading = teacher_of(taught, student).read(inputs_of(batch), labels)
    pupil = replace(config, teacher=str(taught), distil_weight=50.0)

    def distance(of: TrainingConfig, name: str) -> float:
        pipeline.finetune_step(data, of, Run(tmp_path / name), progress=False)
        own = teacher_of(tmp_path / name, student).read(inputs_of(batch), labels)
        return float(distil_loss(own, reading, labels, temperature=2.0, link_weight=0.3))

    assert distance(pupil, "pupil") < distance(config, "alone")
    assert json.loads((tmp_path / "pupil" / "done.json").read_text())["teacher"]["backbone"].endswith("mpnet0")


TWO = "Turkey will send a delegation to Sochi, it said. The Delta Council stayed away from it."


def look(encode: RecordEncoder, records: Sequence[Record]) -> dict[str, list[int]]:
    return {
        record.id: [token for window in encode(record)["windows"] for token in window.input_ids.tolist()]
        for record in records
    }


def test_a_record_looks_the_same_in_an_epoch_whatever_came_before(
    config: TrainingConfig, student: PreTrainedTokenizerFast, write_records: Callable[..., Path]
) -> None:
    records = [one.record for one in load_corpus([write_records({}, {"text": TWO}, {"text": f"{TWO} Again."})])]
    pool = make_pool(["Karen Front", "Ruhani League", "Norland", "Sudland", "Ostland", "Westland", "Mitland"])
    every = replace(config, swap_rate=1.0)
    encode = RecordEncoder(make_encoder(student, config), Lexicon([]), [], every, pool=pool, seed=13)
    first = look(encode, records)
    assert look(encode, records[::-1]) == first
    encode.epoch = 1
    assert look(encode, records) != first


def test_processes_that_make_batches_make_the_same(
    config: TrainingConfig, student: PreTrainedTokenizerFast, small_corpus: Path
) -> None:
    located = load_corpus([small_corpus])[:8]
    rows = [{"json": one.record.model_dump_json(by_alias=True)} for one in located]
    pool = make_pool([actor.actor for one in located for actor in one.record.actors])
    encode = RecordEncoder(make_encoder(student, config), Lexicon([]), [], config, pool=pool, seed=13)
    collate = Collator(encode, int(student.pad_token_id))
    for epoch in range(2):
        encode.epoch = epoch
        here, there = (
            [one["input_ids"] for one in DataLoader(rows, batch_size=4, collate_fn=collate, num_workers=count)]
            for count in (0, 2)
        )
        assert all(torch.equal(left, right) for left, right in zip(here, there, strict=True))


def test_labels_hold_only_for_whole_records(
    config: TrainingConfig, student: PreTrainedTokenizerFast, write_records: Callable[..., Path]
) -> None:
    one_sentence = {"text": "Turkey will send a delegation to Sochi while the Delta Council stayed away."}
    records = [one.record for one in load_corpus([write_records(one_sentence, {"text": TWO})])]
    thinning = replace(config, swap_rate=0.0, teacher="some", drop_rate=1.0)
    encode = RecordEncoder(make_encoder(student, config), Lexicon([]), [], thinning, pool=make_pool([]), seed=13)
    whole = [RecordEncoder(make_encoder(student, config), Lexicon([]), [], config)(record) for record in records]
    seen = set()
    for epoch in range(20):
        encode.epoch = epoch
        for number, record in enumerate(records):
            arrays = encode(record)
            cut = len(arrays["tags"]) < len(whole[number]["tags"])
            assert (arrays["labels"] == (IGNORE if cut else whole[number]["labels"])).all()
            seen.add((number, cut))
    assert seen == {(0, False), (1, False), (1, True)}


def test_another_kind_of_backbone_becomes_a_bundle(tmp_path: Path, mpnet: Path, small_corpus: Path) -> None:
    config = TrainingConfig(backbone=str(mpnet), epochs=1.0, learning_rate=1e-3, key_size=8)
    folder = tmp_path / "models" / "other"
    pipeline.run(
        load_data([small_corpus]), config, folder=folder, runs=tmp_path / "runs", min_agreement=0.5, progress=False
    )
    bundle = load_bundle(folder)
    document = Document("Turkey will send a delegation to Sochi.", bundle.process("sochi"))
    assert "Turkey" in [one.actor.name for one in classify_document(bundle, document).actors]


def test_a_backbone_that_knows_one_kind_of_part(tmp_path: Path, config: TrainingConfig, batch: dict[str, Any]) -> None:
    from transformers import RobertaConfig, RobertaModel

    shape = RobertaConfig(
        vocab_size=4096,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        type_vocab_size=1,
    )
    RobertaModel(shape).save_pretrained(tmp_path)
    model = make_model(replace(config, backbone=str(tmp_path)))
    own = own_inputs(model, inputs_of(batch))
    assert set(own) == {"input_ids", "attention_mask"}
    assert model(**own).logits.shape[-1] == HeadLayout(config.key_size).size


def test_link_tells_mentions_and_actors_alike() -> None:
    labels = {
        "index": torch.arange(4)[None],
        "mask": torch.ones((1, 4), dtype=torch.bool),
        "mentions": torch.tensor([[[0.0, 1.0, 0.0, 0.0]]]),
        "owners": torch.ones((1, 1, 1)),
    }
    layout = HeadLayout(2)
    linked = link(torch.from_numpy(np.random.default_rng(1).normal(size=(1, 4, layout.size))), labels, layout)
    assert torch.allclose(linked["stances"].exp(), linked["mention_logits"].softmax(dim=-1), atol=1e-5)
    assert torch.allclose(linked["attention"], linked["mention_attention"])
