"""How much of the bare forward and backward pass `train finetune` reaches, and how much of its batches is padding.

    python benchmarks/finetuning.py [--preset default] [--records 400]

One pass of the Trainer over a random part of the training records (batches made, augmented and grouped by length as
always), then the same batches again, ready made, through nothing but forward and backward. Prints tokens per second of
both, padding not counted, and the minutes that all the preset's passes over all the records take at that rate.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import torch
import typer
from bounds import CONSOLE
from rich.table import Table
from transformers import PreTrainedModel, TrainingArguments

from training.augment import make_pool
from training.backbone import load_tokenizer, make_encoder, make_model, own_inputs
from training.batches import Collator, RecordEncoder
from training.config import PRESETS, TrainingConfig
from training.corpus import CORPUS
from training.data import load_data
from training.finetune import make_dataset, sample_records
from training.losses import StanceLoss
from training.trainer import StanceTrainer, make_arguments

#: Batches before the clock runs.
WARM_UP = 3


class Recorder:
    """A collator that keeps what it made."""

    def __init__(self, collate: Collator) -> None:
        self._collate = collate
        self.batches: list[dict[str, Any]] = []

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """A batch of rows, kept."""
        self.batches.append(self._collate(rows))
        return self.batches[-1]


def pass_bare(
    model: PreTrainedModel, batches: list[dict[str, Any]], loss: StanceLoss, arguments: TrainingArguments
) -> float:
    """Seconds of forward and backward over ready batches."""
    device = arguments.device
    model.to(device).train()
    moved = [_move(batch, device) for batch in batches]

    def autocast() -> AbstractContextManager[Any]:
        return torch.autocast(device.type, dtype=torch.bfloat16) if arguments.bf16 else nullcontext()

    started = 0.0
    for number, batch in enumerate(moved[:WARM_UP] + moved):
        if number == min(WARM_UP, len(moved)):
            _wait(device)
            started = time.perf_counter()
        with autocast():
            outputs = model(**own_inputs(model, batch))
            value = loss(outputs, batch["labels"])
        value.backward()
        model.zero_grad()
    _wait(device)
    return time.perf_counter() - started


def _move(batch: dict[str, Any], device: torch.device) -> dict[str, Any]:
    return {key: _move(one, device) if isinstance(one, dict) else one.to(device) for key, one in batch.items()}


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()


class Measured(NamedTuple):
    """Tokens and their share of the batches; seconds of the Trainer and of the bare passes; training records in all."""

    tokens: float
    dense: float
    seconds: float
    bare: float
    records: int


def measure(config: TrainingConfig, folder: Path, tell: Callable[[str], None]) -> Measured:
    """Run the Trainer, then the bare passes."""
    data = load_data([CORPUS])
    records = sample_records(data.splits["train"], config)
    tokenizer = load_tokenizer(config.backbone)
    pool = make_pool([actor.actor for one in records for actor in one.record.actors])
    encoder = make_encoder(tokenizer, config)
    encode = RecordEncoder(encoder, data.lexicon, data.known, config, pool=pool, seed=config.seed)
    recorder = Recorder(Collator(encode, int(tokenizer.pad_token_id or 0)))
    arguments = make_arguments(config, folder, progress=False, epochwise=False)
    arguments.dataloader_num_workers = 0  # what is made elsewhere could not be kept
    trainer = StanceTrainer(
        model=make_model(config),
        args=arguments,
        train_dataset=make_dataset(records, data.names),
        data_collator=recorder,
        eval_collator=recorder,
        teacher=None,
        compute_loss_func=StanceLoss(config),
        config=config,
    )
    tell(f"the Trainer: {len(records)} records")
    started = time.perf_counter()
    trainer.train()
    seconds = time.perf_counter() - started
    tell(f"bare: {len(recorder.batches)} batches")
    bare = pass_bare(make_model(config), recorder.batches, StanceLoss(config), arguments)
    masks = [batch["attention_mask"] for batch in recorder.batches]
    tokens = float(sum(mask.sum() for mask in masks))
    return Measured(tokens, tokens / sum(mask.numel() for mask in masks), seconds, bare, len(data.splits["train"]))


def main(
    preset: Annotated[str, typer.Option(help=f"One of {', '.join(PRESETS)}.")] = "default",
    records: Annotated[int, typer.Option(min=64, help="Size of the random part.")] = 400,
) -> None:
    """Measure and print."""
    config = replace(PRESETS[preset], max_records=records, epochs=1.0)
    with tempfile.TemporaryDirectory() as folder:
        one = measure(config, Path(folder), CONSOLE.print)
    minutes = one.seconds / 60 * one.records / records * PRESETS[preset].epochs
    table = Table("", "tokens/s", "of the bare passes", title=f"preset {preset}, {records} records")
    table.add_row("bare forward and backward", f"{one.tokens / one.bare:,.0f}", "")
    table.add_row("Trainer", f"{one.tokens / one.seconds:,.0f}", f"{one.bare / one.seconds:.0%} (asked: 80%)")
    CONSOLE.print(table)
    CONSOLE.print(f"{one.dense:.1%} of the batches' places hold a token, the rest is padding")
    CONSOLE.print(f"{PRESETS[preset].epochs:g} passes over {one.records} records: {minutes:.0f} minutes at this rate")


if __name__ == "__main__":
    typer.run(main)
