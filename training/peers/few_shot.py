"""SetFit: a sentence encoder tuned on contrasting pairs of a few cases, and a logistic regression on its embeddings.

All pairs of tens of thousands of cases neither fit in memory nor help: the encoder learns from a random few, the
regression from all cases.
"""

from __future__ import annotations

import random
import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from stance.errors import needs
from training.config import TrainingConfig
from training.corpus import Located
from training.metrics import Ids
from training.peers.cases import CaseMaker, TextCase
from training.weights import backbone_path

if TYPE_CHECKING:
    from setfit import SetFitModel

#: Pairs in a contrastive step.
_BATCH = 16
#: Tokens of a text beside question and window: two special ones and the colon between, with one to spare.
_BESIDE = 4


def fit_setfit(
    make: CaseMaker,
    train: Sequence[Located],
    config: TrainingConfig,
    *,
    cases: int,
    steps: int,
    width: int,
    progress: bool = True,
) -> SetFitModel:
    """Fit SetFit on the clear actors of the records.

    Args:
        cases: so many random ones tune the encoder.
        steps: contrastive steps of 16 pairs.
        width: tokens that the encoder reads of a case, special tokens not counted.

    Raises:
        ExtraMissing: without the package ``setfit``.
    """
    setfit = _load_setfit()
    from datasets import Dataset

    every = make(train)
    few = random.Random(config.seed).sample(every, min(cases, len(every)))
    model = _make_model(setfit, config, width)
    with tempfile.TemporaryDirectory() as folder:
        arguments = setfit.TrainingArguments(
            output_dir=folder,
            batch_size=_BATCH,
            max_steps=steps,
            save_strategy="no",
            report_to="none",
            seed=config.seed,
            show_progress_bar=progress,
        )
        columns = {"text": [_join(case) for case in few], "label": [case.label for case in few]}
        trainer = setfit.Trainer(model=model, args=arguments, train_dataset=Dataset.from_dict(columns))
        trainer.train_embeddings(columns["text"], columns["label"], args=arguments)
        trainer.train_classifier([_join(case) for case in every], [case.label for case in every], args=arguments)
    return model


def predict_setfit(make: CaseMaker, model: SetFitModel, located: Sequence[Located]) -> Ids:
    """Label ids of the clear actors."""
    texts = [_join(case) for case in make(located)]
    if not texts:
        return np.zeros(0, dtype=np.int64)
    return np.asarray(model.predict(texts, as_numpy=True, show_progress_bar=False), dtype=np.int64)


def _load_setfit() -> Any:
    with needs("setfit", "peers"):
        import setfit
    setfit.logging.set_verbosity_error()
    return setfit


def _make_model(setfit: Any, config: TrainingConfig, width: int) -> SetFitModel:
    from sentence_transformers import SentenceTransformer
    from sklearn.linear_model import LogisticRegression

    body = SentenceTransformer(backbone_path(config.backbone), model_kwargs={"dtype": torch.float32})
    body.max_seq_length = width + _BESIDE
    return setfit.SetFitModel(model_body=body, model_head=LogisticRegression(max_iter=2000))


def _join(case: TextCase) -> str:
    return f"{case.question}: {case.window}"
