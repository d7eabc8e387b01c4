"""A larger model's reading as a target, mention by mention (Hinton, Vinyals and Dean 2015, Distilling the Knowledge in
a Neural Network).

Teacher and student read the same tokens, so what the one makes of a mention can be held against what the other makes
of it: its stance logits, and which tokens it looks at.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import asdict
from typing import Any

import torch
import torch.nn.functional as F
from transformers import PreTrainedTokenizerFast

from stance.errors import StanceError
from stance.head import HeadLayout
from training.backbone import load_tokenizer, load_trained, own_inputs, require_vocabulary, window_room
from training.losses import link
from training.runs import Run

log = logging.getLogger("train")


def check_teacher(teacher: Run, digest: str, *, own: Run | None = None) -> dict[str, Any]:
    """What tells a finished fine-tuning that may teach from any other; one that was made with other data is told.

    Args:
        digest: of the student's data.
        own: the student's run, if it has one.

    Returns:
        Its settings and ``weights_sha256``.

    Raises:
        StanceError: if nothing was finished there, or it is the student itself.
    """
    if own is not None and teacher.folder.resolve() == own.folder.resolve():
        raise StanceError(f"--teacher {teacher}: is where this run goes itself; give it another --name or --seed")
    stamp = teacher.stamp()
    if stamp is None or not teacher.finished or not teacher.weights.exists():
        raise StanceError(f"--teacher {teacher}: no finished fine-tuning there; make one with `train finetune`")
    if stamp["corpus_digest"] != digest:
        log.warning("%s was trained on other data: it may have seen what this run holds out", teacher)
    with teacher.weights.open("rb") as stream:
        return {**asdict(teacher.config()), "weights_sha256": hashlib.file_digest(stream, "sha256").hexdigest()}


class Teacher:
    """A finished fine-tuning that judges a student's batches.

    Args:
        run: a finished one.
        student: the tokenizer whose ids the batches hold.
        max_length: tokens of the longest window.
        device: where the batches are.

    Raises:
        StanceError: if it cannot be loaded, reads other tokens, or no windows of that length.
    """

    def __init__(
        self,
        run: Run,
        student: PreTrainedTokenizerFast,
        *,
        max_length: int,
        device: torch.device,
    ) -> None:
        config = run.config()
        try:
            model = load_trained(run.model)
            tokenizer = load_tokenizer(config.backbone)
        except (OSError, StanceError) as error:
            raise StanceError(f"--teacher {run}: cannot be loaded: {error}") from error
        require_vocabulary(model, config.backbone)
        if (room := window_room(model.config, max_length)) < max_length:
            raise StanceError(f"--teacher {run}: reads at most {room} tokens at once, the student {max_length}")
        self._layout = HeadLayout(config.key_size)
        self._ids = translate_ids(student, tokenizer).to(device)
        self._model = model.to(device).eval().requires_grad_(False)

    def read(self, inputs: dict[str, torch.Tensor], labels: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """What :func:`training.losses.link` makes of the teacher's logits, without gradients."""
        translated = {**inputs, "input_ids": self._ids[inputs["input_ids"]]}
        with torch.no_grad():
            logits = self._model(**own_inputs(self._model, translated)).logits
            return link(logits, labels, self._layout)


def translate_ids(student: PreTrainedTokenizerFast, teacher: PreTrainedTokenizerFast) -> torch.Tensor:
    """The teacher's id of each of the student's tokens, shape ``(student's vocabulary,)``.

    Raises:
        StanceError: if the teacher's vocabulary lacks one.
    """
    special = {
        getattr(student, name): getattr(teacher, name)
        for name in ("cls_token", "sep_token", "pad_token", "unk_token", "mask_token")
    }
    known = teacher.get_vocab()
    vocabulary = student.get_vocab()
    ids = torch.zeros(max(vocabulary.values()) + 1, dtype=torch.long)
    for token, index in vocabulary.items():
        theirs = special.get(token, token)
        if theirs not in known:
            raise StanceError(f"the teacher's vocabulary lacks {token!r}: it must read the same tokens as the backbone")
        ids[index] = known[theirs]
    return ids


def distil_loss(
    student: dict[str, torch.Tensor],
    teacher: dict[str, torch.Tensor],
    labels: dict[str, torch.Tensor],
    *,
    temperature: float,
    link_weight: float,
) -> torch.Tensor:
    """How far the student's reading of each mention is from the teacher's.

    The Kullback-Leibler divergence of the softened stances, times the squared temperature, and the cross-entropy of the
    attention, weighed as the loss on the evidence is. What stands in for an actor without mentions is none.
    """
    real = labels["owners"].any(dim=1) & (labels["mentions"][..., 0] == 0)
    if not real.any():
        return student["mention_logits"].sum() * 0
    ours = (student["mention_logits"][real] / temperature).log_softmax(dim=-1)
    theirs = (teacher["mention_logits"][real] / temperature).softmax(dim=-1)
    stance = F.kl_div(ours, theirs, reduction="batchmean") * temperature**2
    looked = (student["mention_attention"][real] + 1e-6).log()
    attention = -(teacher["mention_attention"][real] * looked).sum(dim=-1).mean()
    return stance + link_weight * attention
