"""What is learnt: multi-instance learning on the passage's labels, with the evidence as an auxiliary target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F

from stance.head import MIN_WEIGHT, HeadLayout
from stance.schema import NONE_ID
from training.batches import IGNORE
from training.config import TrainingConfig


def link(token_logits: torch.Tensor, labels: dict[str, torch.Tensor], layout: HeadLayout) -> dict[str, torch.Tensor]:
    """The torch twin of :func:`stance.head.link_mentions` and ``pool_mentions``, for a batch.

    Args:
        token_logits: shape ``(windows, sequence, layout.size)``.

    Returns:
        ``tokens`` ``(records, 1 + tokens, size)``; ``stances``, log-probabilities ``(records, actors, labels)``;
        ``attention`` ``(records, actors, 1 + tokens)``; and of each mention ``mention_logits``
        ``(records, mentions, labels)`` and ``mention_attention`` ``(records, mentions, 1 + tokens)``.
    """
    tokens = token_logits.float().flatten(0, 1)[labels["index"]]
    pooled = labels["mentions"] @ tokens
    scores = pooled[..., layout.query] @ tokens[..., layout.key].transpose(1, 2) / layout.key_size**0.5
    by_mention = scores.masked_fill(~labels["mask"][:, None, :], -1e4).softmax(dim=-1)
    mention_logits = pooled[..., layout.stance] + by_mention @ tokens[..., layout.cues]
    stances = mention_logits.softmax(dim=-1)
    shares = labels["owners"] * (MIN_WEIGHT + 1 - stances[..., NONE_ID])[:, None, :]
    shares = shares / shares.sum(dim=-1, keepdim=True).clamp(min=1e-9)
    return {
        "tokens": tokens,
        "stances": (shares @ stances + 1e-9).log(),
        "attention": shares @ by_mention,
        "mention_logits": mention_logits,
        "mention_attention": by_mention,
    }


class StanceLoss:
    """Stance, evidence link, cue and tag losses, added by the weights of the configuration.

    Args:
        shares: of each label among what is learnt from; needed where the configuration weighs labels by them.

    """

    def __init__(self, config: TrainingConfig, shares: Sequence[float] | None = None) -> None:
        self._config = config
        self._layout = HeadLayout(config.key_size)
        self._weight = None
        if config.class_power:
            if shares is None:
                raise ValueError("class_power: needs the share of each label")
            share = torch.tensor(shares)
            weight = torch.where(share > 0, share, 1.0) ** -config.class_power * (share > 0)
            self._weight = weight / (weight * share).sum()

    def __call__(self, outputs: Any, labels: dict[str, torch.Tensor], num_items_in_batch: Any = None) -> torch.Tensor:
        """The batch's loss, by the signature that the Trainer asks for."""
        config = self._config
        linked = link(outputs["logits"], labels, self._layout)
        known = labels["stances"] != IGNORE
        targets = labels["stances"].flatten()
        stances = linked["stances"].flatten(0, 1)
        if self._weight is not None:
            self._weight = self._weight.to(stances.device)
        stance = F.nll_loss(stances, targets, weight=self._weight, ignore_index=IGNORE, reduction="sum")
        tags = F.cross_entropy(
            linked["tokens"][..., self._layout.tags].flatten(0, 1), labels["tags"].flatten(), ignore_index=IGNORE
        )
        loss = stance / known.sum().clamp(min=1) + config.tag_weight * tags
        loss = loss + config.link_weight * _link_loss(linked["attention"], labels, known)
        return loss + config.cue_weight * _cue_loss(linked["tokens"][..., self._layout.cues], labels, known)


def _link_loss(attention: torch.Tensor, labels: dict[str, torch.Tensor], known: torch.Tensor) -> torch.Tensor:
    """Minus the log of the attention that falls on the evidence, or on "nothing" for an actor without any."""
    wanted = labels["evidence"].clone()
    wanted[..., 0] = ~wanted.any(dim=-1)
    mass = ((attention * wanted).sum(dim=-1) + 1e-6).log()  # a clamp would teach nothing where least is seen
    return -(mass * known).sum() / known.sum().clamp(min=1)


def _cue_loss(cues: torch.Tensor, labels: dict[str, torch.Tensor], known: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the cue logits on the tokens of each actor's evidence; "nothing" is taught as ``none``."""
    nothing = cues[:, 0]
    loss = F.cross_entropy(nothing, torch.full((len(nothing),), NONE_ID, device=cues.device))
    taught = known & (labels["stances"] != NONE_ID)
    masks = (labels["evidence"] & taught[..., None]).float()
    wanted = F.one_hot(labels["stances"].clamp(min=0), cues.shape[-1])
    missed = masks @ -cues.log_softmax(dim=-1)  # (records, actors, labels): over an actor's evidence, for each label
    return loss + (missed * wanted).sum() / masks.sum().clamp(min=1)
