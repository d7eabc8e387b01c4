"""Forward and backward passes on a GPU as CUDA graphs, one for each shape of batch.

The kernels of a small model take less time than launching them one by one does; a graph launches a whole pass at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.models.deberta_v2.modeling_deberta_v2 import DebertaV2Encoder

#: What a batch's array is called, its labels' with ``labels.`` before it.
Arrays = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class _Graph:
    graph: torch.cuda.CUDAGraph
    inputs: Arrays
    loss: torch.Tensor


class GraphedPasses:
    """Runs passes; of a shape that comes again, from its second time on, by a graph.

    Needs passes that never wait for the GPU, and batches in few shapes (:class:`training.batches.Collator`, rounded):
    every shape keeps its graph.

    Args:
        run: works out the loss of a batch, a scalar, and its gradients (``backward``); always of the same parameters.
        parameters: whose gradients these are.
    """

    def __init__(
        self, run: Callable[[Mapping[str, Any]], torch.Tensor], parameters: Sequence[torch.nn.Parameter]
    ) -> None:
        self._run = run
        self._parameters = parameters
        self._graphs: dict[Any, _Graph | None] = {}
        self._pool: Any = None
        self._gradients = _Gradients([])

    def __call__(self, batch: Mapping[str, Any]) -> torch.Tensor:
        """The batch's loss; the gradients are in the parameters, in place of any that were there.

        Both are overwritten by the next call.
        """
        arrays = _flatten(batch)
        shape = tuple((name, tuple(array.shape)) for name, array in arrays.items())
        if shape not in self._graphs:
            self._graphs[shape] = None  # what is made at the first sight, such as work spaces, stays out of the graph
            return self._run_once(batch)
        graph = self._graphs[shape] = self._graphs[shape] or self._capture(arrays)
        for name, array in graph.inputs.items():
            array.copy_(arrays[name], non_blocking=True)
        graph.graph.replay()
        self._gradients.give()
        return graph.loss

    def _run_once(self, batch: Mapping[str, Any]) -> torch.Tensor:
        for parameter in self._parameters:
            parameter.grad = None
        loss = self._run(batch).detach()
        if not self._gradients.parts:
            self._gradients = _Gradients([one for one in self._parameters if one.grad is not None])
        return loss

    def _capture(self, arrays: Arrays) -> _Graph:
        own = {name: array.clone() for name, array in arrays.items()}
        self._gradients.give()
        graph = torch.cuda.CUDAGraph()
        # The thread that pins the next batches may go on.
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            self._gradients.clear()
            loss = self._run(_unflatten(own)).detach()
        given = {id(parameter) for parameter, _ in self._gradients.parts}
        if any(one.grad is not None and id(one) not in given for one in self._parameters):
            raise RuntimeError("a parameter has a gradient that had none in the first pass: graphs would not train it")
        self._pool = graph.pool()
        return _Graph(graph, own, loss)


class _Gradients:
    """Where all graphs leave the gradients: one stretch of memory, of which each parameter has its part."""

    def __init__(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        sizes = [one.numel() for one in parameters]
        self._whole = torch.cat([torch.zeros_like(one).flatten() for one in parameters] or [torch.zeros(0)])
        parts = zip(self._whole.split(sizes), parameters, strict=True) if sizes else []
        self.parts = [(parameter, part.view_as(parameter)) for part, parameter in parts]

    def clear(self) -> None:
        self._whole.zero_()

    def give(self) -> None:
        for parameter, part in self.parts:
            parameter.grad = part


def _flatten(batch: Mapping[str, Any]) -> Arrays:
    arrays = {}
    for name, one in batch.items():
        arrays |= {f"{name}.{key}": array for key, array in one.items()} if isinstance(one, Mapping) else {name: one}
    return arrays


def _unflatten(arrays: Arrays) -> dict[str, Any]:
    batch: dict[str, Any] = {}
    for name, array in arrays.items():
        whole, _, part = name.partition(".")
        if part:
            batch.setdefault(whole, {})[part] = array
        else:
            batch[whole] = array
    return batch


class _KeepingEncoder(DebertaV2Encoder):
    """Keeps the distances between tokens for each length of window that it learns from."""

    def get_rel_pos(self, hidden_states: torch.Tensor, query_states: Any = None, relative_pos: Any = None) -> Any:
        if not self.training or query_states is not None or relative_pos is not None:
            return super().get_rel_pos(hidden_states, query_states, relative_pos)
        kept = self.__dict__.setdefault("_kept", {})
        key = hidden_states.shape[-2], hidden_states.device
        if key not in kept:
            kept[key] = super().get_rel_pos(hidden_states)
        return kept[key]


def keep_relative_positions(model: PreTrainedModel) -> None:
    """Have DeBERTa keep the distances between tokens, in place; nothing is done to other models.

    It makes them from numbers of the host, which a graph cannot do.
    """
    for module in model.modules():
        if type(module) is DebertaV2Encoder:
            module.__class__ = _KeepingEncoder
