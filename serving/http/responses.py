"""What goes out over ASGI: success as it is, and the one shape of every refusal, whoever refuses."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from serving.faults import INVALID, TOO_LATE, main_fault
from serving.http.exchange import REQUEST_ID_HEADER
from serving.schemas import ErrorOut, ErrorResponse

if TYPE_CHECKING:
    from starlette.types import Message, Send

CODES = {
    400: INVALID,
    401: "unauthorized",
    404: "not_found",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "body_too_large",
    415: "unsupported_media_type",
    429: "too_many_requests",
    499: "client_went_away",
    500: "internal_error",
    503: "not_ready",
    504: "deadline_exceeded",
}
#: Headers of BentoML's: an id that no line of the log has, and what the server is made with.
_FOREIGN = (b"x-bentoml-request-id", b"server")
_CLOSE = (b"connection", b"close")
#: Headers and body.
_Answer = tuple[list[tuple[bytes, bytes]], bytes]
#: Nothing from elsewhere, nothing inline, no framing, and no string ever taken for markup.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
    )
)
_PLAIN_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}
#: By status: words in place of the status's name, where neither a body nor the gate has better ones.
_PHRASES = {503: "not ready yet; try again in a moment", 504: TOO_LATE}


class Refusal(Exception):
    """A refusal that the gate itself decides on; its code is the status's unless it has one of its own."""

    def __init__(
        self, status: int, message: str, *, headers: dict[str, str] | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code or CODES[status]
        self.headers = headers or {}


class Response:
    """The ``send`` of one response: gives every refusal its one shape.

    What the application answers is held until :meth:`deliver`: it is done with the request before the client, which may
    be slow, has taken anything.

    Attributes:
        status: of the answer, 0 until it is whole; 499 if the client went away before.
        code: of the error that it tells.
        is_last: whether the connection is to be closed after it.
    """

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = (REQUEST_ID_HEADER.lower().encode(), request_id.encode())
        self.status = 0
        self.code: str | None = None
        self.is_last = False
        self._start: Message = {}
        self._parts: list[bytes] = []
        self._answer: _Answer | None = None
        self._is_sent = False

    async def __call__(self, message: Message) -> None:
        """Take a message of the application's."""
        if self.status:
            return
        if message["type"] == "http.response.start":
            self._start = message
            return
        self._parts.append(message.get("body", b""))
        if message.get("more_body", False):
            return
        self.status, body = self._start["status"], b"".join(self._parts)
        if self.status < 400:
            own = [pair for pair in self._start.get("headers", ()) if pair[0].lower() not in _FOREIGN]
            self._answer = own, body
        else:
            self._answer = self._error(parse_refusal(self.status, body), {})

    async def deliver(self) -> None:
        """Send what the application answered, unless something else was sent in its place."""
        if self._answer is not None and not self._is_sent:
            await self._respond(self.status, *self._answer)

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal, unless there is an answer; whatever the application still sends is dropped."""
        if not self.status:
            error = ErrorOut(code=refusal.code, message=str(refusal))
            await self._respond(refusal.status, *self._error(error, refusal.headers))

    def abandon(self) -> None:
        """Nobody is there any more: whatever is still sent is dropped."""
        self.status = self.status or 499

    async def close(self) -> None:
        """Answer a client that has gone after all: BentoML waits for an answer's first message, at shutdown too."""
        if self.status == 499 and not self._is_sent:
            gone = ErrorOut(code=CODES[499], message="the client went away")
            await self._respond(499, *self._error(gone, {}))

    async def plain(self, body: bytes, content_type: str) -> None:
        """Answer with 200."""
        await self._respond(200, *_answer(body, {"Content-Type": content_type, **_PLAIN_HEADERS}))

    def _error(self, error: ErrorOut, headers: dict[str, str]) -> _Answer:
        self.code = error.code
        body = ErrorResponse(error=error).model_dump_json().encode()
        return _answer(body, {"Content-Type": "application/json", **headers})

    async def _respond(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        self.status, self._is_sent = status, True
        await self._send({"type": "http.response.start", "status": status, "headers": [*headers, *self._common()]})
        await self._send({"type": "http.response.body", "body": body})

    def _common(self) -> list[tuple[bytes, bytes]]:
        """Headers that every response has."""
        return [self._request_id, *([_CLOSE] if self.is_last else [])]


def _answer(body: bytes, headers: dict[str, str]) -> _Answer:
    pairs = {**headers, "Content-Length": str(len(body))}.items()
    return [(key.lower().encode(), value.encode()) for key, value in pairs], body


def parse_refusal(status: int, body: bytes) -> ErrorOut:
    """The error in a refusal of BentoML's or Starlette's, whichever of their shapes it has."""
    code = CODES.get(status, "error")
    try:
        content: Any = json.loads(body)
    except ValueError:
        return ErrorOut(code=code, message=_phrase(status))
    if isinstance(content, list) and content:
        content = content[0]
    if not isinstance(content, dict):
        return ErrorOut(code=code, message=_phrase(status))
    if content.get("detail"):
        return main_fault(content["detail"])
    try:
        return ErrorOut.model_validate_json(str(content.get("error")))
    except ValueError:
        return ErrorOut(code=code, message=_phrase(status) if status >= 500 else str(content.get("error")))


def _phrase(status: int) -> str:
    return _PHRASES.get(status, HTTPStatus(status).phrase.lower())
