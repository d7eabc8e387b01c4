"""Our own method as a peer, and a trained model as bundles that can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from stance.bundle import Bundle
from training.config import TrainingConfig
from training.corpus import Located, spread
from training.data import Data
from training.evaluate import predict_ids
from training.export import SMOOTHING_RECORDS
from training.peers.fitted import Fitted
from training.pipeline import bundle_engine, export_trained, finetune_step
from training.runs import Earlier, Run, Trained

#: What :func:`fit_ours` fits, by name.
OURS = ("ours, fp32", "ours, int8")


def bundle_trained(data: Data, config: TrainingConfig, trained: Trained) -> tuple[Bundle, Bundle]:
    """A fine-tuned model in fp32 and int8, as the service would run it; how well they agree is not judged."""
    some = spread(data.splits["dev"], SMOOTHING_RECORDS)
    exported = export_trained(data, config, trained, some, min_agreement=0.0)
    return bundle_engine(data, exported.fp32, "fp32"), bundle_engine(data, exported.int8, "int8")


def fit_ours(
    data: Data, train: Sequence[Located], config: TrainingConfig, run: Run, *, progress: bool = True
) -> list[Fitted]:
    """Fine-tune our model, or take up what an earlier run left; fp32 and int8 are a peer each."""
    own = replace(data, splits={**data.splits, "train": train})
    trained = finetune_step(own, config, run, earlier=Earlier.RESUME, progress=progress)
    note = "one pass for all actors; ONNX Runtime, as served"
    return [
        Fitted(name, partial(predict_ids, bundle, names=data.names), trained.seconds, note)
        for name, bundle in zip(OURS, bundle_trained(data, config, trained), strict=True)
    ]
