"""The gate alone, around an application of ours."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from serving.http.gate import Gate
from serving.settings import Limits


def test_a_client_that_has_gone_is_answered_all_the_same() -> None:
    """BentoML's own timeout waits around the gate for a first message; without one the server never shuts down."""
    sent: list[dict[str, Any]] = []
    body = b'{"text": "Turkey came."}'
    scope = {"type": "http", "method": "POST", "path": "/classify", "headers": [(b"content-length", b"24")]}
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": body}, {"type": "http.disconnect"}]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert (await receive())["body"] == body
        assert (await receive())["type"] == "http.disconnect"

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(Gate(app)(scope, receive, send))
    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
    assert sent[0]["status"] == 499


@pytest.mark.parametrize("length", ["²", "-1", "x", "1.5"])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    sent: list[dict[str, Any]] = []
    headers = [(b"content-length", length.encode("latin-1"))]
    scope = {"type": "http", "method": "POST", "path": "/classify", "headers": headers}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("it must not come so far")

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(Gate(app)(scope, receive, send))
    assert sent[0]["status"] == 400
    assert b"invalid_request" in sent[1]["body"]


class OneThread:
    """An application that takes a tenth of a second for each request, one after another, as the service does."""

    def __init__(self) -> None:
        self._thread = asyncio.Lock()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        async with self._thread:
            await asyncio.sleep(0.1)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})


async def ask(gate: Gate, size: int, chunk: int | None = None) -> tuple[int, dict[bytes, bytes], float]:
    """Status, headers and seconds of one request of that many bytes, in chunks of that many."""
    length = [] if chunk else [(b"content-length", str(size).encode())]
    parts = [min(chunk or size, size - start) for start in range(0, size, chunk or size)]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not parts:
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b" " * parts.pop(0), "more_body": bool(parts)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    started = time.monotonic()
    await gate({"type": "http", "method": "POST", "path": "/classify/batch", "headers": length}, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), time.monotonic() - started


def test_far_more_than_it_can_do_costs_those_it_takes_in_no_more_than_the_wait() -> None:
    async def flood() -> list[tuple[int, dict[bytes, bytes], float]]:
        gate = Gate(OneThread(), Limits(max_wait=0.5))
        for _ in range(10):
            await ask(gate, 4000)
        tasks = []
        for _ in range(200):  # ten times what it can do
            tasks.append(asyncio.create_task(ask(gate, 4000)))
            await asyncio.sleep(0.01)
        answers = await asyncio.gather(*tasks)
        status, _, seconds = await ask(gate, 4000)
        assert (status, seconds < 1) == (200, True)
        return answers

    answers = asyncio.run(flood())
    assert {status for status, _, _ in answers} == {200, 429}
    taken = [seconds for status, _, seconds in answers if status == 200]
    assert len(taken) >= 12, "the handler stood idle"
    assert max(taken) < 2
    assert {headers[b"retry-after"] for status, headers, _ in answers if status == 429} == {b"1"}


def test_a_body_is_never_in_its_own_way() -> None:
    async def send_large() -> int:
        gate = Gate(OneThread(), Limits(max_wait=0.01, max_pending=100_000))
        return (await ask(gate, 3_000_000, chunk=65_536))[0]

    assert asyncio.run(send_large()) == 200


@pytest.mark.parametrize(("workers", "closed"), [("1", [None, None, None]), ("2", [None, b"close", None])])
def test_who_finds_a_worker_at_work_comes_again_by_a_new_connection(
    workers: str, closed: list[bytes | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STANCE_WORKERS", workers)

    async def send_two() -> list[bytes | None]:
        gate = Gate(OneThread(), Limits())
        together = await asyncio.gather(ask(gate, 4000), ask(gate, 4000))
        return [headers.get(b"connection") for _, headers, _ in (*together, await ask(gate, 4000))]

    assert asyncio.run(send_two()) == closed


@pytest.mark.parametrize(
    ("size", "chunk", "closed"), [(4000, None, b"close"), (1 << 17, None, None), (4000, 1000, None)]
)
def test_who_is_refused_before_the_body_is_in_keeps_the_connection(
    size: int, chunk: int | None, closed: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed while the client still sends, the connection would take the refusal with it; a small body is let in."""
    monkeypatch.setenv("STANCE_WORKERS", "2")

    async def flood() -> tuple[int, dict[bytes, bytes], float]:
        gate = Gate(OneThread(), Limits(max_wait=0.15))
        for _ in range(3):
            await ask(gate, 4000)
        others = [asyncio.create_task(ask(gate, 4000)) for _ in range(6)]
        await asyncio.sleep(0.01)
        last = await ask(gate, size, chunk)
        await asyncio.gather(*others)
        return last

    status, headers, _ = asyncio.run(flood())
    assert (status, headers.get(b"connection")) == (429, closed)


def test_a_refused_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STANCE_WORKERS", "2")
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError("it never comes")

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def flood() -> float:
        gate = Gate(OneThread(), Limits(max_wait=0.15))
        for _ in range(3):
            await ask(gate, 4000)
        others = [asyncio.create_task(ask(gate, 4000)) for _ in range(6)]
        await asyncio.sleep(0.01)
        started = time.monotonic()
        scope = {"type": "http", "method": "POST", "path": "/classify", "headers": [(b"content-length", b"4000")]}
        await gate(scope, receive, send)
        await asyncio.gather(*others)
        return time.monotonic() - started

    assert asyncio.run(flood()) < 5
    assert (sent[0]["status"], dict(sent[0]["headers"]).get(b"connection")) == (429, None)


def request(aliases: int, text: str) -> dict[str, Any]:
    """A document with all that the contract allows, but for so many aliases of each name."""
    named = {"name": "x", "aliases": ["[,{"] * aliases}
    more = {"title": "[", "date": "2018-01-31", "id": ","}
    return {"text": text, "actors": [named] * 50, "process": named, **more}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (json.dumps({"documents": [request(50, "[" * 40_000 + '\\",{')] * 64}).encode(), 200),  # the largest of all
        (json.dumps({"documents": [request(60, "x")] * 64}).encode(), 400),
        (b'{"documents":[' + b"[" * 3_000_000, 400),
        (b'{"documents":[' + b"[]," * 3_000_000, 400),
        (b'{"documents":[{' + b'"a":0,' * 1_000_000, 400),
        (b'{"documents":["' + b"," * 3_000_000, 200),  # no JSON, but nothing that takes memory either
        (b'\\"' * 1_000_000 + b"," * 250_000, 200),
    ],
)
def test_a_body_of_more_parts_than_any_document_needs_is_not_parsed(body: bytes, status: int) -> None:
    sent: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": body}]

    async def receive() -> dict[str, Any]:
        return messages.pop(0) if messages else await asyncio.Event().wait()  # type: ignore[return-value]

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/classify/batch", "headers": []}
    started = time.monotonic()
    asyncio.run(Gate(OneThread())(scope, receive, send))
    assert sent[0]["status"] == status
    assert status == 200 or b'"code":"too_many_values"' in sent[1]["body"]
    assert time.monotonic() - started < 3
