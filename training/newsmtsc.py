"""NewsMTSC, a benchmark of real news with human labels: our encoder and head, without evidence, on its test files.

Hamborg and Donnay 2021, NewsMTSC: (Multi-)Target-dependent Sentiment Classification in News Articles. One JSON line
is a sentence with one or more targets; a target is a mention (``from``, ``to``) and its polarity, 2, 4 or 6. Every
target of a sentence is judged in one pass, by the mean over its mention's logits.
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from datasets import Dataset
from sklearn.metrics import f1_score

import stance
from stance.encoding import Encoder
from stance.errors import CorpusError
from stance.head import mention_weights
from stance.manifest import digest_of
from stance.schema import Process, Span
from training.backbone import load_tokenizer, make_classifier, make_encoder, own_inputs
from training.batches import IGNORE, Collator
from training.config import TrainingConfig
from training.corpus import read_lines
from training.files import load_stamped, save_json_whole
from training.jobs import run_jobs
from training.metrics import interval_over_seeds
from training.trainer import HeadTrainer, make_arguments, takes_graphs

log = logging.getLogger("train")

POLARITIES = ("negative", "neutral", "positive")
_IDS = {2.0: 0, 4.0: 1, 6.0: 2}
NEWSMTSC = "newsmtsc.json"
TRAIN = "train.jsonl"
#: rw resembles the real world's shares; in mt every sentence has several targets.
TESTS = {"rw": "split_rw_test.jsonl", "mt": "split_mt_test.jsonl"}
#: Macro-F1 in points, as published, on 70% of the evaluation files (the other 30% was dev).
PUBLISHED = {
    "BERT-base SPC": {"rw": 80.1, "mt": 73.7},
    "BERT-base, highest published": {"rw": 80.2, "mt": 77.3},
    "RoBERTa-base SPC": {"rw": 81.1, "mt": 79.4},
    "RoBERTa-base GRU-TSC": {"rw": 83.1, "mt": 82.5},
}
NOTE = (
    "Published: on 70% of the evaluation files. Ours: on split_rw_test and split_mt_test whole, as distributed 70% of "
    "them (747 of 1,067 sentences, 505 of 721; the rest is split_*_dev, unused here). That both are the same 70% is "
    "likely, but not told."
)
#: A sentence is judged toward nothing but its own targets.
_NO_PROCESS = Process("")


def benchmark_config(**changes: Any) -> TrainingConfig:
    """The settings of the benchmark: three epochs at 1e-4, seed 1."""
    return replace(TrainingConfig(epochs=3.0, learning_rate=1e-4, seed=1), **changes)


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, the mention of each target in it, and the ids of their polarities."""

    text: str
    mentions: tuple[Span, ...]
    labels: tuple[int, ...]


def load_sentences(path: Path) -> list[Sentence]:
    """Read and check one file.

    Raises:
        CorpusError: with a ``file:line`` for each fault, or if there is no such file or it is no text in UTF-8.
    """
    if not path.is_file():
        raise CorpusError(
            [f"{path}: does not exist; give the folder of NewsMTSC with {TRAIN}, {', '.join(TESTS.values())}"]
        )
    sentences: list[Sentence] = []
    faults: list[str] = []
    for number, line in read_lines(path):
        try:
            sentences.append(_parse(line))
        except (ValueError, KeyError, TypeError) as error:
            faults.append(f"{path}:{number}: {type(error).__name__}: {error}; expected a line of NewsMTSC")
    if faults or not sentences:
        raise CorpusError(faults or [f"{path}: holds no sentence"])
    return sentences


def _parse(line: str) -> Sentence:
    row = json.loads(line)
    text, targets = row["sentence_normalized"], row["targets"]
    mentions = tuple(Span(int(one["from"]), int(one["to"])) for one in targets)
    for span, one in zip(mentions, targets, strict=True):
        if text[span.start : span.end] != one["mention"]:
            raise ValueError(f"mention {one['mention']!r} does not stand at {span.start} to {span.end}")
        if one["polarity"] not in _IDS:
            raise ValueError(f"polarity {one['polarity']!r} is none; allowed are {', '.join(map(str, _IDS))}")
    if not targets:
        raise ValueError("no target")
    return Sentence(text, mentions, tuple(_IDS[one["polarity"]] for one in targets))


class SentenceEncoder:
    """Turns sentences into the arrays that the collator pads; tags and evidence stay empty."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    def __call__(self, sentence: Sentence) -> dict[str, Any]:
        """Arrays of one sentence, each target an actor with one mention."""
        encoding = self._encoder.encode(sentence.text, _NO_PROCESS)
        mentions, owners = mention_weights(encoding, [(span,) for span in sentence.mentions])
        tokens = len(encoding.offsets)
        return {
            "windows": encoding.windows,
            "mentions": mentions,
            "owners": owners,
            "evidence": np.zeros((len(owners), tokens), dtype=bool),
            "tags": np.full(tokens, IGNORE, dtype=np.int64),
            "labels": np.asarray(sentence.labels, dtype=np.int64),
        }


def pool_targets(token_logits: torch.Tensor, labels: dict[str, torch.Tensor]) -> torch.Tensor:
    """Polarity logits of the targets, shape ``(sentences, targets, 3)``: the head's mention pooling."""
    tokens = token_logits.float().flatten(0, 1)[labels["index"]]
    return labels["owners"] @ (labels["mentions"] @ tokens)


