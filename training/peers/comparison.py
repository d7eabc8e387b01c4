"""All peers in one run, on the same records."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from stance.baseline import BaselineEngine
from stance.bundle import Bundle
from training.backbone import load_tokenizer
from training.baseline import fit_baseline, fit_majority, fit_name_only, predict_by_name
from training.config import TrainingConfig
from training.corpus import Located
from training.data import Data
from training.evaluate import predict_ids
from training.files import save_json_whole
from training.finetune import sample_records
from training.metrics import Ids, clear_actors
from training.peers.cases import CaseMaker
from training.peers.few_shot import fit_setfit, predict_setfit
from training.peers.fitted import Fitted, measure, timed
from training.peers.ours import fit_ours
from training.peers.pairs import PairEncoder
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
            written anew after each peer, so that a stop costs the peer at work only.

    Returns:
        What ``peers.json`` holds.

    Raises:
        StanceError: if a fine-tuning with other settings or data lies in ``runs``, or the backbone cannot be loaded.
        ExtraMissing: without the package ``setfit``.
    """
    config = settings.ours
    # Before hours are spent on the other peers.
    Run.of(runs, config.seed).check_same(config, data.digest)
    load_tokenizer(config.backbone)
    train = sample_records(data.splits["train"], config)
    result: dict[str, Any] = {
        "on": on,
        "held_out": {"records": len(held_out), "actors": len(clear_actors(held_out))},
        "training": {"records": len(train), "actors": len(clear_actors(train))},
        "device": "cuda" if torch.cuda.is_available() else f"cpu, {torch.get_num_threads()} threads",
        "settings": asdict(settings),
        "rows": [],
    }
    for fitted in _fit_all(data, train, settings, runs, progress=progress):
        log.info("measuring %s", fitted.name)
        result["rows"].append(asdict(measure(fitted, held_out, data.names)))
        save_json_whole(runs / PEERS, result)
    return result


def _fit_all(
    data: Data, train: Sequence[Located], settings: PeerSettings, runs: Path, *, progress: bool
) -> Iterator[Fitted]:
    yield timed("majority", partial(fit_majority, train), predict_by_name, "reads no text")
    yield timed("name only", partial(fit_name_only, train), predict_by_name, "reads the name, not the text")
    yield timed("scikit-learn baseline", partial(_fit_baseline, data, train), partial(_predict, data))
    config, width = settings.ours, settings.window
    make = CaseMaker(load_tokenizer(config.backbone), data.lexicon, data.names, width)
    log.info("SetFit")
    yield timed(
        "SetFit",
        lambda: fit_setfit(
            make,
            train,
            config,
            cases=settings.setfit_cases,
            steps=settings.setfit_steps,
            width=width + 4,
            progress=progress,
        ),
        partial(predict_setfit, make),
        f"encoder tuned on {settings.setfit_cases:,} actors at most, regression on all; PyTorch",
    )
    log.info("pair encoder")
    pairs = PairEncoder(make, _pair_config(settings), width)
    yield timed(
        "pair encoder", partial(pairs.fit, train, progress=progress), PairEncoder.predict, "predicts in fp32; PyTorch"
    )
    log.info("ours")
    yield from fit_ours(data, train, config, Run.of(runs, config.seed), progress=progress)


def _pair_config(settings: PeerSettings) -> TrainingConfig:
    return replace(
        settings.ours,
        epochs=settings.pair_epochs,
        learning_rate=settings.pair_rate,
        batch_size=settings.pair_batch,
        average=0.0,  # without which the learning rate falls to nothing
    )


def _fit_baseline(data: Data, train: Sequence[Located]) -> Bundle:
    return bundle_engine(data, BaselineEngine(fit_baseline(train, data.lexicon)), "baseline")


def _predict(data: Data, bundle: Bundle, located: Sequence[Located]) -> Ids:
    return predict_ids(bundle, located, data.names)
