"""Fine-tunes the transformer with the Hugging Face Trainer.

The model is a plain token classifier (:class:`stance.transformer.HeadLayout` names its columns); what is ours is the
batch (:mod:`training.batches`) and the loss (:mod:`training.losses`).
"""

from __future__ import annotations

import inspect
import os
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from sklearn.metrics import f1_score
from transformers import EvalPrediction, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from stance.actors import Lexicon
from stance.schema import LABELS, Process
from stance.transformer import HeadLayout
from training.augment import make_pool
from training.backbone import load_tokenizer, make_encoder, make_model
from training.batches import IGNORE, Collator, RecordEncoder
from training.config import TrainingConfig
from training.corpus import Located
from training.distil import Teacher, distil_loss
from training.losses import StanceLoss, link

#: Processes that make batches for a GPU; on a CPU the training itself needs every core.
_MAX_WORKERS = 4


def _dataset(located: Sequence[Located]) -> Dataset:
    rows = [{"json": one.record.model_dump_json(by_alias=True), "length": len(one.record.text)} for one in located]
    return Dataset.from_list(rows)


def finetune(
    train: Sequence[Located],
    dev: Sequence[Located],
    lexicon: Lexicon,
    processes: Sequence[Process],
    config: TrainingConfig,
    folder: Path,
    *,
    resume: bool = False,
    progress: bool = True,
) -> Trainer:
    """Fine-tune and return the trainer; checkpoints go to ``folder``, one an epoch, the last two are kept.

    Args:
        resume: go on from the last checkpoint in ``folder``, if there is one.
    """
    train = sample_records(train, config)
    tokenizer = load_tokenizer(config.backbone)
    encoder = make_encoder(tokenizer, config)
    pool = make_pool([actor.actor for one in train for actor in one.record.actors])
    pad = int(tokenizer.pad_token_id or 0)
    encode = RecordEncoder(encoder, lexicon, processes, config, pool=pool, seed=config.seed)
    model = make_model(config)
    trainer = _Trainer(
        model=model,
        args=make_arguments(config, folder, progress=progress),
        train_dataset=_dataset(train),
        eval_dataset=_dataset(dev),
        data_collator=Collator(encode, pad),
        eval_collator=Collator(RecordEncoder(encoder, lexicon, processes, config), pad),
        teacher=Teacher(Path(config.teacher), tokenizer) if config.teacher else None,
        compute_loss_func=StanceLoss(config),
        compute_metrics=_compute_metrics,
        config=config,
    )
    # A row of a prediction is an actor, not a record: nothing may be cut off to the number of records.
    trainer.gather_function = trainer.accelerator.gather
    trainer.add_callback(_TellEpoch(encode))
    trainer.train(resume_from_checkpoint=_last_whole_checkpoint(folder) if resume else None)
    return trainer


class _TellEpoch(TrainerCallback):
    """Tells the encoder the epoch, so that a resumed run draws what an uninterrupted one would."""

    def __init__(self, encode: RecordEncoder) -> None:
        self._encode = encode

    def on_epoch_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Before the epoch's first batch is drawn."""
        self._encode.epoch = round(state.epoch or 0)


