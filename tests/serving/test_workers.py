"""A real server with the number of workers that there are by default."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack

import httpx
import psutil
import pytest

from serving.settings import default_workers

#: Seconds that all may take to have answered; a busy machine is slow, not wrong.
PATIENCE = 60
AT_ONCE = 8
BODY = {"text": "Turkey said it would attend the Sochi congress.", "actors": ["Turkey"]}


@pytest.fixture(scope="module")
def url(serve_released: Callable[..., AbstractContextManager[str]]) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("STANCE_WORKERS", raising=False)
        with serve_released(STANCE_THREADS="0", STANCE_MAX_WAIT="60") as one:
            yield one


def find_answering(server: psutil.Process, url: str) -> set[int]:
    """The processes that clients are connected to."""
    port, found = int(url.rpartition(":")[2]), set()
    for one in server.children(recursive=True):
        for link in one.net_connections("tcp"):
            if link.status == psutil.CONN_ESTABLISHED and link.laddr.port == port:
                found.add(one.pid)
    return found


def read_counts(url: str) -> Counter[str]:
    """Every sample of the counters of /classify and of documents by its name and labels."""
    pairs = (line.rsplit(" ", 1) for line in httpx.get(f"{url}/metrics", timeout=PATIENCE).text.splitlines())
    return Counter({name: int(float(value)) for name, value in pairs if name.startswith("stance_")})


def test_each_request_counts_once_whichever_worker_answers(
    url: str, find_server: Callable[[str], psutil.Process]
) -> None:
    asked, last = 0, time.monotonic() + PATIENCE
    with ExitStack() as stack, ThreadPoolExecutor(AT_ONCE) as pool:
        answering: set[int] = set()
        # Which worker takes a connection is the kernel's choice, and it keeps it.
        while len(answering) < default_workers():
            assert time.monotonic() < last, f"only {len(answering)} of {default_workers()} workers took a connection"
            clients = [stack.enter_context(httpx.Client(base_url=url, timeout=PATIENCE)) for _ in range(AT_ONCE)]
            answers = list(pool.map(lambda one: one.post("/classify", json=BODY), clients))
            assert {answer.status_code for answer in answers} == {200}
            assert all(answer.json() == answers[0].json() for answer in answers)
            asked += len(answers)
            answering = find_answering(find_server(url), url)
    assert len(answering) == default_workers()
    requests = 'stance_requests_total{path="/classify",status="200"}'
    # A request is counted when its answer is on its way.
    while read_counts(url)[requests] < asked and time.monotonic() < last:
        time.sleep(0.1)
    counts = read_counts(url)
    assert counts[requests] == counts['stance_documents_total{outcome="classified"}'] == asked
    assert counts['stance_request_seconds_count{path="/classify"}'] == counts["stance_confidence_count"] == asked
    assert counts["stance_requests_in_progress"] == counts["stance_pending_bytes"] == 0