def polarity_loss(outputs: Any, labels: dict[str, torch.Tensor], num_items_in_batch: Any = None) -> torch.Tensor:
    """Cross-entropy over the targets, by the signature that the Trainer asks for."""
    logits = pool_targets(outputs["logits"], labels)
    return F.cross_entropy(logits.flatten(0, 1), labels["stances"].flatten(), ignore_index=IGNORE)


def run_newsmtsc(
    folder: Path, config: TrainingConfig, *, runs: Path, seeds: int = 3, jobs: int = 1, progress: bool = True
) -> dict[str, Any]:
    """Train on the training file with each seed, and measure on the whole test files.

    Args:
        runs: folder of ``newsmtsc.json``, which is written anew after each seed; a seed that it has already is not
            trained again.
        jobs: train so many at a time, each in a process of its own.

    Returns:
        What ``newsmtsc.json`` holds: an entry for each seed; ``macro_f1`` and ``by_seed`` by test file, in shares of 1,
        over the seeds of this call; the published table in points; counts and settings.

    Raises:
        CorpusError: if a file is missing or faulty.
        StanceError: if ``runs`` holds a result of other settings or data.
    """
    train = load_sentences(folder / TRAIN)
    tests = {name: load_sentences(folder / file) for name, file in TESTS.items()}
    stamp = {
        "config": asdict(config),
        "data": {file: digest_of((folder / file).read_bytes()) for file in (TRAIN, *TESTS.values())},
        "package_version": stance.__version__,
    }
    result = load_stamped(runs / NEWSMTSC, stamp)
    result.setdefault("runs", [])
    result.update(published=PUBLISHED, note=NOTE)
    result["targets"] = {name: sum(len(one.labels) for one in ones) for name, ones in {"train": train, **tests}.items()}
    wanted = range(config.seed, config.seed + seeds)
    done = {one["seed"] for one in result["runs"]}
    for seed in sorted(done.intersection(wanted)):
        log.info("seed %d: was done already", seed)
    configs = [replace(config, seed=seed) for seed in wanted if seed not in done]
    for number, measured in run_jobs(_measure_seed, (train, tests, progress and jobs == 1), configs, jobs=jobs):
        result["runs"].append({"seed": configs[number].seed, **measured})
        result["runs"].sort(key=lambda one: one["seed"])
        save_json_whole(runs / NEWSMTSC, {**result, **_sum_up(result["runs"], wanted)})
    result.update(_sum_up(result["runs"], wanted))
    save_json_whole(runs / NEWSMTSC, result)  # seeds that were done already may be summed up otherwise now
    return result


def _sum_up(runs: Sequence[Mapping[str, Any]], seeds: Sequence[int]) -> dict[str, Any]:
    asked = [one for one in runs if one["seed"] in seeds]
    by_seed = {name: [one["macro_f1"][name] for one in asked] for name in TESTS}
    return {
        "by_seed": by_seed,
        "macro_f1": {
            name: asdict(interval_over_seeds(values)) if len(values) > 1 else None for name, values in by_seed.items()
        },
        "parameters": asked[0]["parameters"],
    }


def _measure_seed(
    shared: tuple[Sequence[Sentence], Mapping[str, Sequence[Sentence]], bool], config: TrainingConfig
) -> dict[str, Any]:
    train, tests, progress = shared
    log.info("seed %d", config.seed)
    trainer = _fit(train, config, progress=progress)
    scores = {name: _score(trainer, sentences) for name, sentences in tests.items()}
    return {"macro_f1": scores, "parameters": sum(one.numel() for one in trainer.model.parameters())}


def _fit(train: Sequence[Sentence], config: TrainingConfig, *, progress: bool) -> HeadTrainer:
    tokenizer = load_tokenizer(config.backbone)
    encode = SentenceEncoder(make_encoder(tokenizer, config))
    with tempfile.TemporaryDirectory() as folder:
        arguments = make_arguments(config, Path(folder), progress=progress, epochwise=False)
        rounded = takes_graphs(arguments)
        trainer = HeadTrainer(
            config=config,
            model=make_classifier(config, POLARITIES),
            args=arguments,
            train_dataset=_dataset(train),
            data_collator=Collator(encode, int(tokenizer.pad_token_id or 0), parse=_unpack, rounded=rounded),
            compute_loss_func=polarity_loss,
        )
        trainer.train()
    return trainer


def _dataset(sentences: Sequence[Sentence]) -> Dataset:
    return Dataset.from_list([{"json": json.dumps(asdict(one)), "length": len(one.text)} for one in sentences])


def _unpack(line: str) -> Sentence:
    row = json.loads(line)
    return Sentence(row["text"], tuple(Span(**one) for one in row["mentions"]), tuple(row["labels"]))


def _score(trainer: HeadTrainer, sentences: Sequence[Sentence]) -> float:
    """Macro-F1 over the three polarities."""
    model = trainer.model.eval()
    y_true: list[int] = []
    y_pred: list[int] = []
    for batch in trainer.get_eval_dataloader(_dataset(sentences)):
        labels = {key: one.to(model.device) for key, one in batch.pop("labels").items()}
        with torch.inference_mode():
            outputs = model(**{key: one.to(model.device) for key, one in own_inputs(model, batch).items()})
        known = labels["stances"] != IGNORE
        y_true += labels["stances"][known].tolist()
        y_pred += pool_targets(outputs.logits, labels)[known].argmax(dim=-1).tolist()
    return float(f1_score(y_true, y_pred, average="macro", labels=range(len(POLARITIES)), zero_division=0))