def _last_whole_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end."""
    whole = [path.parent for path in folder.glob("checkpoint-*/trainer_state.json")]
    return str(max(whole, key=lambda path: int(path.name.split("-")[1]))) if whole else None


def sample_records(train: Sequence[Located], config: TrainingConfig) -> Sequence[Located]:
    """The random part of the records that ``max_records`` and the seed ask for; all if it is 0."""
    if not 0 < config.max_records < len(train):
        return train
    return random.Random(config.seed).sample(list(train), config.max_records)


def make_arguments(
    config: TrainingConfig, folder: Path, *, progress: bool, epochwise: bool = True
) -> TrainingArguments:
    """How the Trainer goes about it.

    Args:
        epochwise: evaluate and save at the end of each epoch, or do neither.
    """
    often = "epoch" if epochwise else "no"
    cuda = torch.cuda.is_available()
    bf16 = torch.cuda.is_bf16_supported() if cuda else torch.cpu._is_amx_tile_supported()
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=config.epochs,
        learning_rate=config.learning_rate,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=32,
        lr_scheduler_type="linear",
        warmup_steps=0.06,
        weight_decay=0.01,
        max_grad_norm=1.0,
        bf16=bf16,
        use_cpu=not cuda,
        seed=config.seed,
        train_sampling_strategy="group_by_length",
        length_column_name="length",
        remove_unused_columns=False,
        label_names=["labels"],
        eval_strategy=often,
        save_strategy=often,
        save_total_limit=2,
        logging_strategy="steps",
        logging_steps=20,
        report_to=[],
        disable_tqdm=not progress,
        dataloader_pin_memory=cuda,
        dataloader_num_workers=min(_MAX_WORKERS, (os.cpu_count() or 1) - 1) if cuda else 0,
    )


class HeadTrainer(Trainer):
    """The Trainer with a head that learns faster than the backbone."""

    def __init__(self, *, config: TrainingConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._config = config

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW with a faster head, and no decay of biases and norms."""
        if self.optimizer is None:
            rate, decay = self.args.learning_rate, self.args.weight_decay
            groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
            for name, parameter in self.model.named_parameters():
                own_rate = rate * self._config.head_rate if name.startswith("classifier.") else rate
                groups.setdefault((own_rate, decay if parameter.ndim > 1 else 0.0), []).append(parameter)
            self.optimizer = torch.optim.AdamW(
                [{"params": one, "lr": lr, "weight_decay": wd} for (lr, wd), one in groups.items()], fused=True
            )
        return self.optimizer


class _Trainer(HeadTrainer):
    """With a collator of its own for evaluation, and predictions that are stances, not tokens."""

    def __init__(
        self, *, eval_collator: Collator, teacher: Teacher | None, config: TrainingConfig, **kwargs: Any
    ) -> None:
        super().__init__(config=config, **kwargs)
        self._teacher = teacher
        self._accepted = inspect.signature(self.model.forward).parameters
        self._train_collator = self.data_collator
        self._eval_collator = eval_collator
        self._layout = HeadLayout(config.key_size)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        self.data_collator = self._eval_collator
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.data_collator = self._train_collator

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss on the labels and, with a teacher, on its reading."""
        labels = inputs["labels"]
        loss, outputs = super().compute_loss(model, self._own(inputs), True, num_items_in_batch)
        if self._teacher is not None and model.training:
            config = self._config
            with torch.autocast(loss.device.type, enabled=False):
                ours = link(outputs["logits"], labels, self._layout)
            loss = loss + config.distil_weight * distil_loss(
                ours,
                self._teacher.read({name: one for name, one in inputs.items() if name != "labels"}, labels),
                labels,
                temperature=config.temperature,
                link_weight=config.link_weight,
            )
        return (loss, outputs) if return_outputs else loss

    def _own(self, inputs: Any) -> dict[str, Any]:
        """Without arrays that the backbone does not know: not all tell the parts of a pair apart."""
        return {name: one for name, one in inputs.items() if name == "labels" or name in self._accepted}

    def prediction_step(self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None) -> Any:
        inputs = self._own(self._prepare_inputs(inputs))
        labels = inputs.pop("labels")
        with torch.no_grad(), self.compute_loss_context_manager():
            outputs = model(**inputs)
            loss = self.compute_loss_func(outputs, labels)
        stances = link(outputs["logits"], labels, self._layout)["stances"]
        return loss.detach(), stances.flatten(0, 1), labels["stances"].flatten()


def _compute_metrics(prediction: EvalPrediction) -> dict[str, float]:
    known = prediction.label_ids != IGNORE
    y_true, y_pred = prediction.label_ids[known], np.asarray(prediction.predictions).argmax(axis=-1)[known]
    return {"macro_f1": float(f1_score(y_true, y_pred, average="macro", labels=range(len(LABELS)), zero_division=0))}
