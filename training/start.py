"""Training that goes on from a bundle: the weights of its graph, head included, in the model that is trained.

The graph is as :mod:`training.export` and :mod:`training.quantize` leave it. Biases, norms and tables keep the model's
names; a linear layer is known by what its input is multiplied by, ``NAME.inverse``, and its weights are what that
product is multiplied by. What is restored differs from what was exported by the rounding to int8.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from tokenizers import Tokenizer
from transformers import PreTrainedModel

from stance.bundle import CONFIG, MODEL, TOKENIZER, find_version
from stance.errors import StanceError
from training.backbone import load_tokenizer, make_model
from training.config import TrainingConfig, go_on, parse_config
from training.dequantize import Tensors, dequantized, fill
from training.files import load_object

#: What the graph's names have before those of transformers.
_PREFIX = "model."


def start_settings(bundle: Path) -> TrainingConfig:
    """The settings to train on from a bundle with: its own, but for those of :func:`training.config.go_on`.

    Raises:
        BundleError: if there is none, or it is damaged.
        StanceError: if it was not fine-tuned, or by settings that this version does not know.
    """
    return go_on(made_settings(bundle, "--start"), str(bundle))


def made_settings(bundle: Path, asked: str) -> TrainingConfig:
    """The settings that a bundle was fine-tuned with.

    Args:
        asked: what asks for it, to be told in an error.

    Raises:
        BundleError: if there is none, or it is damaged.
        StanceError: if it was not fine-tuned, or by settings that this version does not know.
    """
    find_version(bundle)
    try:
        return parse_config(load_object(bundle / CONFIG, "training")["training"])
    except ValueError as error:
        raise StanceError(f"{asked} {bundle}: {CONFIG} {error}; give a bundle that `train run` fine-tuned") from error
    except StanceError as error:
        raise StanceError(f"{asked} {bundle}: {CONFIG}: {error}, or take another bundle") from error


def tell_start(bundle: Path) -> str:
    """What tells a bundle from any other: its name and its version, with the first digits of its digest.

    Raises:
        BundleError: if there is none, or it is damaged.
    """
    version = find_version(bundle)
    return f"{load_object(bundle / CONFIG, 'name')['name']} {version}"


def make_start(config: TrainingConfig) -> PreTrainedModel:
    """The model to train: that of :func:`training.backbone.make_model`, with the weights of the bundle in ``start``.

    Raises:
        BundleError: if there is no such bundle, or it is damaged.
        StanceError: if it lacks a weight of the model, has one of another shape, or reads other word pieces; or as
            ``make_model`` does.
    """
    model = make_model(config)
    if not config.start:
        return model
    bundle = Path(config.start)
    find_version(bundle)
    if missing := [name for name in (MODEL, TOKENIZER) if not (bundle / name).is_file()]:
        raise StanceError(f"--start {bundle}: has no {', '.join(missing)}; give a bundle that `train run` fine-tuned")
    theirs = Tokenizer.from_file(str(bundle / TOKENIZER)).get_vocab()
    if theirs != load_tokenizer(config.backbone).get_vocab():
        raise StanceError(
            f"--start {bundle}: its tokenizer has other word pieces ({len(theirs)}) than backbone {config.backbone!r}; "
            "name by --backbone the one that it was made from, or train without --start"
        )
    try:
        fill(model, graph_weights(onnx.load(str(bundle / MODEL)).graph))
    except StanceError as error:
        raise StanceError(
            f"--start {bundle}: {MODEL} {error}; give a bundle of backbone {config.backbone!r} that `train run` or "
            "`train export` wrote and its own layers and key_size (--set), or train without --start"
        ) from error
    return model


def keep_weights(model: PreTrainedModel, config: TrainingConfig) -> None:
    """Put back the share ``keep`` of the weights that training started from, in place.

    Between the two lie weights that lose less of what was known than those learnt last (Wortsman et al. 2022, Robust
    fine-tuning of zero-shot models, arXiv:2109.01903).
    """
    before = make_start(config).state_dict()
    with torch.no_grad():
        for name, learnt in model.state_dict().items():
            if learnt.is_floating_point():
                learnt.lerp_(before[name].to(learnt.device), config.keep)


def graph_weights(graph: onnx.GraphProto) -> dict[str, NDArray[Any]]:
    """What a graph that our export wrote has of its model's weights, by their names in transformers."""
    tensors = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
    named = {name.removeprefix(_PREFIX): tensor for name, tensor in tensors.items() if name.startswith(_PREFIX)}
    weights = dict(named)
    for name, table in named.items():
        if name.endswith("_int8"):
            stem = name.removesuffix("_int8")
            weights[stem] = table * named[f"{stem}_scales"]
    readers: defaultdict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in graph.node:
        for one in node.input:
            readers[one].append(node)
    for name, inverse in named.items():
        layer = name.removesuffix(".inverse")
        if layer != name and (table := _multiplied(tensors, readers, _PREFIX + name)) is not None:
            weights[f"{layer}.weight"] = np.ascontiguousarray((inverse[:, None] * table).T)
            weights[f"{layer}.bias"] = named.get(f"{layer}.linear.bias")
    return {name: weight for name, weight in weights.items() if weight is not None}


def _multiplied(tensors: Tensors, readers: Mapping[str, Sequence[onnx.NodeProto]], inverse: str) -> NDArray[Any] | None:
    """The table, ``(inputs, outputs)``, that a product of ``inverse`` is multiplied by, as it is or by way of int8."""
    for scaled in readers[inverse]:
        for node in readers[scaled.output[0]]:
            for product in (node, *readers[node.output[0]]):
                if product.op_type in ("MatMul", "MatMulInteger"):
                    return dequantized(tensors, product.input[1].removesuffix("_quantized"))
    return None
