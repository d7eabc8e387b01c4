"""What the two clients have in common: requests, refusals and how long to wait for the next attempt."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
from pydantic import BaseModel, ValidationError

from serving.schemas import ErrorOut, ErrorResponse, NamedActor, NamedProcess

_AGAIN = (429, 502, 503)


class ServiceUnreachable(Exception):
    """No answer came: no connection, or none in time."""


class ServiceError(Exception):
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
    except ValueError:
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (then - datetime.now(UTC)).total_seconds())


def build_request(
    text: str,
    actors: Sequence[str | NamedActor] | None,
    process: str | NamedProcess | None,
    more: Mapping[str, str | None],
) -> dict[str, Any]:
    """The body for /classify; what is not given is left out. The service checks it."""
    body: dict[str, Any] = {"text": text, "process": process, **more}
    if actors is not None:
        body["actors"] = [one.model_dump() if isinstance(one, BaseModel) else one for one in actors]
    if isinstance(process, BaseModel):
        body["process"] = process.model_dump()
    return {key: value for key, value in body.items() if value is not None}


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

    def pause_after(self, outcome: httpx.Response | httpx.TransportError) -> float | None:
        """Seconds until the next attempt; ``None`` if the outcome is to stand."""
        self._made += 1
        if isinstance(outcome, httpx.Response):
            if outcome.status_code not in _AGAIN:
                return None
            told = outcome.headers.get("retry-after")
        elif isinstance(outcome, httpx.TimeoutException) and not isinstance(outcome, httpx.ConnectTimeout):
            return None  # the service is at work: asking again would double the work
        else:
            told = None
        pause = self._retries.wait(self._made, told)
        if self._made >= self._retries.attempts or time.monotonic() + pause > self._last:
            return None
        return pause


def settle(outcome: httpx.Response | httpx.TransportError) -> bytes:
    """The body of an answer.

    Raises:
        ServiceError: if it is a refusal.
        ServiceUnreachable: if there is none.
    """
    if isinstance(outcome, httpx.TransportError):
        told = f"no answer ({type(outcome).__name__}: {outcome}); is the service running?"
        raise ServiceUnreachable(told) from outcome
    if not outcome.is_success:
        raise _error(outcome)
    return outcome.content


def http_settings(url: str, key: str | None, timeout: float) -> dict[str, Any]:
    """What httpx's clients of both kinds are made with."""
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return {"base_url": url.rstrip("/"), "headers": headers, "timeout": timeout}
