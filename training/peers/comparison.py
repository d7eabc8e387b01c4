"""All peers in one run, on the same records."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

import stance
from stance.baseline import BaselineEngine
from stance.bundle import Bundle
from training.backbone import load_tokenizer, require_backbone
from training.baseline import fit_baseline, fit_majority, fit_name_only, predict_by_name
from training.config import TrainingConfig
from training.corpus import Located, corpus_digest
from training.data import Data
from training.evaluate import predict_ids
from training.files import load_stamped, save_json_whole
from training.finetune import sample_records
from training.metrics import Ids, clear_actors
from training.peers.cases import CaseMaker
from training.peers.few_shot import fit_setfit, predict_setfit
from training.peers.fitted import Fitted, measure, timed
from training.peers.ours import OURS, fit_ours
from training.peers.pairs import SPECIAL, PairEncoder
from training.pipeline import bundle_engine
from training.runs import Run

log = logging.getLogger("train")

PEERS = "peers.json"


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """What the peers are trained with.

    Attributes:
        ours: our own settings; backbone, seed and ``max_records`` hold for all.
        window: tokens that SetFit and the pair encoder see of a text, special tokens not counted.
        pair_epochs, pair_rate, pair_batch: of the pair encoder.
        setfit_cases, setfit_steps: actors that tune SetFit's encoder, and contrastive steps of 16 pairs.
    """

    ours: TrainingConfig
    window: int = 192
    pair_epochs: float = 4.0
    pair_rate: float = 1e-4
    pair_batch: int = 32
    setfit_cases: int = 1024
    setfit_steps: int = 500


def compare_peers(
    data: Data,
    held_out: Sequence[Located],
    settings: PeerSettings,
    *,
    runs: Path,
    on: str,
    progress: bool = True,
) -> dict[str, Any]:
    """Train and measure every peer, the cheapest first.

    Args:
        held_out: records to be measured on; ``on`` is their name in the result.
        runs: our own fine-tuning goes to ``seed-SEED`` below it, and is taken up from there; ``peers.json`` there is
            written anew after each peer, and a peer that it has already is not trained again.

    Returns:
        What ``peers.json`` holds.

    Raises:
        StanceError: if a fine-tuning or a result with other settings or data lies in ``runs``, or the backbone
            cannot be trained so.
        ExtraMissing: without the package ``setfit``.
    """
    config = settings.ours
    # Before hours are spent on the other peers.
    Run.of(runs, config.seed).check_same(config, data.digest)
    require_backbone(config)
    require_backbone(_pair_config(settings))
    train = sample_records(data.splits["train"], config)
    stamp = {
        "on": on,
        "held_out": {
            "records": len(held_out),
            "actors": len(clear_actors(held_out)),
            "digest": corpus_digest(held_out),
        },
        "training": {"records": len(train), "actors": len(clear_actors(train))},
        "settings": asdict(settings),
        "corpus_digest": data.digest,
        "package_version": stance.__version__,
    }
    result = load_stamped(runs / PEERS, stamp)
    rows: list[dict[str, Any]] = result.setdefault("rows", [])
    done = {row["name"] for row in rows}
    # Of each row, as the next may be made elsewhere.
    device = "cuda" if torch.cuda.is_available() else f"cpu, {torch.get_num_threads()} threads"
    for fitted in _fit_others(data, train, settings, runs, done, progress=progress):
        log.info("measuring %s", fitted.name)
        rows.append({**asdict(measure(fitted, held_out, data.names)), "device": device})
        save_json_whole(runs / PEERS, result)
    return result


def _fit_others(
    data: Data, train: Sequence[Located], settings: PeerSettings, runs: Path, done: Set[str], *, progress: bool
) -> Iterator[Fitted]:
    """Every peer but those that are done."""
    config, width = settings.ours, settings.window
    make = CaseMaker(load_tokenizer(config.backbone), data.lexicon, data.names, width)
    pairs = PairEncoder(make, _pair_config(settings))
    fit_few = partial(
        fit_setfit,
        make,
        train,
        config,
        cases=settings.setfit_cases,
        steps=settings.setfit_steps,
        width=width,
        progress=progress,
    )
    few = f"encoder tuned on {settings.setfit_cases:,} actors at most, regression on all; PyTorch"
    peers: dict[str, tuple[Callable[[], Any], Callable[[Any, Sequence[Located]], Ids], str]] = {
        "majority": (partial(fit_majority, train), predict_by_name, "reads no text"),
        "name only": (partial(fit_name_only, train), predict_by_name, "reads the name, not the text"),
        "scikit-learn baseline": (partial(_fit_baseline, data, train), partial(_predict, data), ""),
        "SetFit": (fit_few, partial(predict_setfit, make), few),
        "pair encoder": (
            partial(pairs.fit, train, progress=progress),
            PairEncoder.predict,
            "predicts in fp32; PyTorch",
        ),
    }
    for name, (fit, predict, note) in peers.items():
        if name in done:
            log.info("%s: was done already", name)
        else:
            log.info("%s", name)
            yield timed(name, fit, predict, note)
    if not done.issuperset(OURS):
        log.info("ours")
        ours = fit_ours(data, train, config, Run.of(runs, config.seed), progress=progress)
        yield from (one for one in ours if one.name not in done)


def _pair_config(settings: PeerSettings) -> TrainingConfig:
    return replace(
        settings.ours,
        epochs=settings.pair_epochs,
        learning_rate=settings.pair_rate,
        batch_size=settings.pair_batch,
        max_length=settings.window + SPECIAL,
        average=0.0,  # without which the learning rate falls to nothing
    )


def _fit_baseline(data: Data, train: Sequence[Located]) -> Bundle:
    return bundle_engine(data, BaselineEngine(fit_baseline(train, data.lexicon)), "baseline")


def _predict(data: Data, bundle: Bundle, located: Sequence[Located]) -> Ids:
    return predict_ids(bundle, located, data.names)
