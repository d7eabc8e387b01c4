"""DeBERTa's attention, with only those of its distances that a window can have.

It works out every token against all distances that it knows, 512 in the published models, and then picks; a window of
40 tokens has 79. What it picks, and so what comes out, is the same.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.models.deberta_v2.modeling_deberta_v2 import DisentangledSelfAttention


def narrow_distances(model: PreTrainedModel) -> PreTrainedModel:
    """Change every attention of DeBERTa in the model to that, in place, and return the model.

    Where it is not of the published models' kind, both ways and with shared projections, nothing is done, nor to other
    models.
    """
    for module in model.modules():
        if type(module) is DisentangledSelfAttention and _is_published_kind(module) and _is_near(module):
            module.__class__ = _NarrowAttention
    return model


def _is_published_kind(attention: DisentangledSelfAttention) -> bool:
    both = all(way in attention.pos_att_type for way in ("c2p", "p2c"))
    return bool(attention.relative_attention and attention.share_att_key and both)


def _is_near(attention: DisentangledSelfAttention) -> bool:
    """Whether the place of a distance is never farther from the middle than the distance: they are equal up to half the
    buckets, and places grow by a logarithm from there on."""
    near, known = attention.position_buckets // 2, attention.max_relative_positions
    return near < 1 or (known > near and near - 1 <= near * math.log((known - 1) / near))


class _NarrowAttention(DisentangledSelfAttention):
    """Takes queries and keys of shape ``(windows * heads, sequence, head size)``, distances of shape
    ``(1, sequence, sequence)`` and their embeddings, ``(known, hidden size)``."""

    def disentangled_attention_bias(
        self, query_layer: Any, key_layer: Any, relative_pos: Any, rel_embeddings: Any, scale_factor: int
    ) -> torch.Tensor:
        """What the distances add to the attention scores; shape ``(windows * heads, sequence, sequence)``."""
        length, known = query_layer.shape[-2], self.pos_ebd_size
        span = torch.sym_min(length, known)
        windows = query_layer.shape[0] // self.num_attention_heads
        apart = relative_pos.reshape(length, length)
        scale = (query_layer.shape[-1] * scale_factor) ** 0.5

        def score(tokens: torch.Tensor, projection: torch.nn.Module, apart: torch.Tensor) -> torch.Tensor:
            # All are projected, so that in a served graph they are constants.
            distances = self.transpose_for_scores(projection(rel_embeddings[None]), self.num_attention_heads)
            distances = distances[:, known - span : known + span]
            if windows > 1:
                distances = distances.repeat(windows, 1, 1)
            places = (apart + span).clamp(0, 2 * span - 1).expand(tokens.shape[0], -1, -1)
            return (tokens @ distances.transpose(-1, -2)).gather(-1, places)

        to_position = score(query_layer, self.key_proj, apart)
        from_position = score(key_layer, self.query_proj, -apart)
        return (to_position + from_position.transpose(-1, -2)) / scale
