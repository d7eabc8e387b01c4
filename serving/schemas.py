"""What goes in and out over HTTP, as pydantic models; the OpenAPI document is made from them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from typing_extensions import TypeAliasType

from stance.schema import (
    LABELS,
    MAX_ACTORS,
    MAX_NAME_LENGTH,
    MAX_TEXT_LENGTH,
    Actor,
    ActorStance,
    Classification,
    Document,
    Label,
    NoticeCode,
    Process,
    Span,
)

if TYPE_CHECKING:
    from stance.bundle import Bundle

MAX_DOCUMENTS = 64
MAX_TITLE_LENGTH = 1000
DEFAULT_PROCESS = "sochi"

#: Why the service refuses a request or one of its documents; docs/api.md tells when.
Refused = Literal[
    "invalid_request",
    "empty_text",
    "text_too_long",
    "unknown_process",
    "process_name_too_long",
    "too_many_values",
    "unauthorized",
    "not_found",
    "method_not_allowed",
    "request_timeout",
    "body_too_large",
    "unsupported_media_type",
    "too_many_requests",
    "internal_error",
    "not_ready",
    "deadline_exceeded",
]

#: Something besides white space; the separators U+001C to U+001F are that to Python, not to a pattern.
_NOT_BLANK = r"[^\s\x1c-\x1f]"
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_NAME_LENGTH, pattern=_NOT_BLANK)
]


def _check_date(text: str) -> str:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("is no date in ISO 8601; give one such as 2018-01-31") from None
    return text


Title = Annotated[str, StringConstraints(max_length=MAX_TITLE_LENGTH)]
DocumentId = Annotated[str, StringConstraints(max_length=200)]
IsoDate = Annotated[str, StringConstraints(max_length=40), AfterValidator(_check_date)]


class _Input(BaseModel):
    # Texts must not get into a log by way of an error.
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _refuse_many_fields(cls, value: object) -> object:
        # An error for each unknown field would take a hundred times the memory of the body.
        if isinstance(value, Mapping) and len(value) > 2 * len(cls.model_fields):
            known = ", ".join(cls.model_fields)
            raise ValueError(f"has {len(value):,} fields; known are {known}; leave the others out")
        return value


class NamedActor(_Input):
    """An actor by name, with the other names that the text may use."""

    name: Name
    aliases: list[Name] = Field(default=[], max_length=50)


class NamedProcess(_Input):
    """A process that the bundle does not know: its name, as a text would put it, and other names."""

    name: Name
    aliases: list[Name] = Field(default=[], max_length=50)


class ClassifyRequest(_Input):
    """One document to classify."""

    text: str = Field(min_length=1, max_length=MAX_TEXT_LENGTH, description="The document.")
    actors: list[Name | NamedActor] | None = Field(
        default=None, max_length=MAX_ACTORS, description="Judge just these; left out: the actors are found in the text."
    )
    process: Name | NamedProcess | None = Field(
        default=DEFAULT_PROCESS,
        description="What the stance is toward: the key of a known process, or an object with 'name' and 'aliases'.",
    )
    title: Title | None = Field(default=None, description="Comes back as sent; is not read.")
    date: IsoDate | None = Field(default=None, description="A date, or date and time, in ISO 8601; comes back as sent.")
    id: DocumentId | None = Field(default=None, description="The caller's own; comes back as sent, with an error too.")

    def to_document(self, bundle: Bundle) -> Document:
        """The request as the library's value.

        Raises:
            DocumentError: if the process is a key that the bundle does not know.
        """
        if isinstance(self.process, NamedProcess):
            process = Process(self.process.name, tuple(self.process.aliases))
        else:
            process = bundle.process(self.process or DEFAULT_PROCESS)
        actors = None if self.actors is None else tuple(map(_to_actor, self.actors))
        return Document(self.text, process, actors, id=self.id, title=self.title, date=self.date)


def _to_actor(actor: str | NamedActor) -> Actor:
    return Actor(actor) if isinstance(actor, str) else Actor(actor.name, tuple(actor.aliases))


class BatchRequest(_Input):
    """Several documents; each is answered on its own. They are checked one by one, so that a bad one costs no other."""

    documents: list[object] = Field(min_length=1, max_length=MAX_DOCUMENTS, description="Each as for /classify.")


# In the OpenAPI document each has a name. A client checks no codes: a newer service may have more of them.
Stance = TypeAliasType("Stance", Annotated[Label, Field(description="A stance.")])
WarningCode = TypeAliasType(
    "WarningCode", Annotated[str, WithJsonSchema({"type": "string", "enum": [*get_args(NoticeCode)]})]
)
ErrorCode = TypeAliasType("ErrorCode", Annotated[str, WithJsonSchema({"type": "string", "enum": [*get_args(Refused)]})])
_PROBABILITIES = {
    "type": "object",
    "description": "Calibrated, 0 to 1, one for each label.",
    "properties": {label: {"type": "number"} for label in LABELS},
    "required": [*LABELS],
}
Probabilities = TypeAliasType("Probabilities", Annotated[dict[Label, float], WithJsonSchema(_PROBABILITIES)])


class ProcessOut(BaseModel):
    """The process judged; ``key`` is empty for one of the caller's own."""

    key: str
    name: str


