"""Clients that say nothing, or half of it, by raw sockets against a real server."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from http.client import HTTPResponse, IncompleteRead
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest

#: Seconds that a head may take here, and those after which a connection that is still there was not closed for it.
TIMEOUT, LATE = 1, 20
ASKED = b"HEAD /livez HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server") / "log"


@pytest.fixture(scope="module")
def url(serve: Callable[..., AbstractContextManager[str]], log: Path) -> Iterator[str]:
    with serve(log=log, STANCE_WORKERS="1", STANCE_BODY_TIMEOUT=str(TIMEOUT), STANCE_MAX_WAIT="60") as one:
        yield one


def connect(url: str) -> socket.socket:
    address = urlsplit(url)
    return socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=LATE)


def read_status(client: socket.socket) -> bytes:
    """The status of an answer that has no body."""
    read = b""
    while not read.endswith(b"\r\n\r\n"):
        more = client.recv(1 << 16)
        assert more, "it was closed"
        read += more
    return read.split()[1]


def trickle(client: socket.socket, data: bytes) -> None:
    """Send ten bytes a second, until the connection is closed."""
    with suppress(ConnectionError):
        for byte in data:
            client.sendall(bytes([byte]))
            time.sleep(0.1)
        pytest.fail("it was not closed")


@pytest.mark.parametrize("sent", [b"", b"GET /li", ASKED[:-2]])
def test_a_connection_without_a_whole_head_is_closed(url: str, sent: bytes) -> None:
    started = time.monotonic()
    with connect(url) as client:
        client.sendall(sent)
        assert client.recv(100) == b""
    assert time.monotonic() - started > TIMEOUT - 0.1


def test_a_head_that_trickles_in_is_not_waited_for(url: str) -> None:
    with connect(url) as client:
        trickle(client, b"GET /livez HTTP/1.1\r\nX: " + b"x" * 10 * LATE)


def test_a_connection_that_was_of_use_may_be_silent_but_not_begin_and_stop(url: str) -> None:
    with connect(url) as client:
        for _ in range(2):
            client.sendall(ASKED)
            assert read_status(client) == b"200"
            time.sleep(2 * TIMEOUT)
        client.sendall(ASKED[:9])
        assert client.recv(100) == b""


def test_an_idle_connection_outlasts_the_five_seconds_of_uvicorn(url: str) -> None:
    with connect(url) as client:
        for pause in (7, 0):
            client.sendall(ASKED)
            assert read_status(client) == b"200"
            time.sleep(pause)


def test_a_refused_body_does_not_go_on_for_ever(url: str) -> None:
    with connect(url) as client:
        client.sendall(b"POST /nope HTTP/1.1\r\nHost: x\r\nContent-Length: 9999\r\n\r\n")
        trickle(client, b"x" * 10 * LATE)


def test_who_waits_for_an_answer_may_be_silent(url: str) -> None:
    documents = [{"text": "Turkey came to Sochi. " * 1000}] * 3
    started = time.monotonic()
    assert httpx.post(f"{url}/classify/batch", json={"documents": documents}, timeout=60).status_code == 200
    assert time.monotonic() - started > 2 * TIMEOUT, "too little work to tell"


def post(path: str, value: object) -> bytes:
    body = json.dumps(value).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def pending(url: str) -> float:
    """The gauge of the bytes of bodies and answers."""
    lines = httpx.get(f"{url}/metrics", timeout=60).text.splitlines()
    (value,) = (line.split()[1] for line in lines if line.startswith("stance_pending_bytes "))
    return float(value)


@pytest.fixture
def waiting(url: str) -> Iterator[socket.socket]:
    """A client for whom an answer waits, of 7 MiB, which is more than the system holds; it has taken none of it."""
    with ask_for_much(url) as client:
        yield client


@contextmanager
def ask_for_much(url: str) -> Iterator[socket.socket]:
    documents = [{"text": "UN " * 100, "actors": ["UN"] * 50}] * 40
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(60)
        client.connect(("127.0.0.1", urlsplit(url).port))
        client.sendall(post("/classify/batch", {"documents": documents}))
        assert client.recv(1, socket.MSG_PEEK)
        yield client


def test_who_takes_nothing_of_an_answer_holds_no_worker_and_is_let_go(
    url: str, log: Path, waiting: socket.socket
) -> None:
    asked = httpx.post(f"{url}/classify", json={"text": "Turkey came to Sochi."}, timeout=60)
    assert asked.status_code == 200
    held = httpx.get(f"{url}/metrics").text.splitlines()
    assert "stance_requests_in_progress 0.0" in held
    assert pending(url) > 2 << 20
    last = time.monotonic() + LATE
    while "took nothing of its answer" not in log.read_text():
        assert time.monotonic() < last
        time.sleep(0.1)
    answer = HTTPResponse(waiting)
    answer.begin()
    with pytest.raises((IncompleteRead, ConnectionError)):
        answer.read()
    assert pending(url) == 0


def test_where_too_much_waits_the_slowest_is_let_go_and_all_others_are_answered(
    serve: Callable[..., AbstractContextManager[str]], tmp_path: Path
) -> None:
    settings = {"STANCE_WORKERS": "1", "STANCE_MAX_WAIT": "60", "STANCE_MAX_PENDING": str(6 << 20)}
    with serve(log=tmp_path / "log", **settings) as url, ExitStack() as stack:
        first, second = (stack.enter_context(ask_for_much(url)) for _ in range(2))
        assert httpx.post(f"{url}/classify", json={"text": "Turkey came to Sochi."}, timeout=60).status_code == 200
        assert 2 << 20 < pending(url) < 6 << 20
        answers = [HTTPResponse(client) for client in (first, second)]
        for answer in answers:
            answer.begin()
        with pytest.raises((IncompleteRead, ConnectionError)):
            answers[0].read()
        assert len(answers[1].read()) > 4 << 20
        assert pending(url) == 0
        assert (tmp_path / "log").read_text().count("its own waited longest") == 1


def test_who_takes_an_answer_slowly_gets_it_whole(waiting: socket.socket) -> None:
    answer = HTTPResponse(waiting)
    answer.begin()
    taken, started = b"", time.monotonic()
    while time.monotonic() - started < 10 * TIMEOUT:  # 3 KB a second
        taken += answer.read(300)
        time.sleep(0.1)
    assert len(json.loads(taken + answer.read())["results"]) == 40


def test_a_request_sent_behind_another_may_take_its_time(url: str) -> None:
    second = post("/classify/batch", {"documents": [{"text": "Turkey came to Sochi. " * 1000}] * 3})
    with connect(url) as client:
        client.settimeout(60)
        client.sendall(post("/classify", {"text": "Turkey came to Sochi."}) + second[:-9])
        while not client.recv(1 << 16).endswith(b"}"):
            pass
        client.sendall(second[-9:])
        answer = HTTPResponse(client)
        answer.begin()
        assert answer.status == 200


def test_a_body_whose_end_is_told_in_two_ways_is_refused_and_the_connection_closed(url: str) -> None:
    told = b"Content-Type: application/json\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
    with connect(url) as client:
        client.sendall(b"POST /classify HTTP/1.1\r\nHost: x\r\n" + told + b"2\r\n{}\r\n0\r\n\r\n" + ASKED)
        answer = b"".join(iter(lambda: client.recv(1 << 16), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"\r\nconnection: close\r\n" in answer.lower()
    assert b'"invalid_request"' in answer
    assert answer.count(b"HTTP/1.1 ") == 1


def test_silent_clients_lock_nobody_out_and_the_log_tells(
    url: str, log: Path, find_server: Callable[[str], psutil.Process]
) -> None:
    (worker,) = [one for one in find_server(url).children() if one.num_threads() > 1]
    _, hard = worker.rlimit(psutil.RLIMIT_NOFILE)
    worker.rlimit(psutil.RLIMIT_NOFILE, (worker.num_fds() + 8, hard))
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(connect(url))
        assert httpx.get(f"{url}/livez", timeout=LATE).status_code == 200
    assert "no connection can be taken" in log.read_text()
