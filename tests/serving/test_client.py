"""The client: against the real server, and against one that refuses on purpose."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any

import httpx
import pytest

from serving.client import (
    AsyncClient,
    ClassifyRequest,
    ClassifyResponse,
    Client,
    ErrorResponse,
    NamedActor,
    NamedProcess,
    Retries,
    ServiceError,
    ServiceUnreachable,
    SettingError,
    StanceError,
)
from serving.conversation import build_batch, chunks_of, parse_retry_after
from stance.schema import Actor, Process

ROOT = Path(__file__).resolve().parents[2]
TEXT = "Turkey will come to Sochi. The Higher Negotiations Committee will not."
FAST = Retries(pause=0.01)


def test_a_document_is_answered_in_types(page_url: str) -> None:
    with Client(page_url) as client:
        answer = client.classify(
            TEXT,
            actors=["HNC", NamedActor(name="Ankara", aliases=["Turkey"])],
            process=NamedProcess(name="Black Sea talks", aliases=["Sochi"]),
            date="2018-01-31",
            id="a",
        )
        assert isinstance(answer, ClassifyResponse)
        assert [one.actor for one in answer.actors] == ["HNC", "Ankara"]
        assert (answer.id, answer.date, answer.process.name) == ("a", "2018-01-31", "Black Sea talks")
        assert client.version().bundle.version == answer.model.version


def test_a_batch_has_a_result_or_an_error_for_each(page_url: str) -> None:
    with Client(page_url) as client:
        first, second = client.classify_batch([{"text": TEXT}, {"text": ""}])
    assert isinstance(first, ClassifyResponse)
    assert isinstance(second, ErrorResponse)
    assert second.error.code == "empty_text"


def test_a_refusal_tells_all_that_the_service_told(page_url: str) -> None:
    with Client(page_url) as client, pytest.raises(ServiceError, match="400 unknown_process: unknown process") as told:
        client.classify(TEXT, process="oslo")
    assert (told.value.status, told.value.code, told.value.field) == (400, "unknown_process", "process")
    assert re.fullmatch(r"[0-9a-f]{32}", str(told.value.request_id))


def test_the_asynchronous_form_answers_alike(page_url: str) -> None:
    async def ask() -> list[ClassifyResponse]:
        async with AsyncClient(page_url) as client:
            with pytest.raises(ServiceError):
                await client.classify(TEXT, process="oslo")
            assert len(await client.classify_batch([{"text": TEXT}])) == 1
            assert (await client.version()).package
            return await asyncio.gather(*(client.classify(TEXT) for _ in range(4)))

    answers = asyncio.run(ask())
    with Client(page_url) as client:
        assert all(answer == client.classify(TEXT) for answer in answers)


Reply = tuple[int, dict[str, str]]


class Moody(ThreadingHTTPServer):
    """Gives the replies of a list, one a request, and remembers when it was asked and with what key."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Mood)
        self.replies: list[Reply] = []
        self.asked: list[float] = []
        self.keys: list[str | None] = []


class Mood(BaseHTTPRequestHandler):
    server: Moody

    def do_GET(self) -> None:
        self.server.asked.append(time.monotonic())
        self.server.keys.append(self.headers.get("Authorization"))
        status, headers = self.server.replies.pop(0)
        body = b'{"package": "1", "bundle": {"name": "a", "version": "1", "digest": "d", "coverage": 0.9}}'
        if status != 200:
            body = (
                b'{"error": {"code": "too_many_requests", "message": "m", "field": null}}' if status < 500 else b"<p>"
            )
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def moody() -> Iterator[Moody]:
    server = Moody()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def ask_sync(url: str, retries: Retries) -> str:
    with Client(url, key="k", retries=retries) as client:
        return client.version().package


def ask_async(url: str, retries: Retries) -> str:
    async def ask() -> str:
        async with AsyncClient(url, key="k", retries=retries) as client:
            return (await client.version()).package

    return asyncio.run(ask())


ASKS = pytest.mark.parametrize("ask", [ask_sync, ask_async])
Ask = Callable[[str, Retries], str]


def address(moody: Moody) -> str:
    return f"http://127.0.0.1:{moody.server_address[1]}"


@ASKS
def test_retry_after_is_waited_for(moody: Moody, ask: Ask) -> None:
    moody.replies = [(429, {"Retry-After": "1"}), (503, {}), (200, {})]
    assert ask(address(moody), FAST) == "1"
    first, second, third = moody.asked
    assert second - first >= 1
    assert third - second < 1
    assert moody.keys == ["Bearer k"] * 3


@ASKS
def test_patience_has_an_end(moody: Moody, ask: Ask) -> None:
    moody.replies = [(429, {"Retry-After": "1000"})]
    with pytest.raises(ServiceError, match="429 too_many_requests"):
        ask(address(moody), FAST)
    moody.replies = [(503, {})] * 9
    with pytest.raises(ServiceError, match="none of the service's"):
        ask(address(moody), Retries(attempts=3, pause=0.01))
    assert len(moody.asked) == 4


