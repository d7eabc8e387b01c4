"""The gate alone, around an application of ours."""

from __future__ import annotations

import asyncio
from typing import Any

from serving.limits import Gate


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
