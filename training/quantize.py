"""From an fp32 graph to an int8 one that gives the same labels.

Dynamic int8 has one scale for all activations of a matrix product, so a few large channels drown the others. Three
measures, each measured in docs/experiments.md:

- SmoothQuant (Xiao et al., 2023, arXiv:2211.10438): before the export, each input channel of each linear layer is
  divided by a factor and its weights are multiplied by it, so that large activations become large weights, which have a
  scale for each output channel.
- The products that lead out of the first feed-forward blocks stay fp32: what comes out of a GELU is too uneven.
- Word embeddings have a scale for each row, not one for all.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import nn

#: How much of the unevenness moves from activations to weights; 0 none, 1 all.
SMOOTHING = 0.85
#: So many feed-forward blocks, from the first, have their second product in fp32.
FP32_BLOCKS = 2
#: A table with fewer rows (positions, token types) stays as it is.
MIN_ROWS = 1024


class _Smoothed(nn.Module):
    """A linear layer whose input channels are divided by what its weights were multiplied by."""

    inverse: torch.Tensor

    def __init__(self, linear: nn.Linear, factors: torch.Tensor) -> None:
        super().__init__()
        self.linear = copy.deepcopy(linear)
        self.linear.weight.data *= factors
        self.register_buffer("inverse", 1 / factors)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return self.linear(hidden * self.inverse)


def smooth(model: nn.Module, run: Callable[[nn.Module], object]) -> nn.Module:
    """A copy of the model that computes the same, with smoother activations.

    Args:
        run: runs the model it is given on the texts that show how large its activations get.
    """
    smoothed = copy.deepcopy(model)
    linears = {name: one for name, one in smoothed.named_modules() if isinstance(one, nn.Linear)}
    peaks = _measure_peaks(linears, lambda: run(smoothed))
    for name, linear in linears.items():
        parent, _, child = name.rpartition(".")
        setattr(smoothed.get_submodule(parent), child, _Smoothed(linear, _factors(linear, peaks[name])))
    return smoothed


def _measure_peaks(linears: dict[str, nn.Linear], run: Callable[[], object]) -> dict[str, torch.Tensor]:
    """The largest absolute value of each input channel of each layer, ``(channels,)``."""
    peaks = {name: torch.zeros(one.in_features) for name, one in linears.items()}

    def watch(name: str) -> Callable[[nn.Module, tuple[torch.Tensor, ...]], None]:
        def hook(_: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            here = inputs[0].detach().abs().flatten(0, -2).amax(dim=0)
            peaks[name] = torch.maximum(peaks[name], here)

        return hook

    handles = [one.register_forward_pre_hook(watch(name)) for name, one in linears.items()]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return peaks


def _factors(linear: nn.Linear, peaks: torch.Tensor) -> torch.Tensor:
    weights = linear.weight.detach().abs().amax(dim=0).clamp(min=1e-5)
    factors = peaks.clamp(min=1e-5) ** SMOOTHING / weights ** (1 - SMOOTHING)
    return factors / factors.median()


def quantize(source: Path, target: Path) -> None:
    """Write the int8 form of an fp32 graph."""
    folded = onnx.load(str(source))
    _fold_transposes(folded.graph)
    quantize_dynamic(
        folded,
        target,
        per_channel=True,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul", "Gemm"],
        nodes_to_exclude=_find_down_projections(folded.graph)[:FP32_BLOCKS],
        extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},
    )
    graph = onnx.load(str(target))
    _quantize_embeddings(graph.graph)
    onnx.checker.check_model(graph)
    onnx.save(graph, str(target))


def _fold_transposes(graph: onnx.GraphProto) -> None:
    """Turn weights that the graph turns itself: those that it uses more than once, which would stay in fp32."""
    tables = {one.name: one for one in graph.initializer}
    turned = [one for one in graph.node if one.op_type == "Transpose" and one.input[0] in tables]
    for node in turned:
        order = next((list(one.ints) for one in node.attribute if one.name == "perm"), None)
        table = np.ascontiguousarray(numpy_helper.to_array(tables[node.input[0]]).transpose(order))
        graph.initializer.append(numpy_helper.from_array(table, node.output[0]))
        graph.node.remove(node)
    used = {name for one in graph.node for name in one.input}
    for name in {node.input[0] for node in turned} - used:
        graph.initializer.remove(tables[name])


def _find_down_projections(graph: onnx.GraphProto) -> list[str]:
    """The nodes, in order, that multiply by a matrix with fewer columns than rows, the output layer not among them."""
    shapes = {one.name: tuple(one.dims) for one in graph.initializer}
    outputs = {one.name for one in graph.output}
    products = [(one, shapes.get(one.input[1], ())) for one in graph.node if one.op_type == "MatMul"]
    widths = [shape[0] for _, shape in products if len(shape) == 2]
    return [
        node.name
        for node, shape in products
        if len(shape) == 2 and shape[0] == max(widths) > shape[1] and not outputs & set(node.output)
    ]


def _quantize_embeddings(graph: onnx.GraphProto) -> None:
    """Each large table as int8 rows and a scale a row, joined again after the lookup."""
    tables = {one.name: one for one in graph.initializer if len(one.dims) == 2 and one.dims[0] >= MIN_ROWS}
    lookups = [(place, one) for place, one in enumerate(graph.node) if one.op_type == "Gather"]
    for place, node in reversed(lookups):
        if node.input[0] not in tables:
            continue
        table = tables[node.input[0]]
        rows, scales = (f"{table.name}_{part}" for part in ("int8", "scales"))
        arrays = _quantize_rows(numpy_helper.to_array(table))
        graph.initializer.remove(table)
        graph.initializer.extend(map(numpy_helper.from_array, arrays, (rows, scales)))
        graph.node.remove(node)
        for offset, part in enumerate(_look_up(rows, scales, node.input[1], node.output[0])):
            graph.node.insert(place + offset, part)


def _look_up(rows: str, scales: str, ids: str, output: str) -> list[onnx.NodeProto]:
    names = [f"{output}_{part}" for part in ("rows", "floats", "scales")]
    return [
        helper.make_node("Gather", [rows, ids], [names[0]], name=names[0]),
        helper.make_node("Cast", [names[0]], [names[1]], name=names[1], to=onnx.TensorProto.FLOAT),
        helper.make_node("Gather", [scales, ids], [names[2]], name=names[2]),
        helper.make_node("Mul", names[1:], [output], name=f"{output}_joined"),
    ]


def _quantize_rows(table: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Rows as int8, ``(rows, columns)``, and what each is multiplied by, ``(rows, 1)``."""
    scales = np.maximum(np.abs(table).max(axis=1, keepdims=True), 1e-12).astype(np.float32) / np.float32(127)
    return np.round(table / scales).astype(np.int8), scales
