"""A pair-encoding sequence classifier: the same backbone reads (actor and process, text) once for each actor."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import AutoModelForSequenceClassification, DataCollatorWithPadding, PreTrainedModel, Trainer

from stance.schema import LABELS
from training.backbone import load_tokenizer, make_classifier
from training.config import TrainingConfig
from training.corpus import Located
from training.metrics import Ids
from training.peers.cases import CaseMaker, TextCase
from training.trainer import make_arguments

#: Special tokens of a pair.
SPECIAL = 3


class PairEncoder:
    """The Trainer's plain sequence classifier on pairs of question and window; it predicts in fp32.

    Args:
        config: backbone, epochs, learning rate, batch size (in pairs), seed, and the tokens of a pair.
    """

    def __init__(self, make: CaseMaker, config: TrainingConfig) -> None:
        self._make = make
        self._config = config
        self._tokenizer = load_tokenizer(config.backbone)
        self._pad = DataCollatorWithPadding(self._tokenizer)
        self._model: PreTrainedModel | None = None

    def fit(self, train: Sequence[Located], *, progress: bool = True) -> PairEncoder:
        """Fine-tune on every clear actor of the records."""
        cases = self._make(train)
        columns = {**self._encode(cases), "labels": [case.label for case in cases]}
        with tempfile.TemporaryDirectory() as folder:
            arguments = make_arguments(self._config, Path(folder), progress=progress, epochwise=False)
            trainer = Trainer(
                model=make_classifier(self._config, LABELS, AutoModelForSequenceClassification),
                args=replace(arguments, remove_unused_columns=True),
                train_dataset=Dataset.from_dict(columns),
                data_collator=self._pad,
            )
            trainer.train()
        # The Trainer leaves a forward pass in bf16, where the machine has it.
        self._model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False).eval()
        return self

    def predict(self, located: Sequence[Located]) -> Ids:
        """Label ids of the clear actors, all actors of the records in one batch."""
        cases = self._make(located)
        if self._model is None or not cases:
            return np.zeros(0, dtype=np.int64)
        batch = self._pad(self._encode(cases)).to(self._model.device)
        with torch.inference_mode():
            ids: Ids = self._model(**batch).logits.argmax(dim=-1).cpu().numpy()
        return ids

    def _encode(self, cases: Sequence[TextCase]) -> dict[str, Any]:
        return dict(
            self._tokenizer(
                [case.question for case in cases],
                [case.window for case in cases],
                truncation="only_second",
                max_length=self._config.max_length,
            )
        )
