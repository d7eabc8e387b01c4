from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForSequenceClassification

from stance.errors import StanceError
from stance.schema import LABELS, Span
from training.backbone import load_tokenizer, make_classifier, make_model
from training.config import TrainingConfig
from training.data import Data, load_data
from training.metrics import clear_actors, label_ids, macro_by_subset
from training.peers.cases import CaseMaker, nearest_sentences
from training.peers.comparison import PEERS, PeerSettings, _pair_config, compare_peers
from training.peers.fitted import Fitted, measure
from training.peers.ours import bundle_trained
from training.peers.pairs import PairEncoder
from training.runs import Trained
from training.trainer import make_arguments

SENTENCES = [Span(0, 9), Span(10, 19), Span(20, 29), Span(30, 39), Span(40, 49)]


@pytest.fixture(scope="module")
def data(small_corpus: Path) -> Data:
    return load_data([small_corpus])


@pytest.fixture(scope="module")
def make(data: Data, tiny_backbone: Path) -> CaseMaker:
    return CaseMaker(load_tokenizer(str(tiny_backbone)), data.lexicon, data.names, 80)


def test_the_window_grows_from_the_mentions() -> None:
    sizes = [5] * 5
    assert nearest_sentences(SENTENCES, sizes, [Span(32, 36)], 5) == [3]
    assert nearest_sentences(SENTENCES, sizes, [Span(32, 36)], 15) == [2, 3, 4]
    assert nearest_sentences(SENTENCES, sizes, [Span(0, 3), Span(42, 44)], 10) == [0, 4]
    assert nearest_sentences(SENTENCES, sizes, [], 10) == [0, 1]
    assert nearest_sentences(SENTENCES, sizes, [Span(0, 3)], 1) == [0]


def test_every_clear_actor_is_a_case_that_shows_it(data: Data, make: CaseMaker) -> None:
    located = data.splits["test"]
    cases = make(located)
    assert [case.label for case in cases] == label_ids(located).tolist()
    shown = [
        any(mention.casefold() in case.window.casefold() for mention in actor.mentions)
        for case, (_, actor) in zip(cases, clear_actors(located), strict=True)
    ]
    assert all(shown)
    assert all(
        case.question.startswith(actor.actor) for case, (_, actor) in zip(cases, clear_actors(located), strict=True)
    )


def test_a_perfect_method_scores_one(data: Data) -> None:
    located = data.splits["test"]
    row = measure(Fitted("oracle", label_ids, 2.5, "knows"), located, data.names)
    assert row.macro_f1["all"].value == 1
    assert (row.name, row.training_seconds, row.note) == ("oracle", 2.5, "knows")
    assert row.document_ms > 0


def test_subsets_are_parted_by_process(data: Data) -> None:
    located = data.splits["test"]
    asked = ["Sochi congress", "Geneva talks"]
    located = [
        replace(one, record=one.record.model_copy(update={"process": asked[number % 2]}))
        for number, one in enumerate(located)
    ]
    y_pred = np.full(len(label_ids(located)), LABELS.index("none"))
    scores = macro_by_subset(located, y_pred, data.names)
    for subset, part in {"sochi": located[::2], "other": located[1::2]}.items():
        alone = macro_by_subset(part, np.full(len(label_ids(part)), LABELS.index("none")), data.names)
        assert alone["all"] == alone[subset] == scores[subset]


def test_the_pair_encoder_learns_its_training_data(data: Data, make: CaseMaker, tiny_backbone: Path) -> None:
    few = data.splits["train"][:6]
    config = TrainingConfig(backbone=str(tiny_backbone), epochs=60, learning_rate=3e-3, batch_size=16, max_length=80)
    fitted = PairEncoder(make, config).fit(few, progress=False)
    assert (fitted.predict(few) == label_ids(few)).mean() > 0.8
    assert fitted.predict([]).shape == (0,)


def test_the_pair_encoder_predicts_in_fp32(
    data: Data, make: CaseMaker, tiny_backbone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)  # trains in bf16, wherever the test runs
    few = data.splits["train"][:2]
    config = TrainingConfig(backbone=str(tiny_backbone), epochs=1, max_length=80)
    fitted = PairEncoder(make, config).fit(few, progress=False)
    plain = make_classifier(config, LABELS, AutoModelForSequenceClassification).eval()
    plain.load_state_dict(fitted._model.state_dict())
    batch = fitted._pad(fitted._encode(make(few)))
    with torch.inference_mode():
        assert torch.equal(fitted._model(**batch).logits, plain(**batch).logits)


def test_the_pair_encoder_averages_no_weights() -> None:
    ours = TrainingConfig(average=0.4, seed=5)
    config = _pair_config(PeerSettings(ours, window=64, pair_epochs=2.0))
    assert (config.average, config.epochs, config.seed, config.max_length) == (0.0, 2.0, 5, 67)
    assert make_arguments(config, Path("unused"), progress=False).lr_scheduler_type == "linear"


