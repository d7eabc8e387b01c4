"""What stands before the service: sizes, content types, admission, deadlines, and one shape for every refusal.

BentoML leaves these open (no limit on a body, refusals in four shapes, metrics that grow with every unknown
path), so they are closed here, in one ASGI middleware.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import time
from contextvars import ContextVar
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from serving.metrics import Metrics
from serving.schemas import ErrorOut, ErrorResponse
from stance import __version__

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: The request's deadline, a ``time.monotonic`` time; the handler's thread inherits it.
DEADLINE: ContextVar[float | None] = ContextVar("deadline", default=None)

GUARDED = ("/classify", "/classify/batch")
_KNOWN = (*GUARDED, "/", "/livez", "/readyz", "/healthz", "/metrics", "/docs.json", "/schema.json", "/version")
_CODES = {
    400: "invalid_request",
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "body_too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
    500: "internal_error",
    503: "not_ready",
    504: "deadline_exceeded",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one worker, each to be set by an environment variable.

    Attributes:
        max_body: bytes of a /classify body.
        max_batch_body: bytes of a /classify/batch body.
        max_pending: bytes of bodies taken in and not yet answered; more is refused with 429.
        deadline: seconds from a body's arrival to its answer.
        body_timeout: seconds that a body may take to arrive.
    """

    max_body: int = 1 << 20
    max_batch_body: int = 8 << 20
    max_pending: int = 16 << 20
    deadline: float = 30.0
    body_timeout: float = 10.0

    @classmethod
    def from_environment(cls) -> Limits:
        """Read the variables ``STANCE_MAX_BODY``, ``_MAX_BATCH_BODY``, and so on, one for each attribute.

        Raises:
            ValueError: if one of them is not a positive number.
        """
        default = cls()
        return cls(
            max_body=int(_positive("STANCE_MAX_BODY", default.max_body)),
            max_batch_body=int(_positive("STANCE_MAX_BATCH_BODY", default.max_batch_body)),
            max_pending=int(_positive("STANCE_MAX_PENDING", default.max_pending)),
            deadline=_positive("STANCE_DEADLINE", default.deadline),
            body_timeout=_positive("STANCE_BODY_TIMEOUT", default.body_timeout),
        )


def _positive(name: str, default: float) -> float:
    text = os.environ.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (0 < value < math.inf):
        raise ValueError(f"{name}={text!r}: must be a positive number; the default is {default:g}")
    return value


