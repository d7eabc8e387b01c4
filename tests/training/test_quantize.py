from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import numpy_helper
from torch import nn

from training.quantize import FP32_BLOCKS, MIN_ROWS, quantize, smooth

WIDTH, BLOCKS = 32, 4


class Reader(nn.Module):
    """A large table, blocks that widen and narrow, a layer used twice, an output layer; one channel is very large."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(MIN_ROWS, WIDTH)
        self.table.weight.data[:, 3] *= 40
        self.table.weight.data[7] *= 30
        self.widen = nn.ModuleList(nn.Linear(WIDTH, 4 * WIDTH) for _ in range(BLOCKS))
        self.narrow = nn.ModuleList(nn.Linear(4 * WIDTH, WIDTH) for _ in range(BLOCKS))
        self.twice = nn.Linear(WIDTH, WIDTH)
        self.head = nn.Linear(WIDTH, 5)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        hidden = self.table(ids)
        for widen, narrow in zip(self.widen, self.narrow, strict=True):
            hidden = hidden + narrow(nn.functional.gelu(widen(hidden)))
        return self.head(self.twice(nn.functional.gelu(self.twice(hidden))))


@pytest.fixture(scope="module")
def ids() -> torch.Tensor:
    return torch.randint(0, MIN_ROWS, (4, 24), generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def graphs(tmp_path_factory: pytest.TempPathFactory, ids: torch.Tensor) -> dict[str, Path]:
    """In fp32, and in int8 with and without smoothed activations."""
    folder = tmp_path_factory.mktemp("graphs")
    plain = Reader().eval()
    smoothed = smooth(plain, lambda model: model(ids)).eval()
    paths = {name: folder / f"{name}.onnx" for name in ("fp32", "smoothed", "int8", "int8_smoothed")}
    for model, name in ((plain, "fp32"), (smoothed, "smoothed")):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's own deprecations
            program = torch.onnx.export(model, (ids,), input_names=["ids"], output_names=["logits"], dynamo=True)
        assert program is not None
        program.save(str(paths[name]), external_data=False)
    quantize(paths["fp32"], paths["int8"])
    quantize(paths["smoothed"], paths["int8_smoothed"])
    return paths


def run(path: Path, ids: torch.Tensor) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["logits"], {"ids": ids.numpy()})[0])


def test_smoothing_changes_nothing_in_fp32(graphs: dict[str, Path], ids: torch.Tensor) -> None:
    assert np.allclose(run(graphs["fp32"], ids), run(graphs["smoothed"], ids), rtol=1e-3, atol=1e-2)


def test_smoothing_brings_int8_nearer_to_fp32(graphs: dict[str, Path], ids: torch.Tensor) -> None:
    truth = run(graphs["fp32"], ids)
    errors = {name: np.abs(run(graphs[name], ids) - truth).mean() for name in ("int8", "int8_smoothed")}
    assert errors["int8_smoothed"] < errors["int8"]


def test_the_first_down_projections_stay_fp32(graphs: dict[str, Path]) -> None:
    graph = onnx.load(str(graphs["int8_smoothed"])).graph
    shapes = {one.name: tuple(one.dims) for one in graph.initializer}
    products = [node for node in graph.node if node.op_type in ("MatMul", "MatMulInteger", "Gemm")]
    narrowing = [node.op_type for node in products if shapes[node.input[1]] == (4 * WIDTH, WIDTH)]
    others = [node.op_type for node in products if shapes[node.input[1]] != (4 * WIDTH, WIDTH)]
    assert narrowing == ["MatMul"] * FP32_BLOCKS + ["MatMulInteger"] * (BLOCKS - FP32_BLOCKS)
    assert others == ["MatMulInteger"] * (BLOCKS + 3)


def test_a_weight_that_is_used_twice_is_kept_once(graphs: dict[str, Path]) -> None:
    arrays = [numpy_helper.to_array(one) for one in onnx.load(str(graphs["int8"])).graph.initializer]
    assert [one.dtype for one in arrays if one.shape == (WIDTH, WIDTH)] == [np.int8]


def test_each_row_of_a_table_has_its_scale(graphs: dict[str, Path]) -> None:
    arrays = {one.name: numpy_helper.to_array(one) for one in onnx.load(str(graphs["int8"])).graph.initializer}
    (rows,) = [array for array in arrays.values() if array.shape == (MIN_ROWS, WIDTH)]
    (scales,) = [array for array in arrays.values() if array.shape == (MIN_ROWS, 1)]
    table = Reader().table.weight.detach().numpy()
    assert rows.dtype == np.int8
    assert np.all(np.abs(rows * scales - table) <= scales / 2 + 1e-6)