@ASKS
@pytest.mark.parametrize("status", [400, 401, 404, 500, 504])
def test_what_will_not_change_is_asked_once(moody: Moody, ask: Ask, status: int) -> None:
    moody.replies = [(status, {"Retry-After": "0"})]
    with pytest.raises(ServiceError):
        ask(address(moody), FAST)
    assert len(moody.asked) == 1


@ASKS
def test_nobody_there_is_told(moody: Moody, ask: Ask) -> None:
    with pytest.raises(ServiceUnreachable, match="is the service running"):
        ask("http://127.0.0.1:9", Retries(attempts=2, pause=0.01))


@pytest.mark.parametrize("url", ["localhost:3000", "ftp://localhost", "", "http://", "https://a\nb"])
def test_an_address_that_is_none_of_http_is_told(url: str) -> None:
    with pytest.raises(SettingError, match="must be an address of HTTP"):
        Client(url)


def test_a_key_is_taken_as_a_file_has_it_and_never_told(moody: Moody) -> None:
    moody.replies = [(200, {})]
    with Client(address(moody), key="stance_k\n") as client:
        client.version()
    assert moody.keys == ["Bearer stance_k"]
    for key in ("stance_secr\u00e9t", "stance_secret\nx"):
        with pytest.raises(SettingError, match="holds characters") as told:
            Client(address(moody), key=key)
        assert "stance_s" not in str(told.value)
    for key in ("", " \n"):
        with pytest.raises(SettingError, match="key: is empty"):
            Client(address(moody), key=key)


def test_what_is_no_answer_of_the_service_is_an_error_of_its_kind() -> None:
    proxy = httpx.MockTransport(lambda _: httpx.Response(200, html="<p>Sign in"))
    with Client("http://localhost", transport=proxy) as client, pytest.raises(ServiceError, match="is a proxy between"):
        client.classify(TEXT)


