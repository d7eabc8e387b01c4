"""Our own method as a peer, and a trained model as bundles that can be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from stance.bundle import Bundle
from stance.calibration import Calibration
from stance.classify import Engine
from stance.transformer import HeadLayout, TransformerEngine
from training.backbone import load_tokenizer, load_trained, make_encoder
from training.batches import RecordEncoder
from training.config import TrainingConfig
from training.corpus import Located, spread
from training.data import Data
from training.evaluate import predict_ids
from training.export import SMOOTHING_RECORDS, export_model
from training.peers.fitted import Fitted
from training.pipeline import finetune_step
from training.runs import Run, Trained


def bundle_engine(data: Data, engine: Engine, name: str) -> Bundle:
    """A bundle in memory whose probabilities are not calibrated: good for its labels only."""
    return Bundle(name, "", engine, data.lexicon, {one.key: one for one in data.known}, Calibration())


def bundle_trained(data: Data, config: TrainingConfig, trained: Trained) -> tuple[Bundle, Bundle]:
    """A fine-tuned model in fp32 and int8, as the service would run it; how well they agree is not judged."""
    encoder = make_encoder(load_tokenizer(config.backbone), config)
    layout = HeadLayout(config.key_size)
    encode = RecordEncoder(encoder, data.lexicon, data.known, config)
    model = load_trained(trained.folder)
    some = spread(data.splits["dev"], SMOOTHING_RECORDS)
    *graphs, _ = export_model(model, encoder, layout, encode, some, min_agreement=0.0)
    fp32, int8 = (
        bundle_engine(data, TransformerEngine(graph, encoder, layout), name)
        for graph, name in zip(graphs, ("fp32", "int8"), strict=True)
    )
    return fp32, int8


def fit_ours(
    data: Data, train: Sequence[Located], config: TrainingConfig, run: Run, *, progress: bool = True
) -> list[Fitted]:
    """Fine-tune our model, or take up what an earlier run left; fp32 and int8 are a peer each."""
    own = replace(data, splits={**data.splits, "train": train})
    trained = finetune_step(own, config, run, resume=True, progress=progress)
    note = "one pass for all actors; ONNX Runtime, as served"
    return [
        Fitted(f"ours, {bundle.name}", partial(predict_ids, bundle, names=data.names), trained.seconds, note)
        for bundle in bundle_trained(data, config, trained)
    ]
