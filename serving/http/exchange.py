"""One request as ASGI gives it: headers, id, deadline, its body once more, and whether its client is still there."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from itertools import islice
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope

    from stance.deadline import Deadline

REQUEST_ID_HEADER = "X-Request-ID"
#: The id of the request that is being answered; every line of the log has it.
REQUEST_ID: ContextVar[str | None] = ContextVar("request_id", default=None)
#: That request's deadline; the handler's thread inherits it.
DEADLINE: ContextVar[Deadline | None] = ContextVar("deadline", default=None)
#: A stretch of JSON without a list, object or comma outside its strings, and the next of these. It has but one way to
#: match, and a string without an end takes all the rest, so that the time is linear whatever the bytes are.
_NEXT_PART = re.compile(rb'(?:[^"\[{,]++|"(?:[^"\\]++|\\.)*+"?)*+([\[{,]?)', re.DOTALL)
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def read_headers(scope: Scope) -> dict[str, str]:
    """A request's headers, names in lower case; of one sent twice both values, with a comma between, as HTTP has it."""
    headers: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name, said = raw.decode("latin-1").lower(), value.decode("latin-1")
        headers[name] = f"{headers[name]}, {said}" if name in headers else said
    return headers


def has_two_lengths(headers: dict[str, str]) -> bool:
    """Whether a request tells its body's end in two ways, by which a proxy and the service may read it differently."""
    return "content-length" in headers and "transfer-encoding" in headers


def find_request_id(headers: dict[str, str]) -> str:
    """The id that the caller gave, if it is 1 to 64 letters, digits, ``.``, ``_`` or ``-``; else a new one."""
    given = headers.get(REQUEST_ID_HEADER.lower(), "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def has_more_parts(body: bytes | bytearray, most: int) -> bool:
    """Whether a body of JSON has more lists, objects and commas outside its strings than ``most``."""
    if sum(map(body.count, (b"[", b"{", b","))) <= most:
        return False
    match = next(islice(_NEXT_PART.finditer(body), most, None), None)
    return match is not None and bool(match[1])


def replay(body: bytes, gone: asyncio.Event) -> Receive:
    """A ``receive`` that gives a body that was taken in, and then tells when the client has gone."""
    sent = False

    async def receive() -> Message:
        nonlocal sent
        if sent:
            await gone.wait()
            return {"type": "http.disconnect"}
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def drain(receive: Receive, seconds: float) -> bool:
    """Drop the rest of a body; whether it came to its end in time."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while (message := await receive())["type"] == "http.request":
                if not message.get("more_body", False):
                    return True
    return False


async def watch(receive: Receive, then: Callable[[], None]) -> None:
    """Wait for the client to go away."""
    while (await receive())["type"] != "http.disconnect":
        pass
    then()
