"""What goes out over ASGI: success as it is, and the one shape of every refusal, whoever refuses."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from serving.exchange import REQUEST_ID_HEADER
from serving.faults import INVALID, TOO_LATE, main_fault
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
    """The ``send`` of one response: lets success through and gives every refusal its one shape.

    Attributes:
        status: of what was sent, 0 until then; 499 if the client went away before.
        code: of the error that was sent.
        is_last: whether the connection is to be closed after it.
    """

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = (REQUEST_ID_HEADER.lower().encode(), request_id.encode())
        self.status = 0
        self.code: str | None = None
        self.is_last = False
        self._held: tuple[int, bytearray] | None = None
        self._is_over = False
        self._is_lost = False

    async def __call__(self, message: Message) -> None:
        """Take a message of the application's."""
        if self._is_over:
            return
        if message["type"] == "http.response.start":
            if message["status"] >= 400:
                self._held = (message["status"], bytearray())
                return
            self.status = message["status"]
            own = [pair for pair in message.get("headers", ()) if pair[0].lower() not in _FOREIGN]
            message = {**message, "headers": [*own, *self._common()]}
        if self._held is None:
            await self._send(message)
            return
        status, body = self._held
        body += message.get("body", b"")
        if not message.get("more_body", False):
            await self._finish(status, parse_refusal(status, bytes(body)), {})

    async def refuse(self, refusal: Refusal) -> None:
        """Answer with a refusal, unless a response has begun; whatever the application still sends is dropped."""
        if not self.status:
            error = ErrorOut(code=refusal.code, message=str(refusal))
            await self._finish(refusal.status, error, refusal.headers)

    def abandon(self) -> None:
        """Nobody is there any more: whatever is still sent is dropped."""
        self._is_lost = not self.status
        self.status, self._is_over = self.status or 499, True

    async def close(self) -> None:
        """Answer a client that has gone after all: BentoML waits for an answer's first message, at shutdown too."""
        if self._is_lost:
            await self._finish(499, ErrorOut(code=CODES[499], message="the client went away"), {})

    async def plain(self, body: bytes, content_type: str) -> None:
        """Answer with 200."""
        await self._respond(200, body, {"Content-Type": content_type, **_PLAIN_HEADERS})

    async def _finish(self, status: int, error: ErrorOut, headers: dict[str, str]) -> None:
        self.code = error.code
        body = ErrorResponse(error=error).model_dump_json().encode()
        await self._respond(status, body, {"Content-Type": "application/json", **headers})

    async def _respond(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.status, self._is_over = status, True
        pairs = {**headers, "Content-Length": str(len(body))}.items()
        raw = [*((key.lower().encode(), value.encode()) for key, value in pairs), *self._common()]
        await self._send({"type": "http.response.start", "status": status, "headers": raw})
        await self._send({"type": "http.response.body", "body": body})

    def _common(self) -> list[tuple[bytes, bytes]]:
        """Headers that every response has."""
        return [self._request_id, *([_CLOSE] if self.is_last else [])]


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
