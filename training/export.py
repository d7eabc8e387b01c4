"""From a trained model to the int8 graph that is served, with proof that both say the same, or nothing written.

Three forms are compared on held-out records: torch, ONNX in fp32, ONNX in int8.
"""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from transformers import PreTrainedModel

from stance.encoding import Encoder, Window
from stance.errors import ParityError
from stance.head import FloatArray, HeadLayout, join_windows, link_mentions, pool_mentions
from stance.transformer import TransformerEngine
from training.backbone import own_inputs
from training.batches import IGNORE, RecordEncoder
from training.corpus import Located, spread
from training.metrics import macro_f1
from training.quantize import quantize, smooth

log = logging.getLogger("train")

#: Largest difference of an actor's log-probability between torch and ONNX in fp32.
MAX_FP32_DIFFERENCE = 1e-2
#: Least share of actors that must get the same label from int8 as from fp32.
MIN_INT8_AGREEMENT = 0.97
#: Held-out records on which the size of activations is measured; their labels play no part.
SMOOTHING_RECORDS = 64
#: Held-out records that the three forms are compared on, at most; spread evenly over all.
COMPARED_RECORDS = 300


@dataclass(frozen=True, slots=True)
class Parity:
    """How well the three forms agree.

    Attributes:
        cases: actors compared.
        fp32_difference: largest difference of an actor's log-probability of a stance, torch against ONNX fp32.
        fp32_agreement: share of equal labels, torch against ONNX fp32.
        int8_agreement: share of equal labels, ONNX fp32 against int8.
        macro_f1: of each form on the compared actors: ``torch``, ``fp32``, ``int8``.
    """

    cases: int
    fp32_difference: float
    fp32_agreement: float
    int8_agreement: float
    macro_f1: dict[str, float]


@dataclass(frozen=True, slots=True)
class Exported:
    """A trained model in the forms that can be served, and how they agree.

    Attributes:
        graph: of the int8 engine, serialised.
    """

    fp32: TransformerEngine
    int8: TransformerEngine
    graph: bytes
    parity: Parity


def export_model(
    model: PreTrainedModel,
    encoder: Encoder,
    layout: HeadLayout,
    encode: RecordEncoder,
    located: Sequence[Located],
    *,
    min_agreement: float = MIN_INT8_AGREEMENT,
) -> Exported:
    """Export and compare.

    Args:
        encode: without augmentation.
        located: held-out records to compare on.
        min_agreement: least int8 agreement.

    Raises:
        ParityError: if the forms do not agree well enough.
    """
    with tempfile.TemporaryDirectory() as folder:
        plain, smoothed, quantized = (Path(folder) / f"{name}.onnx" for name in ("plain", "smoothed", "quantized"))
        model.set_attn_implementation("eager")
        _export_fp32(model.cpu().eval(), plain)
        _export_fp32(
            smooth(model, lambda one: _run_all(one, encode, spread(located, SMOOTHING_RECORDS))).eval(), smoothed
        )
        quantize(smoothed, quantized)
        fp32 = TransformerEngine(plain.read_bytes(), encoder, layout)
        graph = quantized.read_bytes()
    int8 = TransformerEngine(graph, encoder, layout)
    parity = _compare(model, (fp32, int8), layout, encode, spread(located, COMPARED_RECORDS))
    _check(parity, min_agreement)
    return Exported(fp32, int8, graph, parity)


def _run_all(model: PreTrainedModel, encode: RecordEncoder, located: Sequence[Located]) -> None:
    for one in located:
        _torch_tokens(model, encode(one.record))


def _export_fp32(model: PreTrainedModel, path: Path) -> None:
    names = list(own_inputs(model, dict.fromkeys(("input_ids", "attention_mask", "token_type_ids"))))
    example = tuple(torch.ones((1, 24), dtype=torch.long) for _ in names)
    axes = {1: torch.export.Dim("sequence", min=2, max=512)}  # windows come one at a time
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own deprecations, nothing that a caller could mend
        program = torch.onnx.export(
            _Logits(model, names).eval(),
            example,
            input_names=names,
            output_names=["logits"],
            dynamic_shapes=(tuple(axes for _ in names),),
            dynamo=True,
            verbose=False,
        )
    if program is None:
        raise ParityError("torch.onnx.export gave no program")
    program.save(str(path), external_data=False)
    onnx.checker.check_model(str(path))


class _Logits(torch.nn.Module):
    """The model with its arguments in a fixed order and the logits as its only output."""

    def __init__(self, model: torch.nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.names = names

    def forward(self, *arrays: torch.Tensor) -> Any:
        return self.model(**dict(zip(self.names, arrays, strict=True))).logits


def _compare(
    model: PreTrainedModel,
    engines: Sequence[TransformerEngine],
    layout: HeadLayout,
    encode: RecordEncoder,
    located: Sequence[Located],
) -> Parity:
    logits: list[list[FloatArray]] = [[], [], []]
    y_true: list[int] = []
    for one in located:
        arrays = encode(one.record)
        forms = [_torch_tokens(model, arrays), *(engine.run_windows(arrays["windows"]) for engine in engines)]
        for kept, tokens in zip(logits, forms, strict=True):
            mentions = link_mentions(tokens, arrays["mentions"], layout)
            kept.append(pool_mentions(mentions, arrays["owners"], len(arrays["labels"])))
        y_true += arrays["labels"].tolist()
    reference, fp32, int8 = (np.concatenate(kept) for kept in logits)
    known = np.asarray(y_true) != IGNORE
    reference, fp32, int8 = reference[known], fp32[known], int8[known]
    labels = [form.argmax(axis=1) for form in (reference, fp32, int8)]
    truth = np.asarray(y_true)[known]
    scores = [macro_f1(truth, form) for form in labels]
    return Parity(
        cases=int(known.sum()),
        fp32_difference=float(np.abs(reference - fp32).max()),
        fp32_agreement=float((labels[0] == labels[1]).mean()),
        int8_agreement=float((labels[1] == labels[2]).mean()),
        macro_f1=dict(zip(("torch", "fp32", "int8"), scores, strict=True)),
    )


def _torch_tokens(model: PreTrainedModel, arrays: dict[str, Any]) -> FloatArray:
    windows: Sequence[Window] = arrays["windows"]
    return join_windows(windows, (_torch_window(model, window) for window in windows))


def _torch_window(model: PreTrainedModel, window: Window) -> FloatArray:
    ids, types = (torch.from_numpy(array)[None] for array in (window.input_ids, window.token_type_ids))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": types}
    with torch.no_grad():
        return model(**own_inputs(model, inputs)).logits[0].float().numpy()


def _check(parity: Parity, min_agreement: float) -> None:
    if parity.fp32_difference > MAX_FP32_DIFFERENCE:
        raise ParityError(
            f"ONNX fp32 differs from torch by {parity.fp32_difference:.4f} in an actor's log-probability; "
            f"at most {MAX_FP32_DIFFERENCE} is allowed; nothing was written"
        )
    if parity.int8_agreement < min_agreement:
        raise ParityError(
            f"int8 gives {parity.int8_agreement:.1%} of {parity.cases} actors the label of fp32; "
            f"at least {min_agreement:.1%} is asked; nothing was written; train longer or with another --seed, or "
            "with another --backbone, whose weights may bear int8 better"
        )
