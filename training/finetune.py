"""Fine-tunes the transformer with the Hugging Face Trainer.

The model is a plain token classifier (:class:`stance.head.HeadLayout` names its columns); what is ours is the
batch (:mod:`training.batches`) and the loss (:mod:`training.losses`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from datasets import Dataset

from stance.actors import Lexicon
from stance.schema import LABELS, Process
from training.augment import make_pool
from training.backbone import load_tokenizer, make_encoder
from training.batches import Collator, RecordEncoder
from training.callbacks import CheckpointClock, TellEpoch, WeightAverage
from training.config import TrainingConfig
from training.corpus import Located, ProcessNames
from training.distil import Teacher
from training.losses import StanceLoss
from training.runs import Run
from training.start import keep_weights, make_start
from training.trainer import StanceTrainer, make_arguments, score_predictions, takes_graphs


def make_dataset(located: Sequence[Located], names: ProcessNames) -> Dataset:
    """Records as rows of the Trainer's, with what they are grouped by."""
    return Dataset.from_list(
        [
            {
                "json": one.record.model_dump_json(by_alias=True),
                "length": len(one.record.text),
                "sochi": names.resolve(one.record.process).key == "sochi",
            }
            for one in located
        ]
    )


def label_shares(located: Sequence[Located]) -> list[float]:
    """The share of each of :data:`LABELS` among the clear labels."""
    counts = Counter(actor.label for one in located for actor in one.record.clear)
    return [counts[label] / max(1, counts.total()) for label in LABELS]


def finetune(
    train: Sequence[Located],
    dev: Sequence[Located],
    lexicon: Lexicon,
    processes: Sequence[Process],
    config: TrainingConfig,
    folder: Path,
    *,
    progress: bool = True,
    epochwise: bool = True,
    own: Collection[Path] = (),
) -> StanceTrainer:
    """Fine-tune and return the trainer; checkpoints go to ``folder``, one an epoch, the last two are kept.

    It goes on from the last whole one there, if there is any.

    Args:
        epochwise: measure and keep a checkpoint at the end of each epoch, or do neither.
        own: files whose records are all learnt from.
    """
    train, names = sample_records(train, config, own), ProcessNames(processes)
    tokenizer = load_tokenizer(config.backbone)
    encoder = make_encoder(tokenizer, config)
    pool = make_pool([actor.actor for one in train for actor in one.record.actors])
    pad = int(tokenizer.pad_token_id or 0)
    encode = RecordEncoder(encoder, lexicon, processes, config, pool=pool, seed=config.seed)
    model = make_start(config)
    arguments = make_arguments(config, folder, progress=progress, epochwise=epochwise)
    teacher = None
    if config.teacher:
        teacher = Teacher(Run(Path(config.teacher)), tokenizer, max_length=config.max_length, device=arguments.device)
    trainer = StanceTrainer(
        model=model,
        args=arguments,
        train_dataset=make_dataset(train, names),
        eval_dataset=make_dataset(dev, names),
        data_collator=Collator(encode, pad, rounded=takes_graphs(arguments) and teacher is None),
        eval_collator=Collator(RecordEncoder(encoder, lexicon, processes, config), pad),
        teacher=teacher,
        compute_loss_func=StanceLoss(config, label_shares(train)),
        compute_metrics=score_predictions,
        config=config,
    )
    trainer.add_callback(TellEpoch(encode))
    if config.average:
        trainer.add_callback(WeightAverage(config.average))
    trainer.add_callback(CheckpointClock())
    checkpoint = CheckpointClock.last_whole(folder)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    if config.start and config.keep:
        keep_weights(trainer.model, config)
    return trainer


def sample_records(train: Sequence[Located], config: TrainingConfig, own: Collection[Path] = ()) -> Sequence[Located]:
    """The random part of the records that ``max_records`` and the seed ask for, all if it is 0, and all of the files
    in ``own``."""
    others = [one for one in train if one.path not in own]
    if not 0 < config.max_records < len(others):
        return train
    sample = random.Random(config.seed).sample(others, config.max_records)
    return [*(one for one in train if one.path in own), *sample]
