"""What the two clients have in common: requests, refusals and how long to wait for the next attempt."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from serving.schemas import MAX_DOCUMENTS, ClassifyRequest, ErrorOut, ErrorResponse, NamedActor, NamedProcess
from stance.errors import SettingError, StanceError
from stance.schema import Actor, Process

_AGAIN = (429, 502, 503)
#: Asked again, the first two would double the work of a service that has the request, the others fail as before.
_FINAL = (
    httpx.ReadTimeout,
    httpx.WriteTimeout,
    httpx.LocalProtocolError,
    httpx.UnsupportedProtocol,
    httpx.DecodingError,
)

#: Most characters of the texts of a chunk; a longer text is a chunk of its own. They are 28 articles of 580 words, on
#: which one of two workers takes 22 s of the default deadline's 30 on the slowest machine measured (docs/deploy.md).
CHUNK_LENGTH = 100_000

Model = TypeVar("Model", bound=BaseModel)
#: What may be given for an actor, a process and a document; a mapping has the fields that POST /classify takes.
ActorLike = str | NamedActor | Actor | Mapping[str, Any]
ProcessLike = str | NamedProcess | Process | Mapping[str, Any]
DocumentLike = ClassifyRequest | Mapping[str, Any]
#: A date is sent in ISO 8601, a number as an id in digits.
DateLike = str | date
IdLike = str | int


class ServiceUnreachable(StanceError):
    """No answer came: no connection, or none in time."""


class ServiceError(StanceError):
    """The service refused.

    Attributes:
        status: of HTTP.
        code: short machine-readable name, such as ``unknown_process``.
        field: the field at fault, or ``None``.
        request_id: by which the service's log knows the request.
    """

    def __init__(self, status: int, error: ErrorOut, request_id: str | None) -> None:
        super().__init__(f"{status} {error.code}: {error.message}")
        self.status = status
        self.code = error.code
        self.field = error.field
        self.request_id = request_id


@dataclass(frozen=True, slots=True)
class Retries:
    """How patient a client is.

    Attributes:
        attempts: how often a request is sent at most; 1 never asks again.
        patience: seconds after the first attempt past which nothing is sent again.
        pause: seconds before the second attempt where no Retry-After says; doubled for each further one, with up
            to half of it more at random, so that many clients do not come back at once.
    """

    attempts: int = 5
    patience: float = 60.0
    pause: float = 0.5

    def wait(self, attempt: int, retry_after: str | None) -> float:
        """Seconds before the attempt after ``attempt`` (1 is the first)."""
        told = parse_retry_after(retry_after)
        return self.pause * 2 ** (attempt - 1) * random.uniform(1, 1.5) if told is None else told


PATIENT = Retries()


def parse_retry_after(value: str | None) -> float | None:
    """Seconds that a Retry-After header names, in either of its two forms; ``None`` if it names none."""
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        then = parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # no date, or one that no clock reaches
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (then - datetime.now(UTC)).total_seconds())


def build_request(
    text: str,
    actors: Sequence[ActorLike] | None,
    process: ProcessLike | None,
    more: Mapping[str, object],
) -> dict[str, Any]:
    """A document for /classify; what is not given is left out. The service checks it.

    Raises:
        TypeError: if ``actors`` is one text or mapping, whose letters or keys would be taken for names.
    """
    body: dict[str, Any] = {"text": text, "process": process, **more}
    if isinstance(actors, (str, Mapping)):
        raise TypeError(f"actors: a list is wanted, not one actor; give [{actors!r}]")
    if actors is not None:
        body["actors"] = [*actors]
    return _with_text_id({key: value for key, value in body.items() if value is not None})


def _with_text_id(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a document, a number that is its id as text, as the service takes it."""
    number = document.get("id")
    return {**document, "id": str(number)} if type(number) is int else {**document}


def build_batch(documents: Iterable[DocumentLike]) -> dict[str, Any]:
    """A body for /classify/batch.

    Raises:
        TypeError: as :func:`chunks_of`.
    """
    each = _checked(documents)
    return {"documents": [one if isinstance(one, ClassifyRequest) else _with_text_id(one) for one in each]}


def chunks_of(documents: Iterable[DocumentLike]) -> Iterator[list[DocumentLike]]:
    """Any number of documents, as many at a time as the service takes and does before its deadline.

    Raises:
        TypeError: if one document is given in place of a list, or in the place of a document something else.
    """
    chunk: list[DocumentLike] = []
    length = 0
    for document in _checked(documents):
        more = _text_length(document)
        if chunk and (len(chunk) == MAX_DOCUMENTS or length + more > CHUNK_LENGTH):
            yield chunk
            chunk, length = [], 0
        chunk.append(document)
        length += more
    if chunk:
        yield chunk


