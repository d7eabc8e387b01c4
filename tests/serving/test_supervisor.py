"""A worker that is killed comes back, soon."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import psutil

SECONDS = 10


def _find_workers(url: str) -> list[psutil.Process]:
    """The processes of the server at ``url`` that hold the model."""
    port = url.rpartition(":")[2]
    (parent,) = [one for one in psutil.Process().children() if one.cmdline()[-2:] == ["--port", port]]
    maps = {one: Path("/proc", str(one.pid), "maps") for one in parent.children(recursive=True)}
    return [one for one, path in maps.items() if path.exists() and b"onnxruntime" in path.read_bytes()]


def test_a_killed_worker_is_replaced(serve_released: Callable[..., AbstractContextManager[str]]) -> None:
    body = {"text": "Turkey said it would attend the Sochi congress.", "process": "sochi"}
    with serve_released() as url:
        (worker,) = _find_workers(url)
        worker.kill()
        killed, status = time.monotonic(), 0
        while status != 200 and time.monotonic() - killed < SECONDS:
            try:
                status = httpx.post(f"{url}/classify", json=body, timeout=SECONDS).status_code
            except httpx.TransportError:
                time.sleep(0.1)
        assert status == 200, f"no answer within {SECONDS} s of the kill"
        assert worker not in _find_workers(url)
