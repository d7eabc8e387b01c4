"""The mean of several models' weights as one model (Wortsman et al. 2022, Model soups, arXiv:2203.05482).

Trainings from one backbone end close enough to each other for what lies between them to read as well, and to be less
sure where it is wrong. What a head makes of a key and of a query means something in its own training only; what the two
give together does in all. So it is their product whose mean is taken, and parted into keys and queries again.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from stance.errors import StanceError
from stance.head import HeadLayout
from training.backbone import load_tokenizer, load_trained
from training.config import TrainingConfig
from training.runs import Run, Trained
from training.start import made_settings, make_start, tell_start

Weights = Mapping[str, torch.Tensor]

#: The head's own, in all models.
_HEAD, _BIAS = "classifier.weight", "classifier.bias"


@dataclass(frozen=True, slots=True)
class Ingredient:
    """A model that is mixed: its settings, its weights by name, and what tells it from any other."""

    config: TrainingConfig
    weights: Weights
    name: str


def load_ingredient(model: Path) -> Ingredient:
    """The model in the folder of a bundle, up to the rounding of its int8, or of a finished run.

    Raises:
        StanceError: if there is neither, or its backbone cannot be loaded.
    """
    run = Run(model)
    if run.finished:
        return Ingredient(run.config(), load_trained(run.model).state_dict(), str(run))
    config = made_settings(model, "a model of `train soup`")
    return Ingredient(config, make_start(replace(config, start=str(model))).state_dict(), tell_start(model))


def make_soup(models: Sequence[Path], shares: Sequence[float], run: Run, digest: str, *, seed: int) -> Trained:
    """Mix models into a run, finished as if it had been trained: with the settings of the first.

    Args:
        models: folders of bundles or of finished runs, two or more.
        shares: of each, in order, above 0; they are divided by their sum. None: all alike.
        run: an empty folder, or one that may be overwritten.
        digest: of the data that it is exported with.

    Raises:
        StanceError: if there are too few, or shares that are not theirs; if one cannot be loaded, or is of another
            backbone or shape than the first.
    """
    shares = list(shares) or [1.0] * len(models)
    if len(models) < 2 or len(shares) != len(models) or not all(0 < one < math.inf for one in shares):
        raise StanceError(
            f"train soup: {len(models)} models and the shares {', '.join(f'{one:g}' for one in shares)}; give two "
            "models or more and, if not all count alike, a --share above 0 for each, in their order"
        )
    started = time.monotonic()
    some = [load_ingredient(model) for model in models]
    first = some[0]
    for other in some[1:]:
        _require_same(first, other)
    mixed = mix_weights([one.weights for one in some], shares, HeadLayout(first.config.key_size))
    told = [f"{one.name} ({share / sum(shares):.2g})" for one, share in zip(some, shares, strict=True)]
    start = f"the mean of the weights of {', '.join(told[:-1])} and {told[-1]}"
    run.begin(replace(first.config, seed=seed, max_records=0, start="", teacher=""), digest, start=start)
    model = make_start(replace(first.config, start=""))
    model.load_state_dict(mixed)
    model.save_pretrained(run.model)
    trained = Trained(run.model, time.monotonic() - started, [], None, start)
    run.finish(trained)
    return trained


def mix_weights(weights: Sequence[Weights], shares: Sequence[float], layout: HeadLayout) -> dict[str, torch.Tensor]:
    """The mean of the weights, by their shares; of keys and queries that of their product.

    The mean of products has more dimensions than one of them. The strongest are kept, as many as a key has.

    Args:
        weights: by name, of one shape, the head's among them: ``(layout.size, hidden size)`` and ``(layout.size,)``.
    """
    parts = [share / sum(shares) for share in shares]
    mixed: dict[str, torch.Tensor] = {
        name: sum(part * one[name].double() for part, one in zip(parts, weights, strict=True)).to(first.dtype)  # type: ignore[union-attr]
        for name, first in weights[0].items()
    }
    heads = [torch.cat([one[_HEAD], one[_BIAS][:, None]], dim=1).double() for one in weights]
    links = sum(part * head[layout.query].T @ head[layout.key] for part, head in zip(parts, heads, strict=True))
    left, strengths, right = torch.linalg.svd(links)
    root = strengths[: layout.key_size].sqrt()[:, None]
    for columns, table in ((layout.query, left.T), (layout.key, right)):
        part = root * table[: layout.key_size]
        mixed[_HEAD][columns], mixed[_BIAS][columns] = part[:, :-1].float(), part[:, -1].float()
    return mixed


def _require_same(first: Ingredient, other: Ingredient) -> None:
    shapes, others = ({name: tuple(one.shape) for name, one in which.weights.items()} for which in (first, other))
    if differing := sorted(name for name in shapes.keys() | others.keys() if shapes.get(name) != others.get(name)):
        name = differing[0]
        raise StanceError(
            f"{other.name}: {name} is {others.get(name)}, in {first.name} {shapes.get(name)}; mix models of one "
            "backbone, with the same layers and key_size"
        )
    if first.config.backbone != other.config.backbone:
        ours, theirs = (load_tokenizer(one.config.backbone).get_vocab() for one in (first, other))
        if ours != theirs:
            raise StanceError(
                f"{other.name}: backbone {other.config.backbone!r} has other word pieces than "
                f"{first.config.backbone!r} of {first.name}; mix models of one backbone"
            )