@pytest.mark.parametrize(
    ("error", "times"),
    [(httpx.PoolTimeout, 3), (httpx.ConnectError, 3), (httpx.ReadTimeout, 1), (httpx.DecodingError, 1)],
)
def test_what_never_reached_the_service_is_sent_again(error: type[httpx.RequestError], times: int) -> None:
    sent = []

    def fail(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        raise error("no")

    retries = Retries(attempts=3, pause=0.01)
    with (
        Client("http://localhost", retries=retries, transport=httpx.MockTransport(fail)) as client,
        pytest.raises(ServiceUnreachable),
    ):
        client.version()
    assert len(sent) == times


def test_any_text_and_any_form_of_an_actor_can_be_sent(page_url: str) -> None:
    with Client(page_url) as client:
        (answer,) = client.classify_batch([{"text": TEXT, "actors": [NamedActor(name="Ankara", aliases=["Turkey"])]}])
        assert isinstance(answer, ClassifyResponse)
        assert [one.actor for one in answer.actors] == ["Ankara"]
        with pytest.raises(ServiceError) as told:
            client.classify("Turkey \ud800 will come.")
        assert told.value.status == 400
        for one in ("HNC", {"name": "HNC"}):
            with pytest.raises(TypeError, match="a list is wanted, not one actor; give "):
                client.classify(TEXT, actors=one)
        with pytest.raises(TypeError, match="set cannot be sent"):
            client.classify_batch([{"text": TEXT, "actors": {"HNC"}}])


def test_the_values_of_the_library_are_taken_as_those_of_the_client_are(page_url: str) -> None:
    own = MappingProxyType({"name": "Black Sea talks", "aliases": ("Sochi",)})
    actors = ["HNC", Actor("Ankara", ("Turkey",), id="x"), MappingProxyType({"name": "Iran"})]
    with Client(page_url) as client:
        for process in (own, Process("Black Sea talks", ("Sochi",)), NamedProcess(name="Black Sea talks")):
            answer = client.classify(TEXT, actors=actors, process=process)
            assert (answer.process.name, answer.process.key) == ("Black Sea talks", "")
            assert [(one.actor, bool(one.mentions)) for one in answer.actors][1:] == [("Ankara", True), ("Iran", False)]
        assert client.classify(TEXT, process=Process("Geneva talks", key="geneva")).process.key == "geneva"
        results = client.classify_batch([ClassifyRequest(text=TEXT, actors=["HNC"]), {"text": TEXT, "actors": actors}])
    assert [len(one.actors) for one in results if isinstance(one, ClassifyResponse)] == [1, 3]


def echo(sizes: list[int]) -> Callable[[httpx.Request], httpx.Response]:
    """A service that answers each document with an error that holds its id and date; notes how many come at a time."""

    def reply(request: httpx.Request) -> httpx.Response:
        documents = json.loads(request.content)["documents"]
        sizes.append(len(documents))
        told = [{"error": {"code": one["id"], "message": one.get("date", "")}} for one in documents]
        return httpx.Response(200, json={"results": told})

    return reply


def test_any_number_of_documents_is_sent_in_batches() -> None:
    sizes: list[int] = []
    documents = ({"text": "a", "id": n, "date": date(2018, 1, 31)} for n in range(130))
    with Client("http://localhost", transport=httpx.MockTransport(echo(sizes))) as client:
        results = client.classify_all(documents)
        first = next(results)
        assert sizes == [64], "the others are sent when their turn comes"
        errors = [one.error for one in (first, *results) if isinstance(one, ErrorResponse)]
        assert list(client.classify_all([])) == []
    assert [one.code for one in errors] == [f"{n}" for n in range(130)]
    assert {one.message for one in errors} == {"2018-01-31"}
    assert sizes == [64, 64, 2]


def test_no_more_text_is_sent_at_a_time_than_the_deadline_allows_for() -> None:
    lengths = [40_000, 40_000, 20_000, 1, 120_000, 50_000]
    documents = [{"text": "a" * one} for one in lengths]
    requests = [ClassifyRequest(text="a" * 50_000)] * 3
    assert [[len(one["text"]) for one in chunk] for chunk in chunks_of(documents)] == [
        [40_000, 40_000, 20_000],
        [1],
        [120_000],
        [50_000],
    ]
    assert [len(chunk) for chunk in chunks_of(requests)] == [2, 1]
    assert [len(chunk) for chunk in chunks_of([{"text": None}, {}] * 40)] == [64, 16]


@pytest.mark.parametrize("cut", [build_batch, lambda documents: list(chunks_of(documents))])
@pytest.mark.parametrize("one", ["a text", b"x", {"text": "a"}, ClassifyRequest(text="a")])
def test_one_document_in_place_of_a_list_is_told(cut: Callable[[Any], object], one: object) -> None:
    with pytest.raises(TypeError, match=r"documents: a list is wanted, not one document; give \[document\]"):
        cut(one)


@pytest.mark.parametrize("cut", [build_batch, lambda documents: list(chunks_of(documents))])
@pytest.mark.parametrize(("one", "kind"), [("a text", "str"), (None, "NoneType"), (["a"], "list")])
def test_what_is_no_document_is_told_by_its_place(cut: Callable[[Any], object], one: object, kind: str) -> None:
    with pytest.raises(TypeError, match=rf"documents\[1\]: {kind} is no document; give a ClassifyRequest or a mapping"):
        cut([{"text": "a"}, one])


def test_any_number_is_sent_asynchronously_too() -> None:
    sizes: list[int] = []

    async def ask() -> list[str]:
        async with AsyncClient("http://localhost", transport=httpx.MockTransport(echo(sizes))) as client:
            documents = [{"text": "a", "id": f"{n}"} for n in range(65)]
            return [one.error.code async for one in client.classify_all(documents) if isinstance(one, ErrorResponse)]

    assert asyncio.run(ask()) == [f"{n}" for n in range(65)]
    assert sizes == [64, 1]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (date(2018, 1, 31), "2018-01-31"),
        (datetime(2018, 1, 31, 10, tzinfo=UTC), "2018-01-31T10:00:00+00:00"),
        ("2018-01-31", "2018-01-31"),
    ],
)
def test_dates_and_numbers_are_sent_as_text(given: date | str, sent: str) -> None:
    asked: list[dict[str, object]] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        asked.append(json.loads(request.content))
        return httpx.Response(400)

    with Client("http://localhost", transport=httpx.MockTransport(refuse)) as client, pytest.raises(ServiceError):
        client.classify(TEXT, date=given, id=7)
    assert asked == [{"text": TEXT, "date": sent, "id": "7"}]


def test_importing_the_client_loads_no_model_library() -> None:
    code = "import serving.client, sys; print(sorted({'numpy', 'onnxruntime', 'bentoml'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_both_forms_of_retry_after() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert 95 < (parse_retry_after(soon) or 0) <= 100
    assert parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0
    assert parse_retry_after(" 3 ") == 3
    year = "Wed, 21 Oct 99999999999999999999 07:28:00 GMT"
    assert [parse_retry_after(one) for one in (None, "", "-1", "soon", "1e3", year)] == [None] * 6


def test_waits_grow_where_nothing_is_told() -> None:
    waits = [Retries(pause=1).wait(attempt, None) for attempt in (1, 2, 3)]
    assert 1 <= waits[0] <= 1.5 < 2 <= waits[1] <= 3 < 4 <= waits[2] <= 6


def test_the_examples_of_the_docs_run(page_url: str) -> None:
    examples = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "client.md").read_text(), re.DOTALL)
    assert len(examples) == 2
    told = []
    for example in examples:
        code = example.replace("http://localhost:3000", page_url.rstrip("/"))
        command = [sys.executable, "-W", "error", "-c", code]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        told.append(done.stdout)
    assert re.match(r"Turkey (support|boycott|conditional|none) [\d.]+\nHNC ", told[0])
    assert told[0].endswith("400 unknown_process process\n")
    assert re.fullmatch(r"\[\d+, \d+\]\n", told[1])


def test_what_the_client_raises_is_of_this_package() -> None:
    assert all(issubclass(one, StanceError) for one in (ServiceError, ServiceUnreachable, SettingError))
    assert issubclass(SettingError, ValueError)
