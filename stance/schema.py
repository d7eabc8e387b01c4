"""The values that pass between rooms: frozen, plain, and the same for training and serving.

In the literature on stance, the *holder* is our actor and the *target* our process.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

#: The stances; a label's place here is its id everywhere.
Label = Literal["support", "boycott", "conditional", "none"]
LABELS: tuple[Label, ...] = get_args(Label)
LABEL2ID: Mapping[str, int] = {label: index for index, label in enumerate(LABELS)}
NONE_ID = LABEL2ID["none"]

#: What a result may warn of; docs/api.md tells the meaning of each.
NoticeCode = Literal[
    "looks_like_markup",
    "not_english",
    "process_not_named",
    "no_actor_asked",
    "no_actor_found",
    "actor_not_found",
    "mentions_left_out",
]

#: Longest text that is read, in code points.
MAX_TEXT_LENGTH = 50_000
#: Most actors that may be asked for.
MAX_ACTORS = 50
#: Longest name of an actor or a process, in code points; a longer one in a text is none.
MAX_NAME_LENGTH = 200
#: Most mentions that an answer lists, of all its actors together.
MAX_MENTIONS = 5_000


@dataclass(frozen=True, slots=True)
class Process:
    """A negotiating track or event toward which stances are judged, such as ``Process("Oslo talks")``.

    Attributes:
        name: as a text would put it.
        aliases: other names that a text may use.
        key: of a process that the bundle knows (:meth:`stance.Bundle.process`); empty for one of the caller's own.
    """

    name: str
    aliases: tuple[str, ...] = ()
    key: str = ""

    def name_in(self, text: str) -> str:
        """The longest of its names that the text uses, else the canonical one: what the model is asked about."""
        return max(self._used(text), key=len, default=self.name)

    def is_named_in(self, text: str) -> bool:
        """Whether a text uses any of its names."""
        return next(self._used(text), None) is not None

    def _used(self, text: str) -> Iterator[str]:
        folded = text.casefold()
        for name in (self.name, *self.aliases):
            if name.casefold() in folded and _uses(text, name):  # a pattern for each takes long
                yield name


def _uses(text: str, name: str) -> bool:
    """Whether a text has a name as whole words: one in capitals as it is written, any other in any case."""
    case = re.NOFLAG if name.isupper() else re.IGNORECASE
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, case) is not None


@dataclass(frozen=True, slots=True)
class Actor:
    """A state, body, group or person.

    Attributes:
        id: set for actors of the lexicon, and for states.
        places: seats of government that stand for the actor, except where they are merely places ("in Moscow").
    """

    name: str
    aliases: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    id: str | None = None
    kind: str | None = None
    country: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The canonical name, then the aliases, each once."""
        return tuple(dict.fromkeys((self.name, *self.aliases)))


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A stretch of a text: ``start`` and ``end`` in Unicode code points, ``end`` exclusive."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Document:
    """A text to classify; ``actors=None`` asks for the actors to be found."""

    text: str
    process: Process
    actors: tuple[Actor, ...] | None = None
    id: str | None = None
    title: str | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True)
class Mentioned:
    """An actor and the spans of one text that name it, in order.

    Attributes:
        pronouns: those that can mean none but this actor, in order (:mod:`stance.pronouns`).
    """

    actor: Actor
    mentions: tuple[Span, ...]
    pronouns: tuple[Span, ...] = ()

    @property
    def spans(self) -> tuple[Span, ...]:
        """All that means the actor, in order: where its stance is read."""
        return tuple(sorted((*self.mentions, *self.pronouns)))


@dataclass(frozen=True, slots=True)
class Evidence:
    """A sentence that shows the stance; ``score`` is its share of the evidence, 0 to 1."""

    span: Span
    score: float


@dataclass(frozen=True, slots=True)
class ActorStance:
    """Where one actor stands.

    Attributes:
        probabilities: calibrated, one for each of :data:`LABELS`; they sum to 1.
        plausible: the labels that the bundle's stated coverage keeps, most probable first.
    """

    actor: Actor
    stance: Label
    probabilities: Mapping[Label, float]
    plausible: tuple[Label, ...]
    mentions: tuple[Span, ...]
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """A warning of a result, for its reader; ``code`` is for machines. Python's own ``Warning`` is another thing.

    Attributes:
        actor: the name of the actor that it is about; ``None``: it is about the document.
    """

    code: NoticeCode
    message: str
    actor: str | None = None


@dataclass(frozen=True, slots=True)
class Classification:
    """What was read in one document.

    Attributes:
        tokens: how many tokens of the text the engine read.
    """

    document: Document
    actors: tuple[ActorStance, ...]
    warnings: tuple[Notice, ...] = ()
    tokens: int = 0
