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
def url(serve: Callable[..., AbstractContextManager[str]]) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("STANCE_WORKERS", raising=False)
        with serve(STANCE_THREADS="0", STANCE_MAX_WAIT="60") as one:
            yield one


def find_answering(server: psutil.Process, url: str) -> set[int]:
    """The processes that clients are connected to."""
    return {one.pid for one in server.children(recursive=True) if count_connections(one, url)}


def count_connections(worker: psutil.Process, url: str) -> int:
    """Clients that are connected to a process."""
    port = int(url.rpartition(":")[2])
    links = worker.net_connections("tcp")
    return sum(one.status == psutil.CONN_ESTABLISHED and one.laddr.port == port for one in links)


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


def test_connections_go_to_the_worker_that_has_no_work(url: str, find_server: Callable[[str], psutil.Process]) -> None:
    if default_workers() == 1:
        pytest.skip("one worker takes all")
    server, text = find_server(url), " ".join([BODY["text"]] * 600)
    with ThreadPoolExecutor(1) as pool, httpx.Client(base_url=url, timeout=PATIENCE) as large, ExitStack() as stack:
        work = pool.submit(large.post, "/classify/batch", json={"documents": [{**BODY, "text": text}] * 2})
        last = time.monotonic() + PATIENCE
        while read_counts(url)["stance_requests_in_progress"] == 0:
            assert time.monotonic() < last
        (busy,) = find_answering(server, url)
        for _ in range(16):
            client = stack.enter_context(httpx.Client(base_url=url, timeout=PATIENCE))
            assert client.get("/livez").status_code == 200
        assert not work.done(), "too little work to tell"
        assert count_connections(psutil.Process(busy), url) - 1 <= 3  # by chance half of them
        assert work.result().status_code == 200
