"""The Hugging Face Trainer for token heads: how it goes about it, and what is ours in it."""

from __future__ import annotations

import ctypes
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import EvalPrediction, PrinterCallback, Trainer, TrainingArguments

from stance.errors import StanceError
from stance.head import HeadLayout
from training.backbone import own_inputs
from training.batches import IGNORE, Collator, StagedSampler
from training.config import TrainingConfig
from training.distil import Teacher, distil_loss
from training.graphs import GraphedPasses, keep_relative_positions
from training.jobs import usable_cores
from training.losses import link
from training.metrics import macro_f1

#: Processes that make batches for a GPU; on a CPU the training itself needs every core.
_MAX_WORKERS = 4


#: The number of a layer in the name of a parameter.
_LAYER = re.compile(r"\.layer\.(\d+)\.")

#: Of glibc's malloc.h.
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4


def keep_freed_memory() -> None:
    """Have glibc keep the memory that a step frees, for the next one; elsewhere nothing is done.

    Every step's activations are as large as the last one's. By default they go back to the system, and each page comes
    back zeroed: a quarter of a step on a CPU. The process keeps what its largest step took.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_M_TRIM_THRESHOLD, -1)  # never
        libc.mallopt(_M_TOP_PAD, 512 << 20)
        libc.mallopt(_M_MMAP_MAX, 0)


def make_arguments(
    config: TrainingConfig, folder: Path, *, progress: bool, epochwise: bool = True
) -> TrainingArguments:
    """How the Trainer goes about it.

    Args:
        epochwise: evaluate and save at the end of each epoch, or do neither.
    """
    often = "epoch" if epochwise else "no"
    cuda = torch.cuda.is_available()
    bf16 = torch.cuda.is_bf16_supported() if cuda else torch.cpu._is_avx512_bf16_supported()
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=config.epochs,
        learning_rate=config.learning_rate,
        per_device_train_batch_size=config.batch_size,
        per_device_eval_batch_size=32,
        lr_scheduler_type="cosine_with_min_lr" if config.average else "linear",
        lr_scheduler_kwargs={"min_lr_rate": 1 / 3} if config.average else {},
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
        logging_nan_inf_filter=False,  # would wait for the GPU at every step
        report_to=[],
        disable_tqdm=not progress,
        dataloader_pin_memory=cuda,
        dataloader_num_workers=min(_MAX_WORKERS, max(1, usable_cores() - 1)) if cuda else 0,
    )


def freeze_layers(model: torch.nn.Module, config: TrainingConfig) -> None:
    """Keep the embeddings and the ``freeze`` lowest layers of the backbone as they are.

    Raises:
        StanceError: if it has not so many layers besides one that learns, or none by that name.
    """
    layers = {name: int(found[1]) for name, _ in model.named_parameters() if (found := _LAYER.search(name))}
    most = max(layers.values(), default=0)
    if config.freeze > most:
        raise StanceError(
            f"freeze: received {config.freeze}; of the backbone {config.backbone!r} at most {most} layers can stay as "
            "they are"
        )
    for name, parameter in model.named_parameters():
        if "embeddings" in name or layers.get(name, most) < config.freeze:
            parameter.requires_grad_(False)


def takes_graphs(arguments: TrainingArguments) -> bool:
    """Whether passes are run by CUDA graphs: on one GPU, in one process."""
    return arguments.device.type == "cuda" and arguments.n_gpu == arguments.world_size == 1


class HeadTrainer(Trainer):
    """The Trainer with a head that learns faster than the backbone."""

    def __init__(self, *, config: TrainingConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.args.device.type == "cpu":
            keep_freed_memory()
        if self.args.disable_tqdm:
            self.remove_callback(PrinterCallback)  # which the Trainer has in place of the bar
        self._config = config
        self._passes: GraphedPasses | None = None
        if config.freeze:
            freeze_layers(self.model, config)

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """As the Trainer does; where graphs are taken, they are let go at the end."""
        if self._takes_graphs():
            keep_relative_positions(self.model)
            self._passes = GraphedPasses(self._pass, list(self.model.parameters()))
        try:
            return super().train(*args, **kwargs)
        finally:
            self._passes = None

    def _takes_graphs(self) -> bool:
        return takes_graphs(self.args)

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> torch.Tensor:
        """Loss and gradients of a batch; on one GPU by a graph."""
        if self._passes is None:
            return super().training_step(model, inputs, num_items_in_batch)
        model.train()
        return self._passes(self._prepare_inputs(inputs))

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss, of those arrays of the batch that the model reads."""
        own = {**own_inputs(self.model, inputs), "labels": inputs["labels"]}
        return super().compute_loss(model, own, return_outputs, num_items_in_batch)

    def _pass(self, inputs: Any) -> torch.Tensor:
        """Loss and gradients of a batch on the GPU."""
        with self.compute_loss_context_manager():
            loss = self.compute_loss(self.model_wrapped, inputs)
        loss.backward()
        return loss

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """AdamW with a faster head, slower lower layers if asked for, and no decay of biases and norms."""
        if self.optimizer is None:
            names = [name for name, _ in self.model.named_parameters()]
            if self._config.layer_decay != 1 and not any(map(_LAYER.search, names)):
                raise StanceError(f"layer_decay: the backbone {self._config.backbone!r} has no layers by that name")
            decay = self.args.weight_decay
            groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
            for name, parameter in self.model.named_parameters():
                groups.setdefault((self._rate(name), decay if parameter.ndim > 1 else 0.0), []).append(parameter)
            self.optimizer = torch.optim.AdamW(
                [{"params": one, "lr": lr, "weight_decay": wd} for (lr, wd), one in groups.items()], fused=True
            )
        return self.optimizer

    def _rate(self, name: str) -> float:
        """The learning rate of a parameter."""
        if name.startswith("classifier."):
            return self.args.learning_rate * self._config.head_rate
        layer = _LAYER.search(name)
        below = int(layer.group(1)) + 1 if layer else 0  # what is in no layer is below them all
        return self.args.learning_rate * self._config.layer_decay ** (self.model.config.num_hidden_layers - below)