class ModelOut(BaseModel):
    """The bundle that answered."""

    name: str
    version: str


class MentionOut(BaseModel):
    """Where the text names the actor: Unicode code points, ``end`` exclusive."""

    start: int
    end: int
    text: str


class EvidenceOut(MentionOut):
    """A sentence that shows the stance; ``score`` is its share of the evidence, 0 to 1."""

    score: float


class ActorOut(BaseModel):
    """One actor's stance; ``plausible`` holds the truth at the coverage that the bundle states (/version).

    ``id``, ``kind`` and ``country`` (ISO 3166, two letters) are known of actors of the lexicon and of states.
    """

    actor: str
    id: str | None
    kind: str | None = None
    country: str | None = None
    stance: Stance
    probabilities: Probabilities
    plausible: list[Stance]
    mentions: list[MentionOut]
    evidence: list[EvidenceOut]


class WarningOut(BaseModel):
    """Something to know about the answer; ``actor`` is the name of the one that it is about, if it is about one."""

    code: WarningCode
    message: str
    actor: str | None = None


class ClassifyResponse(BaseModel):
    """The actors of one document and their stances."""

    id: str | None
    title: str | None
    date: str | None
    process: ProcessOut
    model: ModelOut
    actors: list[ActorOut]
    warnings: list[WarningOut]


class ErrorOut(BaseModel):
    """Why a request was refused; ``field`` names the part at fault."""

    code: ErrorCode
    message: str
    field: str | None = None


class ErrorResponse(BaseModel):
    """The one shape of every refusal."""

    error: ErrorOut


class FailedDocument(ErrorResponse):
    """A document of a batch that was not classified; ``id`` is its own, where it had one that can be used."""

    id: str | None = None


class BatchResponse(BaseModel):
    """One result for each document, in order."""

    results: list[ClassifyResponse | FailedDocument]


class KnownProcessOut(BaseModel):
    """A process that requests may name by its key."""

    key: str
    name: str
    aliases: list[str] = Field(description="Other names that texts give it.")


class ProcessesOut(BaseModel):
    """The processes that the bundle knows."""

    processes: list[KnownProcessOut]


class BundleOut(ModelOut):
    """The bundle that is served; ``digest`` is the SHA-256 of its manifest."""

    digest: str
    coverage: float = Field(description="Share of cases, 0 to 1, in which the truth is to be among `plausible`.")


class VersionOut(BaseModel):
    """Which package and which bundle answer."""

    package: str
    bundle: BundleOut


_ID = TypeAdapter(DocumentId)


def to_failure(document: object, error: ErrorOut) -> FailedDocument:
    """The error of a document of a batch, whatever was sent as one."""
    try:
        found = _ID.validate_python(document.get("id")) if isinstance(document, Mapping) else None
    except ValidationError:
        found = None
    return FailedDocument(error=error, id=found)


def to_response(bundle: Bundle, result: Classification) -> ClassifyResponse:
    """A classification as it goes out."""
    document = result.document
    return ClassifyResponse(
        id=document.id,
        title=document.title,
        date=document.date,
        process=ProcessOut(key=document.process.key, name=document.process.name),
        model=ModelOut(name=bundle.name, version=bundle.version),
        actors=[_actor_out(document.text, one) for one in result.actors],
        warnings=[WarningOut(code=one.code, message=one.message, actor=one.actor) for one in result.warnings],
    )


def _actor_out(text: str, one: ActorStance) -> ActorOut:
    return ActorOut(
        actor=one.actor.name,
        id=one.actor.id,
        kind=one.actor.kind,
        country=one.actor.country,
        stance=one.stance,
        probabilities={label: round(value, 4) for label, value in one.probabilities.items()},
        plausible=list(one.plausible),
        mentions=[MentionOut(**_place(text, span)) for span in one.mentions],
        evidence=[EvidenceOut(**_place(text, each.span), score=round(each.score, 4)) for each in one.evidence],
    )


def _place(text: str, span: Span) -> dict[str, Any]:
    return {"start": span.start, "end": span.end, "text": text[span.start : span.end]}
