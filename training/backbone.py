"""The pretrained encoder: where it comes from, its tokenizer, and the fresh head on it."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from transformers import (
    AutoConfig,
    AutoModelForTokenClassification,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    set_seed,
)

from stance.encoding import Encoder
from stance.errors import StanceError
from stance.head import TAGS
from stance.schema import LABELS
from training.config import TrainingConfig
from training.distances import narrow_distances
from training.weights import PUBLISHED, backbone_path

#: Kinds beside RoBERTa's whose positions are counted from behind that of the padding.
_FROM_PADDING = {"camembert", "data2vec-text", "ibert", "lilt", "longformer", "luke", "markuplm", "mpnet", "xmod"}


@contextmanager
def _telling(backbone: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # what transformers raises where there is no such model
        reason = str(error).partition("\n")[0].rstrip(".")
        raise StanceError(
            f"backbone {backbone!r}: cannot be loaded: {reason}; give {', '.join(PUBLISHED)}, a hub name or a folder"
        ) from error


def load_tokenizer(backbone: str) -> PreTrainedTokenizerFast:
    """The backbone's fast tokenizer.

    Raises:
        StanceError: if there is no such backbone, or it has no fast tokenizer of its own.
    """
    with _telling(backbone):
        tokenizer = AutoTokenizer.from_pretrained(backbone_path(backbone))
        known = getattr(AutoConfig.from_pretrained(backbone_path(backbone)), "vocab_size", None)
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise StanceError(f"backbone {backbone!r} has no fast tokenizer; offsets need one")
    # Where a folder has no tokenizer's files, transformers makes one of a few special tokens, silently.
    if known is not None and not known / 2 <= len(tokenizer) <= known:
        raise StanceError(
            f"backbone {backbone!r}: its tokenizer has {len(tokenizer)} word pieces, its weights {known}; put the "
            "files of the tokenizer that it was trained with beside them (tokenizer.json, tokenizer_config.json)"
        )
    return tokenizer


def window_room(shape: PreTrainedConfig, otherwise: int) -> int:
    """Tokens that a model of this shape reads at once; ``otherwise`` where it does not say or has no limit."""
    positions: int = getattr(shape, "max_position_embeddings", 0)
    relative = not getattr(shape, "position_biased_input", True)  # DeBERTa-v3
    rotary = getattr(shape, "rope_parameters", None)  # ModernBERT
    if relative or rotary or positions < 1:  # XLNet's are -1
        return otherwise
    from_padding = "roberta" in shape.model_type or shape.model_type in _FROM_PADDING
    return positions - (shape.pad_token_id or 0) - 1 if from_padding else positions


def require_backbone(config: TrainingConfig) -> None:
    """Refuse a backbone that cannot be trained so, before anything is computed.

    Raises:
        StanceError: if there is none, its tokenizer is not its own, or its windows are shorter.
    """
    load_tokenizer(config.backbone)
    with _telling(config.backbone):
        shape = AutoConfig.from_pretrained(backbone_path(config.backbone))
    _require_room(shape, config)


def _require_room(shape: PreTrainedConfig, config: TrainingConfig) -> None:
    if (room := window_room(shape, config.max_length)) < config.max_length:
        raise StanceError(
            f"backbone {config.backbone!r}: reads at most {room} tokens at once, max_length is {config.max_length}; "
            f"take another, or lower it: --set max_length={room} for `train run` and `train finetune`, "
            f"max_length={room} in a row of `train ladder`, a smaller --window for `train peers`"
        )


def make_encoder(tokenizer: PreTrainedTokenizerFast, config: TrainingConfig) -> Encoder:
    """The encoder that serving will use, over a copy of the tokenizer."""
    copy = Tokenizer.from_str(tokenizer.backend_tokenizer.to_str())
    return Encoder(copy, max_length=config.max_length, context=config.context)


def load_trained(folder: Path) -> PreTrainedModel:
    """A fine-tuned model in fp32, with the attention of :func:`narrow_distances`.

    Raises:
        OSError: if it cannot be read.
    """
    model: PreTrainedModel = AutoModelForTokenClassification.from_pretrained(folder, dtype=torch.float32)
    return narrow_distances(model)


def require_vocabulary(model: PreTrainedModel, backbone: str) -> None:
    """Refuse a model that was trained when the backbone had another vocabulary: its tokenizer would give other ids.

    Raises:
        StanceError: with the remedy.
    """
    with _telling(backbone):
        expected = AutoConfig.from_pretrained(backbone_path(backbone)).vocab_size
    if model.config.vocab_size != expected:
        raise StanceError(
            f"the model knows {model.config.vocab_size} word pieces, its backbone {backbone!r} has {expected} now; "
            "fine-tune it again"
        )


def own_inputs(model: PreTrainedModel, arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Those of a batch's arrays that the model reads: not every kind of backbone tells the parts of a pair apart."""
    accepted = set(inspect.signature(model.forward).parameters) - {"labels"}
    if getattr(model.config, "type_vocab_size", 2) < 2:
        accepted.discard("token_type_ids")  # RoBERTa takes them, and knows but one
    return {name: array for name, array in arrays.items() if name in accepted}


def make_model(config: TrainingConfig) -> PreTrainedModel:
    """The backbone under a fresh token head with the columns of :class:`stance.head.HeadLayout`."""
    names = (
        [f"tag:{tag}" for tag in TAGS] + [f"stance:{label}" for label in LABELS] + [f"cue:{label}" for label in LABELS]
    )
    names += [f"key:{index}" for index in range(config.key_size)] + [
        f"query:{index}" for index in range(config.key_size)
    ]
    return make_classifier(config, names)


def make_classifier(
    config: TrainingConfig, names: Sequence[str], kind: Any = AutoModelForTokenClassification
) -> PreTrainedModel:
    """The backbone under a fresh head with one output for each of ``names``, on every token or as ``kind`` has it.

    It is in fp32 whatever the checkpoint's precision: small steps of AdamW are lost in 16 bits.
    Attention is trained without dropout: drawing its masks costs a third of a step on a CPU. It is eager there: the
    fused kernel is slower in the backward pass.

    Raises:
        StanceError: if there is no such backbone, or its windows are shorter.
    """
    set_seed(config.seed)
    path = backbone_path(config.backbone)
    with _telling(config.backbone):
        shape = AutoConfig.from_pretrained(
            path,
            num_labels=len(names),
            id2label=dict(enumerate(names)),
            label2id={name: index for index, name in enumerate(names)},
            attention_probs_dropout_prob=0.0,
            hidden_dropout_prob=config.hidden_dropout,
        )
    _require_room(shape, config)
    if config.layers:
        shape.num_hidden_layers = min(config.layers, shape.num_hidden_layers)
    shape.classifier_dropout = config.dropout  # not every kind of backbone takes it as an argument
    attention = {} if torch.cuda.is_available() else {"attn_implementation": "eager"}
    with _telling(config.backbone):
        model: PreTrainedModel = kind.from_pretrained(path, config=shape, dtype=torch.float32, **attention)
    if isinstance(before_head := getattr(model, "dropout", None), torch.nn.Dropout):
        before_head.p = config.dropout  # DeBERTa's head takes the rate of the backbone
    return narrow_distances(model)
