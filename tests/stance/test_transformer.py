from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer

from stance import transformer
from stance.encoding import Encoder, Encoding, Window
from stance.head import HeadLayout, attend, mention_importance, mention_weights, pool_mentions
from stance.schema import LABELS, Actor, Mentioned, Span
from stance.transformer import TransformerEngine, TransformerReading

LAYOUT = HeadLayout(key_size=2)
RELEASED = Path(__file__).resolve().parents[2] / "models" / "default"


@pytest.mark.parametrize("at_once", [1, 3, 100])
def test_mentions_are_judged_alike_however_many_at_once(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    rng = np.random.default_rng(0)
    offsets = np.asarray([(3 * n, 3 * n + 2) for n in range(20)])
    logits = rng.normal(size=(21, LAYOUT.size)).astype(np.float32)
    encoding = Encoding((), offsets)
    mentioned = [
        *(Mentioned(Actor(f"A{n}"), tuple(Span(3 * k, 3 * k + 5) for k in range(n, 18, 4))) for n in range(4)),
        Mentioned(Actor("nowhere"), ()),
    ]
    sentences = [Span(0, 20), Span(21, 41), Span(42, 60)]
    weights, owners = mention_weights(encoding, [one.mentions for one in mentioned])
    mention_logits, attention = attend(weights @ logits, logits, LAYOUT)
    expected = pool_mentions(mention_logits, owners, len(mentioned))
    counts = mention_importance(mention_logits)
    parts = counts / np.bincount(owners, counts)[owners]
    looked_at = 0.8 * attention + 0.2 * weights
    shares = np.zeros((len(mentioned), len(sentences)))
    for owner, part, row in zip(owners, parts, looked_at, strict=True):
        shares[owner] += [
            part * row[1 + first : 1 + last].sum() for first, last in map(encoding.token_range, sentences)
        ]
    monkeypatch.setattr(transformer, "_BLOCK", at_once * len(logits))
    judged = TransformerReading(encoding, logits, LAYOUT).judge(mentioned, sentences)
    assert np.allclose(judged[0], expected, atol=1e-5)
    assert np.allclose(judged[1], shares, atol=1e-5)
    assert shares.sum() > 1
    assert TransformerReading(encoding, logits, LAYOUT).judge([], sentences)[0].shape == (0, len(LABELS))


def test_many_mentions_of_a_long_text_take_no_memory_for_each_other() -> None:
    rows = 20_001
    offsets = np.asarray([(3 * n, 3 * n + 2) for n in range(rows - 1)])
    reading = TransformerReading(Encoding((), offsets), np.zeros((rows, LAYOUT.size), dtype=np.float32), LAYOUT)
    mentioned = [Mentioned(Actor("US"), tuple(Span(30 * n, 30 * n + 2) for n in range(1000)))]
    tracemalloc.start()
    try:
        reading.judge(mentioned, [Span(0, 3 * rows)])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 80 << 20  # one row of each mention alone would take 80 MB, several times over


def test_sums_of_int8_products_are_exact_on_any_cpu() -> None:
    """On AVX2 without VNNI two products of 255 and 127 would overflow the 16 bits that their sum is kept in."""
    ids, size = np.asarray([255, 254, 1, 0, 128]), LAYOUT.size
    rows = np.tile(np.asarray([[127], [-127], [127], [127]], dtype=np.int8), (8, size))
    nodes = [
        helper.make_node("Cast", ["input_ids"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["float", "last"], ["column"]),
        helper.make_node("Expand", ["column", "shape"], ["wide"]),
        helper.make_node("DynamicQuantizeLinear", ["wide"], ["bytes", "scale", "zero"]),
        helper.make_node("MatMulInteger", ["bytes", "rows", "zero", "none"], ["sums"]),
        helper.make_node("Cast", ["sums"], ["summed"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["summed", "scale"], ["logits"]),
    ]
    constants = {
        "last": np.asarray([2]),
        "shape": np.asarray([1, 1, len(rows)]),
        "rows": rows,
        "none": np.asarray(0, dtype=np.int8),
    }
    graph = helper.make_graph(
        nodes,
        "sums",
        [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, None])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, None, size])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    encoder = Encoder(Tokenizer.from_file(str(RELEASED / "tokenizer.json")), max_length=16, context=2)
    engine = TransformerEngine(model.SerializeToString(), encoder, LAYOUT, threads=1)
    logits = engine.run_windows([Window(ids, np.zeros_like(ids), 0, len(ids))])
    expected = ids * int(rows[:, 0].astype(int).sum())  # the scale is 1
    assert logits[1:, 0] == pytest.approx(expected, rel=1e-5)
