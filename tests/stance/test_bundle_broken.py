"""Bundles broken on purpose and sealed again, so that nothing but their content is wrong."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from stance.bundle import find_version, load_bundle, save_bundle
from stance.errors import BundleCorrupt
from stance.graph import find_external
from stance.manifest import MANIFEST, digest_of

RELEASED = Path(__file__).resolve().parents[2] / "models" / "default"
#: What no test here needs to be copied.
SPARED = shutil.ignore_patterns(MANIFEST, "*.png", "model.onnx")
Break = Callable[[Path], object]


@pytest.fixture
def broken(tmp_path: Path) -> Callable[[Break], Path]:
    """Makes a copy of the released bundle that a function changed before it was sealed."""

    def make(change: Break, /) -> Path:
        def write(folder: Path) -> None:
            shutil.copytree(RELEASED, folder, dirs_exist_ok=True, ignore=SPARED)
            (folder / "model.onnx").touch()
            change(folder)

        save_bundle(tmp_path / "broken", write)
        return tmp_path / "broken"

    return make


def put(name: str, content: bytes) -> Break:
    return lambda folder: (folder / name).write_bytes(content)


def set_config(**changes: object) -> Break:
    def change(folder: Path) -> None:
        config = {**json.loads((folder / "config.json").read_bytes()), **changes}
        kept = {key: value for key, value in config.items() if value is not None}
        (folder / "config.json").write_text(json.dumps(kept))

    return change


def external_tensor(name: str = "secret") -> TensorProto:
    tensor = TensorProto(name=name, data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../../etc/passwd")
    return tensor


def graph_with(*nodes: onnx.NodeProto, initializers: tuple[TensorProto, ...] = (), name: str = "g") -> onnx.GraphProto:
    out = helper.make_tensor_value_info("y", TensorProto.FLOAT, [4])
    return helper.make_graph(list(nodes), name, [], [out], list(initializers))


def hidden_places() -> dict[str, onnx.ModelProto]:
    """One external tensor in every place that a graph has for one."""
    constant = helper.make_node("Constant", [], ["y"])
    constant.attribute.append(helper.make_attribute("value", external_tensor()))
    branch = helper.make_node("If", ["c"], ["y"], then_branch=graph_with(constant), else_branch=graph_with())
    many = helper.make_node("X", [], ["y"])
    many.attribute.append(helper.make_attribute("values", [external_tensor()]))
    sparse = onnx.SparseTensorProto(values=external_tensor())
    nodes = {"constant": constant, "branch of a branch": branch, "list of tensors": many}
    found = {place: helper.make_model(graph_with(node)) for place, node in nodes.items()}
    found["initializer"] = helper.make_model(graph_with(initializers=(external_tensor(),)))
    found["sparse initializer"] = helper.make_model(graph_with())
    found["sparse initializer"].graph.sparse_initializer.append(sparse)
    function = helper.make_function("d", "f", [], ["y"], [constant], [helper.make_opsetid("", 20)])
    found["function"] = helper.make_model(graph_with(), functions=[function])
    return found


@pytest.mark.parametrize("place", hidden_places())
def test_external_data_is_found_wherever_it_hides(place: str) -> None:
    assert find_external(hidden_places()[place].SerializeToString()) == "secret"


def with_tags_plus(more: int) -> bytes:
    """A graph with an external tensor, whose tags that say so have ``more`` added."""
    place = onnx.StringStringEntryProto(key="location", value="../../etc/passwd").SerializeToString()
    tensor = TensorProto(name="secret", data_type=TensorProto.FLOAT, dims=[4]).SerializeToString()
    tensor += varint((13 << 3 | 2) + more) + varint(len(place)) + place + varint((14 << 3) + more) + varint(1)
    graph = graph_with().SerializeToString() + varint(5 << 3 | 2) + varint(len(tensor)) + tensor
    return varint(7 << 3 | 2) + varint(len(graph)) + graph


def varint(number: int) -> bytes:
    head = b""
    while number > 127:
        head, number = head + bytes([number & 127 | 128]), number >> 7
    return head + bytes([number])


def test_external_data_does_not_hide_behind_tags_that_are_too_long() -> None:
    assert find_external(with_tags_plus(0)) == "secret"
    for more in (1 << 32, 1 << 35):
        with pytest.raises(ValueError, match="more than 32 bits"):
            find_external(with_tags_plus(more))


def test_data_inside_the_graph_is_none_of_it() -> None:
    inside = numpy_helper.from_array(np.arange(4, dtype=np.float32), "x")
    assert find_external(helper.make_model(graph_with(initializers=(inside,))).SerializeToString()) is None
    assert find_external((RELEASED / "model.onnx").read_bytes()) is None


def test_a_graph_with_external_data_is_refused_with_the_remedy(broken: Callable[[Break], Path]) -> None:
    graph = hidden_places()["initializer"].SerializeToString()
    with pytest.raises(BundleCorrupt, match=r"model.onnx: tensor 'secret' has its data in another file.*train run"):
        load_bundle(broken(put("model.onnx", graph)))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.onnx", b"\xff\xff\xff"),
        ("model.onnx", b"\x0b"),
        ("model.onnx", b""),
        ("model.onnx", b"\x3a\x7f"),
        ("tokenizer.json", b"{}"),
        ("tokenizer.json", b"\xff"),
        ("config.json", b"{"),
        ("config.json", b"[]"),
        ("config.json", b"{}"),
        ("actors.json", b'[{"name": "x"}]'),
        ("actors.json", b"5"),
        ("processes.json", b"[[]]"),
        ("calibration.json", b'{"heat": 1}'),
    ],
)
def test_a_file_of_nonsense_is_named_with_the_remedy(
    broken: Callable[[Break], Path], name: str, content: bytes
) -> None:
    with pytest.raises(BundleCorrupt, match=rf"{name}: .*train run"):
        load_bundle(broken(put(name, content)))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format_version": 2}, r"format version 2, this package reads 1; install the newer package .*train run"),
        ({"format_version": 0}, r"format version 0, this package reads 1; make it again with `train run`"),
        ({"format_version": True}, r"format version True"),
        ({"format_version": None}, r"KeyError: 'format_version'"),
        ({"labels": ["support"]}, r"labels \['support'\], this package has"),
        ({"max_length": "long"}, r"config.json: cannot be read"),
        ({"key_size": None}, r"KeyError: 'key_size'"),
        ({"name": None}, r"KeyError: 'name'"),
    ],
)
def test_a_config_that_does_not_hold_is_refused(
    broken: Callable[[Break], Path], changes: dict[str, object], told: str
) -> None:
    with pytest.raises(BundleCorrupt, match=told):
        load_bundle(broken(set_config(**changes)))


@pytest.mark.parametrize(
    ("version", "told"), [(99, "install the newer package that wrote it, or make it again"), ("1", "make it again")]
)
def test_a_manifest_of_another_format_is_refused(broken: Callable[[Break], Path], version: object, told: str) -> None:
    folder = broken(lambda _: None)
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps({**manifest, "format_version": version}))
    with pytest.raises(
        BundleCorrupt, match=rf"format version {version!r}, this package reads 1; {told} with `train run`"
    ):
        load_bundle(folder)


def test_a_bundle_tells_which_it_is() -> None:
    bundle = load_bundle(RELEASED)
    assert bundle.name == "default"
    assert bundle.digest == digest_of((RELEASED / MANIFEST).read_bytes())
    assert bundle.version == find_version(RELEASED)
    assert bundle.version.endswith(f"+{bundle.digest[:8]}")


def test_a_bundle_is_read_from_the_folder_it_is_in(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tiny_bundle)
    assert load_bundle(Path(".")).name == "tiny"