class StanceTrainer(HeadTrainer):
    """Learns stances, and predicts them rather than tokens.

    Args:
        eval_collator: makes batches of records as they are; the other makes the ones that are learnt from.
        teacher: whose reading is learnt besides the labels, if any.
    """

    def __init__(
        self, *, eval_collator: Collator, teacher: Teacher | None, config: TrainingConfig, **kwargs: Any
    ) -> None:
        super().__init__(config=config, **kwargs)
        self._teacher = teacher
        self._train_collator = self.data_collator
        self._eval_collator = eval_collator
        self._layout = HeadLayout(config.key_size)

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        """Batches of records as they are."""
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
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        if self._config.r_drop and model.training:
            loss = loss + self._config.r_drop * self._disagreement(model, inputs, outputs, labels)
        if self._teacher is not None:
            config = self._config
            with self.accelerator.autocast():
                reading = self._teacher.read(inputs, labels)
            loss = loss + config.distil_weight * distil_loss(
                link(outputs["logits"], labels, self._layout),
                reading,
                labels,
                temperature=config.temperature,
                link_weight=config.link_weight,
            )
        return (loss, outputs) if return_outputs else loss

    def _takes_graphs(self) -> bool:
        return super()._takes_graphs() and self._teacher is None  # whose reading waits for the GPU

    def _disagreement(self, model: Any, inputs: dict[str, Any], outputs: Any, labels: Any) -> torch.Tensor:
        """How far the stances of two passes with dropout are apart.

        After R-Drop (Liang et al. 2021, arXiv:2106.14448), which learns the labels in both passes; here in the first.
        """
        again = model(**own_inputs(self.model, inputs))
        ours, theirs = (link(one["logits"], labels, self._layout)["stances"] for one in (outputs, again))
        known = labels["stances"] != IGNORE
        apart = (ours.exp() - theirs.exp()) * (ours - theirs)  # both directions of the divergence at once
        return (apart.sum(dim=-1) * known).sum() / known.sum().clamp(min=1) / 2

    def judge(self, rows: Sequence[dict[str, Any]]) -> list[NDArray[np.float32]]:
        """Log-probabilities of the actors of each row, in order; shape ``(actors of the row, labels)``."""
        model, judged = self.model.eval(), []
        for start in range(0, len(rows), self.args.per_device_eval_batch_size):
            some = rows[start : start + self.args.per_device_eval_batch_size]
            batch = self._prepare_inputs(self._eval_collator(some))
            labels = batch.pop("labels")
            with torch.inference_mode(), self.compute_loss_context_manager():
                outputs = model(**own_inputs(model, batch))
                stances = link(outputs["logits"], labels, self._layout)["stances"].float().cpu().numpy()
            counts = labels["owners"].any(dim=-1).sum(dim=-1).tolist()
            judged += [one[:count] for one, count in zip(stances, counts, strict=True)]
        return judged

    def _get_train_sampler(self, train_dataset: Any = None) -> Any:
        dataset = self.train_dataset if train_dataset is None else train_dataset
        if not self._config.curriculum:
            return super()._get_train_sampler(dataset)
        late = np.asarray(dataset["sochi"], dtype=bool)
        return StagedSampler([np.flatnonzero(~late), np.flatnonzero(late)], dataset["length"], self._train_batch_size)

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> Any:
        """As the Trainer does; a row is an actor, not a record, so nothing is cut off to the number of records."""
        self.gather_function = self.accelerator.gather  # each time: the Trainer sets its own at the end
        return super().evaluation_loop(*args, **kwargs)

    def prediction_step(self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None) -> Any:
        """Loss, log-probabilities and labels; a row of the latter two is an actor."""
        inputs = self._prepare_inputs(inputs)
        labels = inputs.pop("labels")
        with torch.no_grad(), self.compute_loss_context_manager():
            outputs = model(**own_inputs(self.model, inputs))
            loss = self.compute_loss_func(outputs, labels)
        stances = link(outputs["logits"], labels, self._layout)["stances"]
        return loss.detach(), stances.flatten(0, 1), labels["stances"].flatten()


def score_predictions(prediction: EvalPrediction) -> dict[str, float]:
    """Macro-F1 over the actors whose label is clear."""
    known = prediction.label_ids != IGNORE
    y_true, y_pred = prediction.label_ids[known], np.asarray(prediction.predictions).argmax(axis=-1)[known]
    return {"macro_f1": macro_f1(y_true, y_pred)}
