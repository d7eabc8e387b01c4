"""What the OpenAPI document shows of requests, answers and refusals."""

from __future__ import annotations

from typing import Any

from serving.faults import TOO_LATE
from serving.http.responses import CODES
from serving.schemas import (
    ActorOut,
    BatchResponse,
    BundleOut,
    ClassifyResponse,
    ErrorOut,
    ErrorResponse,
    EvidenceOut,
    FailedDocument,
    KnownProcessOut,
    MentionOut,
    ModelOut,
    ProcessesOut,
    ProcessOut,
    VersionOut,
    WarningOut,
)
from stance import __version__
from stance.schema import LABELS, Label

_FIRST = "Turkey will send a delegation to Sochi."
_SECOND = "The Higher Negotiations Committee said it would stay away."
_TEXT = f"{_FIRST} {_SECOND}"
_DIGEST = "0123456789abcdef" * 4
_HNC = "higher-negotiations-committee", "party", "SY"
_NOT_FOUND = (
    "the text does not name 'Egypt', or only by names that another actor has; add the names it goes by as 'aliases'"
)

REQUEST: dict[str, Any] = {"text": _TEXT, "actors": ["HNC", "Turkey", "Egypt"], "process": "sochi", "id": "first"}
BATCH_REQUEST: dict[str, Any] = {"documents": [REQUEST, {"text": _TEXT, "id": "second"}]}
PROCESSES = ProcessesOut(processes=[KnownProcessOut(key="sochi", name="Sochi process", aliases=["Sochi talks"])])
VERSION = VersionOut(
    package=__version__, bundle=BundleOut(name="default", version="1.0.0", digest=_DIGEST, coverage=0.9)
)


def _actor(name: str, known: tuple[str, str, str], stance: Label, mentioned: str, sentence: str) -> ActorOut:
    """One actor's answer; ``known`` is its id, kind and country."""
    share = 0.94 if mentioned else 1
    start, place = _TEXT.find(mentioned), _TEXT.find(sentence)
    mentions = [MentionOut(start=start, end=start + len(mentioned), text=mentioned)] if mentioned else []
    evidence = [EvidenceOut(start=place, end=place + len(sentence), text=sentence, score=1)] if sentence else []
    key, kind, country = known
    return ActorOut(
        actor=name,
        id=key,
        kind=kind,
        country=country,
        stance=stance,
        probabilities={label: share if label == stance else round((1 - share) / 3, 4) for label in LABELS},
        plausible=[stance],
        mentions=mentions,
        evidence=evidence,
    )


ANSWER = ClassifyResponse(
    id="first",
    title=None,
    date=None,
    process=ProcessOut(key="sochi", name="Sochi process"),
    model=ModelOut(name=VERSION.bundle.name, version=VERSION.bundle.version),
    actors=[
        _actor("HNC", _HNC, "boycott", "Higher Negotiations Committee", _SECOND),
        _actor("Turkey", ("turkey", "state", "TR"), "support", "Turkey", _FIRST),
        _actor("Egypt", ("egypt", "state", "EG"), "none", "", ""),
    ],
    warnings=[WarningOut(code="actor_not_found", message=_NOT_FOUND, actor="Egypt")],
)
BATCH_ANSWER = BatchResponse(
    results=[ANSWER, FailedDocument(error=ErrorOut(code=CODES[504], message=TOO_LATE), id="second")]
)


def refusal(status: int, message: str) -> ErrorResponse:
    """What is answered with a status; 400 alone has words of its own, for they tell of a field."""
    if status == 400:
        return ErrorResponse(error=ErrorOut(code=CODES[status], message="text: must be a string", field="text"))
    return ErrorResponse(error=ErrorOut(code=CODES[status], message=message))
