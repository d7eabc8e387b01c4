"""The one path from a document to its actors' stances: the service, batches and evaluation all take it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

from stance.actors import find_all, find_given
from stance.calibration import Calibration
from stance.deadline import Deadline
from stance.errors import DocumentError
from stance.head import FloatArray
from stance.notices import make_notices
from stance.pronouns import add_pronouns
from stance.schema import (
    LABELS,
    MAX_ACTORS,
    MAX_MENTIONS,
    MAX_TEXT_LENGTH,
    Actor,
    ActorStance,
    Classification,
    Document,
    Evidence,
    Label,
    Mentioned,
    Process,
    Span,
)
from stance.text import find_sentences, join_lines

if TYPE_CHECKING:
    from stance.bundle import Bundle

#: A further sentence is evidence with this share; there is room for one.
_MIN_SHARE = 0.35


class Reading(Protocol):
    """A text as an engine read it."""

    @property
    def tagged(self) -> Sequence[Span]:
        """Stretches that look like actors' names."""

    def acts(self, span: Span) -> bool:
        """Whether a listed name may well be an actor's where it stands, rather than a place's."""

    @property
    def tokens(self) -> int:
        """How many tokens of the text were read."""

    def judge(
        self, mentioned: Sequence[Mentioned], sentences: Sequence[Span], *, deadline: Deadline | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Stance log-probabilities, ``(actors, labels)``, and shares of the evidence, ``(actors, sentences)``.

        Raises :class:`stance.errors.DeadlineExceeded` past the deadline.
        """


class Engine(Protocol):
    """What a bundle holds: something that reads a text once and then judges any number of actors in it."""

    def read(self, text: str, process: Process, *, deadline: Deadline | None = None) -> Reading:
        """Read a text; raises :class:`stance.errors.DeadlineExceeded` past the deadline."""


def classify_document(bundle: Bundle, document: Document, *, deadline: Deadline | None = None) -> Classification:
    """Say where each actor of a document stands toward its process.

    Args:
        deadline: when the work stops: between windows of text, names and mentions.

    Raises:
        DocumentError: if the text is empty or too long, too many actors are asked for, or something is of another type.
        DeadlineExceeded: if the deadline passed.
    """
    _check(document)
    if deadline is not None:
        deadline.check("before the text was read")
    text = join_lines(document.text)
    reading = bundle.engine.read(text, document.process, deadline=deadline)
    if document.actors is None:
        mentioned = find_all(text, bundle.lexicon, reading.tagged, reading.acts, deadline=deadline)
    else:
        mentioned = find_given(text, document.actors, bundle.lexicon, deadline=deadline)
    sentences = find_sentences(text)
    mentioned = add_pronouns(text, sentences, mentioned, reading.tagged)
    judged = {one.mentions: one for one in mentioned}  # actors that are one and the same have their mentions in common
    scores, shares = reading.judge(tuple(judged.values()), sentences, deadline=deadline)
    rows = dict(zip(judged, zip(scores, shares, strict=True), strict=True))
    most = _most_each([len(one.mentions) for one in mentioned])
    stances = [_decide(one, most, *rows[one.mentions], sentences, bundle.calibration) for one in mentioned]
    return Classification(document, tuple(stances), tuple(make_notices(document, mentioned)), reading.tokens)


def _check(document: Document) -> None:
    _check_types(document)
    length = len(document.text)
    if not document.text.strip():
        raise DocumentError(f"text is empty; give 1 to {MAX_TEXT_LENGTH:,} characters", code="empty_text", field="text")
    if length > MAX_TEXT_LENGTH:
        raise DocumentError(
            f"text has {length:,} characters; at most {MAX_TEXT_LENGTH:,} are allowed; send it in parts",
            code="text_too_long",
            field="text",
        )
    if document.actors is not None and len(document.actors) > MAX_ACTORS:
        raise DocumentError(
            f"{len(document.actors)} actors are asked for; at most {MAX_ACTORS} are allowed; "
            "ask for the rest in another request",
            field="actors",
        )


def _check_types(document: Document) -> None:
    """Tell what a caller without a type checker most easily gets wrong."""
    if not isinstance(document.text, str):
        raise DocumentError(f"text is of type {type(document.text).__name__}; give a string", field="text")
    if not isinstance(document.process, Process):
        raise DocumentError(
            f"process is {document.process!r}; give a Process, such as bundle.process('sochi')", field="process"
        )
    _check_aliases(document.process, "process")
    for actor in document.actors or ():
        if not isinstance(actor, Actor) or not isinstance(actor.name, str) or not actor.name.strip():
            raise DocumentError(f"actors: {actor!r} is no actor with a name; give Actor('HNC')", field="actors")
        _check_aliases(actor, "actors")


def _check_aliases(named: Actor | Process, field: str) -> None:
    if isinstance(named.aliases, str):  # its letters would be taken for names
        raise DocumentError(
            f"{field}: the aliases of {named.name!r} are one text, {named.aliases!r}; give a tuple of names, such as "
            f"({named.aliases!r},)",
            field=field,
        )


def _most_each(counts: Sequence[int]) -> int:
    """Mentions of each actor that an answer lists, so that they are not too many in all; those with fewer leave room
    for the others.
    """
    room = MAX_MENTIONS
    for place, count in enumerate(sorted(counts)):
        left = len(counts) - place
        if count * left > room:
            return max(1, room // left)
        room -= count
    return MAX_MENTIONS


def _decide(
    one: Mentioned,
    most: int,
    scores: FloatArray,
    shares: FloatArray,
    sentences: Sequence[Span],
    calibration: Calibration,
) -> ActorStance:
    if not one.mentions:
        probabilities = np.asarray([label == "none" for label in LABELS], dtype=np.float32)
        return ActorStance(one.actor, "none", _by_label(probabilities), ("none",), (), ())
    probabilities = calibration.probabilities(scores)
    stance = LABELS[int(probabilities.argmax())]
    evidence = () if stance == "none" else _evidence(shares, sentences)
    plausible = calibration.plausible(probabilities)
    return ActorStance(one.actor, stance, _by_label(probabilities), plausible, one.mentions[:most], evidence)


def _by_label(probabilities: FloatArray) -> dict[Label, float]:
    return {label: float(probability) for label, probability in zip(LABELS, probabilities, strict=True)}


def _evidence(shares: FloatArray, sentences: Sequence[Span]) -> tuple[Evidence, ...]:
    """The sentence with the largest share, and another with a large one, in the order of the text."""
    total = float(shares.sum()) or 1.0
    largest = int(shares.argmax())
    kept = {largest, *np.flatnonzero(shares / total >= _MIN_SHARE).tolist()}
    return tuple(Evidence(sentences[index], float(shares[index]) / total) for index in sorted(kept))