class _Refused(Exception):
    """A refusal that the gate itself decides on."""

    def __init__(self, status: int, message: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


class Gate:
    """The middleware. It answers ``/metrics``, ``/version`` and ``/`` itself and passes everything else on.

    Args:
        limits: ``None`` reads them from the environment.
    """

    def __init__(self, app: ASGIApp, limits: Limits | None = None) -> None:
        self._app = app
        self._limits = limits or Limits.from_environment()
        self._metrics = Metrics()
        self._pending = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        answer = _Answer(send)
        try:
            await self._route(scope, receive, answer)
        except _Refused as refusal:
            await answer.refuse(refusal.status, str(refusal), headers=refusal.headers)
        path = scope["path"] if scope["path"] in _KNOWN else "unknown"
        self._metrics.observe(path, answer.status, time.monotonic() - started)

    async def _route(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        path, method = scope["path"], scope["method"]
        if path in GUARDED and method == "POST":
            await self._guard(scope, receive, answer)
        elif path == "/metrics" and method in ("GET", "HEAD"):
            await answer.plain(self._metrics.render(), self._metrics.content_type)
        elif path == "/version" and method in ("GET", "HEAD"):
            await answer.plain(json.dumps({"package": __version__}).encode(), "application/json")
        elif path == "/" and method in ("GET", "HEAD"):
            await answer.plain(files("serving").joinpath("page/index.html").read_bytes(), "text/html; charset=utf-8")
        elif path not in _KNOWN:
            raise _Refused(404, f"no such path: {path!r}; POST to /classify or /classify/batch")
        else:
            await self._app(scope, receive, answer)

    async def _guard(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        body = await self._read(scope, receive)
        if self._pending and self._pending + len(body) > self._limits.max_pending:
            wait = math.ceil(self._metrics.seconds_per_byte * self._pending) + 1
            raise _Refused(429, f"the queue is full; try again in {wait} s", headers={"Retry-After": str(wait)})
        self._pending += len(body)
        token = DEADLINE.set(time.monotonic() + self._limits.deadline)
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._limits.deadline):
                await self._app(scope, _replay(body, receive), answer)
        except TimeoutError:
            raise _Refused(504, f"not done within {self._limits.deadline:g} s; send less text at once") from None
        finally:
            DEADLINE.reset(token)
            self._pending -= len(body)
        self._metrics.learn_speed(len(body), time.monotonic() - started)

    async def _read(self, scope: Scope, receive: Receive) -> bytes:
        headers = {key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]}
        media_type = headers.get("content-type", "application/json").split(";")[0].strip().lower()
        if media_type != "application/json":
            raise _Refused(415, f"content type {media_type!r} is not supported; send application/json")
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise _Refused(415, f"content encoding {headers['content-encoding']!r} is not supported; send plain JSON")
        limit = self._limits.max_batch_body if scope["path"].endswith("/batch") else self._limits.max_body
        length = headers.get("content-length", "0")
        if not length.isdigit() or int(length) > limit:
            raise _Refused(413, f"the body has {length} bytes; at most {limit} are allowed")
        try:
            async with asyncio.timeout(self._limits.body_timeout):
                return await _collect(receive, limit)
        except TimeoutError:
            raise _Refused(408, f"the body did not arrive within {self._limits.body_timeout:g} s") from None


async def _collect(receive: Receive, limit: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Refused(400, "the client went away before the body was complete")
        body += message.get("body", b"")
        if len(body) > limit:
            raise _Refused(413, f"the body has more than {limit} bytes; at most {limit} are allowed")
        if not message.get("more_body", False):
            return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


class _Answer:
    """The ``send`` of one response: lets success through and gives every refusal its one shape."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status = 0
        self._body: bytearray | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self.status >= 400:
                self._body = bytearray()
                return
        if self._body is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body", False):
            await self._finish(parse_refusal(self.status, bytes(self._body)), {})

    async def refuse(self, status: int, message: str, *, headers: dict[str, str]) -> None:
        """Answer with a refusal, unless an answer has begun."""
        if self.status:
            return
        self.status = status
        await self._finish(ErrorOut(code=_CODES[status], message=message), headers)

    async def plain(self, body: bytes, content_type: str) -> None:
        """Answer with 200."""
        self.status = 200
        await self._respond(body, {"Content-Type": content_type, "Content-Security-Policy": "default-src 'self'"})

    async def _finish(self, error: ErrorOut, headers: dict[str, str]) -> None:
        body = ErrorResponse(error=error).model_dump_json().encode()
        await self._respond(body, {"Content-Type": "application/json", **headers})

    async def _respond(self, body: bytes, headers: dict[str, str]) -> None:
        raw = [
            (key.lower().encode(), value.encode())
            for key, value in {**headers, "Content-Length": str(len(body))}.items()
        ]
        await self._send({"type": "http.response.start", "status": self.status, "headers": raw})
        await self._send({"type": "http.response.body", "body": body})


def parse_refusal(status: int, body: bytes) -> ErrorOut:
    """The error in a refusal of BentoML's or Starlette's, whichever of their shapes it has."""
    code = _CODES.get(status, "error")
    try:
        content: Any = json.loads(body)
    except ValueError:
        return ErrorOut(code=code, message=_phrase(status))
    if isinstance(content, list) and content:
        content = content[0]
    if not isinstance(content, dict):
        return ErrorOut(code=code, message=_phrase(status))
    if content.get("detail"):
        return first_fault(content["detail"])
    try:
        return ErrorOut.model_validate_json(str(content.get("error")))
    except ValueError:
        return ErrorOut(code=code, message=_phrase(status) if status >= 500 else str(content.get("error")))


def first_fault(faults: list[dict[str, Any]]) -> ErrorOut:
    """The first fault that pydantic found, in words; how many more there are is told too."""
    fault = faults[0]
    place = [part for part in fault["loc"] if not ((isinstance(part, str) and "[" in part) or part in _UNION_ARMS)]
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    field = ".".join(map(str, place)) or None
    return ErrorOut(code=_CODES[400], message=f"{field or 'body'}: {fault['msg']}{more}", field=field)


#: Names that pydantic puts into the place of a fault for the arms of a union.
_UNION_ARMS = frozenset(("NamedActor", "NamedProcess", "constrained-str"))


def _phrase(status: int) -> str:
    return {
        404: "no such path; POST to /classify or /classify/batch",
        405: "this path does not take this method; POST to /classify or /classify/batch",
        503: "not ready yet; try again in a moment",
        504: "not done within the deadline; send less text at once",
    }.get(status, HTTPStatus(status).phrase.lower())