def _checked(documents: Iterable[DocumentLike]) -> Iterator[DocumentLike]:
    # Nothing is quoted: texts must not get into a log by way of an error.
    if isinstance(documents, (str, bytes, Mapping, ClassifyRequest)):
        raise TypeError("documents: a list is wanted, not one document; give [document]")
    for number, one in enumerate(documents):
        if not isinstance(one, (Mapping, ClassifyRequest)):
            told = f"documents[{number}]: {type(one).__name__} is no document"
            raise TypeError(f"{told}; give a ClassifyRequest or a mapping such as {{'text': ...}}")
        yield one


def _text_length(document: DocumentLike) -> int:
    """Characters of a document's text; 0 for one that the service will refuse, having none."""
    text = document.text if isinstance(document, ClassifyRequest) else document.get("text")
    return len(text) if isinstance(text, str) else 0


def encode_body(body: object) -> bytes:
    """JSON in ASCII, so that any text can be sent; with what :data:`ActorLike` and its like name in it.

    Raises:
        TypeError: if something else is in it.
    """
    return json.dumps(body, default=_plain).encode("ascii")


def _plain(value: object) -> object:
    match value:
        case BaseModel():
            return value.model_dump()
        case Mapping():
            return {**value}
        case date():
            return value.isoformat()
        case Process(key=key) if key:
            return key
        case Actor(name=name, aliases=aliases) | Process(name=name, aliases=aliases):
            return {"name": name, "aliases": aliases}
    raise TypeError(f"{type(value).__name__} cannot be sent as JSON; give text, numbers, or what serving.client takes")


def _error(response: httpx.Response) -> ServiceError:
    try:
        error = ErrorResponse.model_validate_json(response.content).error
    except ValidationError:
        error = ErrorOut(code="error", message="the answer is none of the service's: is a proxy between?")
    return ServiceError(response.status_code, error, response.headers.get("x-request-id"))


class Attempts:
    """Counts the attempts of one request and says how long to wait for the next."""

    def __init__(self, retries: Retries) -> None:
        self._retries = retries
        self._made = 0
        self._last = time.monotonic() + retries.patience

    def pause_after(self, outcome: httpx.Response | httpx.RequestError) -> float | None:
        """Seconds until the next attempt; ``None`` if the outcome is to stand."""
        self._made += 1
        if isinstance(outcome, httpx.Response):
            if outcome.status_code not in _AGAIN:
                return None
            told = outcome.headers.get("retry-after")
        elif isinstance(outcome, _FINAL):
            return None
        else:
            told = None
        pause = self._retries.wait(self._made, told)
        if self._made >= self._retries.attempts or time.monotonic() + pause > self._last:
            return None
        return pause


def settle(outcome: httpx.Response | httpx.RequestError, kind: type[Model]) -> Model:
    """The answer, as what it is.

    Raises:
        ServiceError: if it is a refusal, or nothing that the service says.
        ServiceUnreachable: if there is none.
    """
    if isinstance(outcome, httpx.RequestError):
        told = f"no answer ({type(outcome).__name__}: {outcome}); is the service running?"
        raise ServiceUnreachable(told) from outcome
    if not outcome.is_success:
        raise _error(outcome)
    try:
        return kind.model_validate_json(outcome.content)
    except ValidationError as error:
        raise _error(outcome) from error


def http_settings(url: str, key: str | None, timeout: float) -> dict[str, Any]:
    """What httpx's clients of both kinds are made with.

    Raises:
        SettingError: if the address is none of HTTP, or the key nothing that a header can carry; it is not quoted.
    """
    if not _is_address(url):
        raise SettingError(f"url {url!r}: must be an address of HTTP, such as http://localhost:3000")
    headers = {"Content-Type": "application/json"}
    if key is not None:
        if not key.strip():
            raise SettingError(
                "key: is empty; give the line that `stance key` printed, or None for a service without keys"
            )
        if not key.strip().isascii() or not key.strip().isprintable():
            raise SettingError("key: holds characters that no key of `stance key` has; give the line that it printed")
        headers["Authorization"] = f"Bearer {key.strip()}"
    return {"base_url": url.rstrip("/"), "headers": headers, "timeout": timeout}


def _is_address(url: str) -> bool:
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL:
        return False
    return parsed.scheme in ("http", "https") and bool(parsed.host)