def test_what_cannot_be_taken_up_is_told_before_anything_is_trained(
    data: Data, tiny_backbone: Path, tmp_path: Path
) -> None:
    ours = TrainingConfig(backbone=str(tiny_backbone))
    (tmp_path / f"seed-{ours.seed}").mkdir()
    (tmp_path / f"seed-{ours.seed}" / "run.json").write_text("{}")
    with pytest.raises(StanceError, match="made with other settings or data"):
        compare_peers(data, data.splits["test"], PeerSettings(ours), runs=tmp_path, on="test", progress=False)
    assert not (tmp_path / "peers.json").exists()


@pytest.mark.parametrize("longer", [{"max_length": 640}, {"window": 640}], ids=["ours", "pairs"])
def test_a_backbone_of_shorter_windows_is_told_before_anything_is_trained(
    data: Data, tiny_backbone: Path, tmp_path: Path, longer: dict[str, int]
) -> None:
    settings = PeerSettings(
        TrainingConfig(backbone=str(tiny_backbone), max_length=longer.get("max_length", 320)),
        window=longer.get("window", 192),
    )
    with pytest.raises(StanceError, match="reads at most 512 tokens"):
        compare_peers(data, data.splits["test"], settings, runs=tmp_path, on="test", progress=False)
    assert not (tmp_path / PEERS).exists()


def test_a_model_of_another_vocabulary_is_no_peer(data: Data, tiny_backbone: Path, tmp_path: Path) -> None:
    config = TrainingConfig(backbone=str(tiny_backbone), key_size=8)
    model = make_model(config)
    model.resize_token_embeddings(model.config.vocab_size + 8)
    model.save_pretrained(tmp_path)
    with pytest.raises(StanceError, match="fine-tune it again"):
        bundle_trained(data, config, Trained(tmp_path, 1.0, [], None))


def test_a_peer_that_has_a_result_is_not_trained_again(
    data: Data, tiny_backbone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("training.peers.comparison.fit_setfit", stop)
    settings, few = PeerSettings(TrainingConfig(backbone=str(tiny_backbone))), data.splits["test"][:4]
    kept = []
    for threads in (torch.get_num_threads(), 64):  # as on another machine
        monkeypatch.setattr(torch, "get_num_threads", partial(int, threads))
        with pytest.raises(KeyboardInterrupt):
            compare_peers(data, few, settings, runs=tmp_path, on="test", progress=False)
        kept.append((tmp_path / PEERS).read_bytes())  # with the times, which another training would change
    assert kept[0] == kept[1]
    rows = json.loads(kept[0])["rows"]
    assert [row["name"] for row in rows] == ["majority", "name only", "scikit-learn baseline"]
    assert all(row["device"] for row in rows)
    for held_out, on, what in ((few, "gold-dev", "on"), (few[:3], "test", "held_out")):
        with pytest.raises(StanceError, match=rf"peers\.json: made with other settings or data \({what}\)"):
            compare_peers(data, held_out, settings, runs=tmp_path, on=on, progress=False)
    assert (tmp_path / PEERS).read_bytes() == kept[0]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # setfit and sentence-transformers warn of one another
def test_all_peers_are_measured_on_the_same_actors(data: Data, tiny_backbone: Path, tmp_path: Path) -> None:
    pytest.importorskip("setfit")
    ours = TrainingConfig(backbone=str(tiny_backbone), epochs=1.0, key_size=8, max_records=40)
    settings = PeerSettings(ours, window=64, pair_epochs=1.0, setfit_cases=24, setfit_steps=4)
    held_out = data.splits["test"]
    result = compare_peers(data, held_out, settings, runs=tmp_path / "peers", on="test", progress=False)
    names = [row["name"] for row in result["rows"]]
    assert names[:5] == ["majority", "name only", "scikit-learn baseline", "SetFit", "pair encoder"]
    assert names[5:] == ["ours, fp32", "ours, int8"]
    assert result["training"]["records"] == 40
    assert result["held_out"]["records"] == len(held_out)
    assert result["held_out"]["actors"] == len(clear_actors(held_out))
    for row in result["rows"]:
        assert 0 <= row["macro_f1"]["all"]["low"] <= row["macro_f1"]["all"]["high"] <= 1
        assert row["document_ms"] > 0
    majority = np.bincount(label_ids(held_out)).max() / len(label_ids(held_out))
    assert result["rows"][0]["macro_f1"]["all"]["value"] <= 2 * majority / (1 + majority) / len(LABELS) + 1e-9
    assert json.loads((tmp_path / "peers" / "peers.json").read_text())["rows"] == result["rows"]
    assert compare_peers(data, held_out, settings, runs=tmp_path / "peers", on="test", progress=False) == result
