"""The contract, held against a real server in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from pydantic import BaseModel, ValidationError

from serving.faults import TOO_LATE, explain
from serving.schemas import BatchRequest, ClassifyRequest, NamedActor, NamedProcess
from stance.bundle import load_bundle
from stance.classify import classify_document
from stance.schema import ActorStance, Document

Serve = Callable[..., AbstractContextManager[str]]

ROOT = Path(__file__).resolve().parents[2]
SEED = (ROOT / "seeds" / "000_bf9ec2e30b3d9496.txt").read_text(encoding="utf-8")
TEXT = "Turkey will come to Sochi. The Higher Negotiations Committee will not."


def connect(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=30)


@pytest.fixture(scope="module")
def client(serve: Serve, tiny_bundle: Path) -> Iterator[httpx.Client]:
    with serve(tiny_bundle) as url, connect(url) as one:
        yield one


def test_an_answer_has_the_shape_of_the_contract(client: httpx.Client) -> None:
    asked = {"text": SEED, "id": "s", "date": "2018-01-31", "title": "Sochi"}
    answer = client.post("/classify", json=asked)
    assert answer.status_code == 200
    body = answer.json()
    assert list(body) == ["id", "title", "date", "process", "model", "actors", "warnings"]
    assert (body["id"], body["date"], body["title"]) == ("s", "2018-01-31", "Sochi")
    assert body["process"] == {"key": "sochi", "name": "Sochi process"}
    assert body["model"]["name"] == "tiny"
    names = [actor["actor"] for actor in body["actors"]]
    assert ("Russia", "state", "RU") in [(one["actor"], one["kind"], one["country"]) for one in body["actors"]]
    assert {"Higher Negotiations Committee", "Russia", "Sergey Lavrov", "Alexander Lavrentyev"} <= set(names)
    for actor in body["actors"]:
        assert list(actor)[:4] == ["actor", "id", "kind", "country"]
        assert list(actor)[4:] == ["stance", "probabilities", "plausible", "mentions", "evidence"]
        assert list(actor["probabilities"]) == ["support", "boycott", "conditional", "none"]
        for place in [*actor["mentions"], *actor["evidence"]]:
            assert SEED[place["start"] : place["end"]] == place["text"]


def test_actors_and_a_process_of_ones_own(client: httpx.Client) -> None:
    asked = {
        "text": TEXT,
        "actors": ["HNC", {"name": "Ankara government", "aliases": ["Turkey"]}, "Nobody"],
        "process": {"name": "Black Sea talks", "aliases": ["Sochi"]},
    }
    body = client.post("/classify", json=asked).json()
    assert [actor["actor"] for actor in body["actors"]] == ["HNC", "Ankara government", "Nobody"]
    assert body["actors"][1]["mentions"] == [{"start": 0, "end": 6, "text": "Turkey"}]
    assert body["process"] == {"key": "", "name": "Black Sea talks"}
    assert [(warning["code"], warning["actor"]) for warning in body["warnings"]] == [("actor_not_found", "Nobody")]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"<article><p>{TEXT}</p><script>var Iran='will boycott Sochi';</script></article>", "looks_like_markup"),
        ("Der Iran wird den Kongress in Sochi boykottieren, sagte ein Sprecher in Teheran am Montag.", "not_english"),
    ],
)
def test_a_text_that_cannot_be_read_well_is_answered_with_a_warning(client: httpx.Client, text: str, code: str) -> None:
    body = client.post("/classify", json={"text": text, "actors": ["Iran"]}).json()
    assert [warning["code"] for warning in body["warnings"]] == [code]


REFUSALS = {
    "no json": ({"content": b"{"}, 400, "invalid_request", None),
    "no object": ({"content": b"[]"}, 400, "invalid_request", None),
    "no text": ({"json": {}}, 400, "invalid_request", "text"),
    "empty text": ({"json": {"text": ""}}, 400, "empty_text", "text"),
    "blank text": ({"json": {"text": "  "}}, 400, "empty_text", "text"),
    "text of another type": ({"json": {"text": 5}}, 400, "invalid_request", "text"),
    "long text": ({"json": {"text": "x" * 50_001}}, 400, "text_too_long", "text"),
    "unknown key": ({"json": {"text": "x", "lang": "en"}}, 400, "invalid_request", "lang"),
    "unknown process": ({"json": {"text": "x", "process": "oslo"}}, 400, "unknown_process", "process"),
    "nameless process": ({"json": {"text": "x", "process": {"name": " "}}}, 400, "invalid_request", "process.name"),
    "long process": (
        {"json": {"text": "x", "process": {"name": "@@" * 99}}},
        400,
        "process_name_too_long",
        "process.name",
    ),
    "51 actors": ({"json": {"text": "x", "actors": ["a"] * 51}}, 400, "invalid_request", "actors"),
    "actor of separators": ({"json": {"text": "x", "actors": ["a", "\x1f"]}}, 400, "invalid_request", "actors.1"),
    "process of separators": (
        {"json": {"text": "x", "process": {"name": "\x1c "}}},
        400,
        "invalid_request",
        "process.name",
    ),
    "nameless actor": ({"json": {"text": "x", "actors": ["a", {"aliases": []}]}}, 400, "invalid_request", "actors.1"),
    "bad date": ({"json": {"text": "x", "date": "yesterday"}}, 400, "invalid_request", "date"),
    "date as a number": ({"json": {"text": "x", "date": 0}}, 400, "invalid_request", "date"),
    "unknown key of an actor": (
        {"json": {"text": "x", "actors": [{"name": "a", "id": 1}]}},
        400,
        "invalid_request",
        "actors.0.id",
    ),
    "many unknown keys": (
        {"json": {"text": "x", **dict.fromkeys(map(str, range(12)), 0)}},
        400,
        "invalid_request",
        None,
    ),
    "many unknown keys of an actor": (
        {"json": {"text": "x", "actors": ["a", {"name": "a", **dict.fromkeys("bcde", 0)}]}},
        400,
        "invalid_request",
        "actors.1",
    ),
    "many unknown keys of a process": (
        {"json": {"text": "x", "process": {"name": "a", **dict.fromkeys("bcde", 0)}}},
        400,
        "invalid_request",
        "process",
    ),
    "lone surrogate": ({"content": b'{"text": "\\ud800"}'}, 400, "invalid_request", None),
    "xml": ({"content": b"<a/>", "headers": {"Content-Type": "text/xml"}}, 415, "unsupported_media_type", None),
    "form": ({"data": {"text": "x"}}, 415, "unsupported_media_type", None),
    "multipart": (
        {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}},
        415,
        "unsupported_media_type",
        None,
    ),
    "pickle": (
        {"content": b"x", "headers": {"Content-Type": "application/vnd.bentoml+pickle"}},
        415,
        "unsupported_media_type",
        None,
    ),
    "gzip": ({"content": b"x", "headers": {"Content-Encoding": "gzip"}}, 415, "unsupported_media_type", None),
    "large body": ({"content": b" " * (1 << 21)}, 413, "body_too_large", None),
    "large chunked body": ({"content": iter([b" " * 65536] * 32)}, 413, "body_too_large", None),
}


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/classify", {"txt": TEXT}, "text: is missing; it must be given (at fault too: txt)"),
        (
            "/classify",
            {"text": TEXT, **dict.fromkeys(("a" * 99, "b", "c", "d", "e"), 0)},
            f"{'a' * 99}: is no field that is known here; leave it out, or see /docs for its name "
            "(at fault too: b, c, d and 1 more)",
        ),
        ("/classify", {"text": 5, "b" * 99: 0}, f"text: must be a string (at fault too: {'b' * 40}…)"),
        (
            "/classify",
            {"text": "x" * 50_001},
            "text: has more than 50,000 characters; send the rest in another request",
        ),
        ("/classify", {"text": "x", "title": "x" * 1001}, "title: has more than 1,000 characters; shorten it"),
        (
            "/classify",
            {"text": "x", "actors": ["a"] * 51},
            "actors: has more than 50 entries; send the rest in another request",
        ),
        ("/classify/batch", {"documents": []}, "documents: is an empty list; give at least one entry"),
        (
            "/classify/batch",
            {"documents": [{}] * 65},
            "documents: has more than 64 entries; send the rest in another request",
        ),
    ],
)
def test_a_refusal_says_in_our_words_what_is_wrong(client: httpx.Client, path: str, body: object, told: str) -> None:
    assert client.post(path, json=body).json()["error"]["message"] == told


@pytest.mark.parametrize("name", REFUSALS)
def test_every_refusal_has_one_shape(client: httpx.Client, name: str) -> None:
    given, status, code, field = REFUSALS[name]
    headers = {"Content-Type": "application/json", **given.get("headers", {})}
    if "data" in given:
        headers = {}
    answer = client.post("/classify", **{**given, "headers": headers})
    check_refusal(answer, status, code)
    told = answer.json()["error"]["field"]
    assert told == field or (field is not None and str(told).startswith(field))


def check_refusal(answer: httpx.Response, status: int, code: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["error"]
    error = answer.json()["error"]
    assert list(error) == ["code", "message", "field"]
    assert error["code"] == code
    assert error["message"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Content-Type", ["multipart/form-data; boundary=x", "application/json"]),
        ("Content-Type", ["application/json; charset=utf-8"] * 2),
        ("Content-Encoding", ["gzip", "identity"]),
    ],
)
def test_what_a_body_is_may_be_said_but_once(client: httpx.Client, name: str, values: list[str]) -> None:
    body, headers = b'{"text": "Turkey came to Sochi."}', [(name, value) for value in values]
    check_refusal(client.post("/classify", content=body, headers=headers), 415, "unsupported_media_type")


@pytest.mark.parametrize("path", ["/nope", "/classify/x", "/static_content/index.css", "/../etc/passwd"])
def test_unknown_paths(client: httpx.Client, path: str) -> None:
    check_refusal(client.get(path), 404, "not_found")
    check_refusal(client.post(path, json={}), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/classify"), ("PUT", "/classify/batch"), ("POST", "/livez"), ("DELETE", "/"), ("POST", "/metrics")],
)
def test_other_methods(client: httpx.Client, method: str, path: str) -> None:
    answer = client.request(method, path)
    check_refusal(answer, 405, "method_not_allowed")
    assert answer.headers["allow"]


@pytest.mark.parametrize(
    ("model", "known"),
    [
        (ClassifyRequest, "text, actors, process, title, date, id"),
        (NamedActor, "name, aliases"),
        (NamedProcess, "name, aliases"),
        (BatchRequest, "documents"),
    ],
)
def test_unknown_keys_take_no_memory_for_each(model: type[BaseModel], known: str) -> None:
    keys = dict.fromkeys(map(str, range(200_000)), 0)
    tracemalloc.start()
    try:
        with pytest.raises(ValidationError) as caught:
            model.model_validate(keys)
        fault = explain(caught.value)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert fault.message == f"body: has 200,000 fields; known are {known}; leave the others out"
    assert (fault.code, fault.field) == ("invalid_request", None)
    assert peak < 1 << 20


def test_a_bad_document_costs_the_others_nothing(client: httpx.Client) -> None:
    documents = [
        {"text": TEXT, "id": "a"},
        {"text": "", "id": "empty"},
        5,
        {"text": "x", "process": "oslo"},
        {"text": "x", "id": 7},
        {"text": TEXT, "id": "b"},
    ]
    results = client.post("/classify/batch", json={"documents": documents}).json()["results"]
    assert [result.get("id") for result in results] == ["a", "empty", None, None, None, "b"]
    codes = ["empty_text", "invalid_request", "unknown_process", "invalid_request"]
    assert [result["error"]["code"] for result in results[1:5]] == codes
    assert (
        results[0]["actors"] == results[5]["actors"] == client.post("/classify", json={"text": TEXT}).json()["actors"]
    )


def test_a_fault_of_ours_in_one_document_costs_no_other(tiny_bundle: Path) -> None:
    code = """if True:
        import json
        import serving.service as service
        import stance.classify as library
        classify = library.classify_document
        def faulty(bundle, document, **more):
            return classify(bundle, document, **more) if "Turkey" in document.text else 1 / 0
        library.classify_document = faulty
        request = service.BatchRequest(documents=[{"text": "Turkey came."}, {"text": "Iran came."}])
        answer = service.StanceService().classify_batch(request)
        print(json.dumps([getattr(one, "error", None) and one.error.code for one in answer.results]))
    """
    environment = {**os.environ, "STANCE_BUNDLE": str(tiny_bundle)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=ROOT)
    assert json.loads(done.stdout.splitlines()[-1]) == [None, "internal_error"], done.stderr
    assert "ZeroDivisionError" in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [("text", "x" * 50_001, "send the rest in another request"), ("title", "x" * 1001, "shorten it")],
)
def test_what_is_too_long_is_told_how_to_mend_by_every_way(
    client: httpx.Client, field: str, value: str, told: str
) -> None:
    document = {"text": TEXT, field: value}
    alone = client.post("/classify", json=document).json()["error"]
    (among,) = client.post("/classify/batch", json={"documents": [document]}).json()["results"]
    assert told in alone["message"]
    assert alone == among["error"]


@pytest.mark.parametrize("count", [0, 65])
def test_batch_bounds(client: httpx.Client, count: int) -> None:
    answer = client.post("/classify/batch", json={"documents": [{"text": "x"}] * count})
    check_refusal(answer, 400, "invalid_request")
    assert answer.json()["error"]["field"] == "documents"


def test_probes_and_pages(client: httpx.Client) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/docs.json", "/processes", "/version", "/"):
        assert client.get(path).status_code == 200, path
    assert {"/classify", "/classify/batch"} <= set(client.get("/docs.json").json()["paths"])


def test_unknown_paths_do_not_grow_the_metrics(client: httpx.Client) -> None:
    client.get("/first-unknown")
    before = len(client.get("/metrics").text.splitlines())
    for number in range(300):
        client.get(f"/unknown-{number}")
    assert len(client.get("/metrics").text.splitlines()) <= before + 2
    assert 'path="unknown",status="404"' in client.get("/metrics").text


def test_the_list_of_processes_has_a_line_of_its_own_in_the_metrics(client: httpx.Client) -> None:
    client.get("/processes")
    assert 'path="/processes",status="200"' in client.get("/metrics").text


def test_no_torch_in_the_process(client: httpx.Client, find_server: Callable[[str], psutil.Process]) -> None:
    client.post("/classify", json={"text": TEXT})
    server = find_server(str(client.base_url).rstrip("/"))
    maps = ["\n".join(path.path for path in one.memory_maps()) for one in (server, *server.children(recursive=True))]
    assert any("onnxruntime" in one for one in maps), "the process that holds the model was not found"
    assert not any("libtorch" in one for one in maps)


def test_many_at_once_get_the_answers_of_one(client: httpx.Client) -> None:
    def ask(number: int = 0) -> Any:
        for _ in range(60):
            answer = client.post("/classify", json={"text": TEXT})
            if answer.status_code != 429:  # a busy machine
                break
            time.sleep(float(answer.headers["Retry-After"]))
        return answer.json()

    alone = ask()
    assert alone["actors"]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(64)))
    assert [answer for answer in answers if answer != alone] == []


def test_past_the_deadline_the_answer_is_504(serve: Serve, tiny_bundle: Path) -> None:
    with serve(tiny_bundle, STANCE_WORKERS="1", STANCE_DEADLINE="0.02") as url, connect(url) as client:
        late = client.post("/classify", json={"text": "Turkey came to Sochi. " * 2200})
        check_refusal(late, 504, "deadline_exceeded")
        assert late.json()["error"]["message"] == TOO_LATE
        assert client.get("/livez").status_code == 200


def test_a_batch_past_the_deadline_keeps_what_is_done(serve: Serve, tiny_bundle: Path) -> None:
    documents = [{"text": TEXT}, *[{"text": "Turkey came to Sochi. " * 2200}] * 40]
    with serve(tiny_bundle, STANCE_WORKERS="1", STANCE_DEADLINE="1.5") as url, connect(url) as client:
        results = client.post("/classify/batch", json={"documents": documents}).json()["results"]
    assert len(results) == 41
    assert results[0]["actors"]
    assert results[-1]["error"] == {"code": "deadline_exceeded", "message": TOO_LATE, "field": None}


def test_a_full_queue_answers_429_with_a_time(serve: Serve, tiny_bundle: Path) -> None:
    one = {"STANCE_WORKERS": "1", "STANCE_MAX_PENDING": "60000"}
    with serve(tiny_bundle, **one) as url, connect(url) as client, ThreadPoolExecutor(12) as pool:
        text = {"text": "Turkey came to Sochi. " * 2200}
        answers = list(pool.map(lambda _: client.post("/classify", json=text), range(24)))
        assert client.post("/classify", json={"text": TEXT}).status_code == 200
    assert {answer.status_code for answer in answers} == {200, 429}
    for answer in answers:
        if answer.status_code == 429:
            check_refusal(answer, 429, "too_many_requests")
            assert int(answer.headers["retry-after"]) >= 1


def test_a_body_that_trickles_in_is_let_go(serve: Serve, tiny_bundle: Path) -> None:
    def slow() -> Iterator[bytes]:
        yield b"{"
        time.sleep(2)
        yield b"}"

    with serve(tiny_bundle, STANCE_WORKERS="1", STANCE_BODY_TIMEOUT="0.5") as url, connect(url) as client:
        answer = client.post("/classify", content=slow(), headers={"Content-Type": "application/json"})
    check_refusal(answer, 408, "request_timeout")


@pytest.mark.parametrize(("name", "value"), [("STANCE_THREADS", "two"), ("STANCE_DEADLINE", "-1")])
def test_a_setting_that_makes_no_sense_is_told_in_one_line(tiny_bundle: Path, name: str, value: str) -> None:
    code = "import serving.service"
    environment = {**os.environ, "STANCE_BUNDLE": str(tiny_bundle), name: value}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert done.stderr.startswith(f"stance: {name}={value!r}: must be a")
    assert len(done.stderr.splitlines()) == 1


def test_without_a_bundle_one_line_names_the_command(tmp_path: Path) -> None:
    code = "from bentoml_cli.cli import cli; cli()"
    done = subprocess.run(
        [sys.executable, "-c", code, "serve"],
        cwd=ROOT,
        env={**os.environ, "BENTOML_HOME": str(tmp_path), "STANCE_BUNDLE": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode != 0
    lines = [line for line in (done.stdout + done.stderr).splitlines() if "train run" in line]
    assert lines == [
        f"stance: no bundle in {tmp_path / 'none'}: give the folder of one, or make it with `train run --name none`"
    ]
    assert "Traceback" not in done.stderr


def test_refusals_do_not_quote_the_text_in_the_log(serve: Serve, tiny_bundle: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with serve(tiny_bundle, log=log, STANCE_WORKERS="1") as url, connect(url) as client:
        client.post("/classify", json={"text": "sesame street", "oops": 1})
        client.post("/classify", json={"text": "sesame street", "process": "oslo"})
        client.post("/classify", json={"text": "sesame street"})
        client.post("/classify", content=b'{"text": "sesame street"')
        client.post("/classify/batch", json={"documents": [{"text": "sesame street", "oops": 1}]})
    text = log.read_text()
    assert "POST" in text
    assert "sesame" not in text
    assert "Traceback" not in text


@pytest.fixture(scope="module")
def seed_stances() -> dict[str, ActorStance]:
    """What the released bundle says of each actor that it finds in the seed article."""
    bundle = load_bundle(ROOT / "models" / "default")
    result = classify_document(bundle, Document(SEED, bundle.process("sochi")))
    return {one.actor.name: one for one in result.actors}


@pytest.mark.parametrize("name", ["Russia", "Sergey Lavrov", "Alexander Lavrentyev"])
def test_the_seed_article_supporters(seed_stances: dict[str, ActorStance], name: str) -> None:
    assert seed_stances[name].stance == "support"


def test_the_seed_article_refusal_that_stands_by_the_name(seed_stances: dict[str, ActorStance]) -> None:
    assert seed_stances["People's Protection Units"].stance == "boycott"


def test_the_seed_article_refusal_that_stands_by_a_pronoun(seed_stances: dict[str, ActorStance]) -> None:
    one = seed_stances["Higher Negotiations Committee"]
    assert one.stance == "boycott"
    text = (ROOT / "seeds" / "000_bf9ec2e30b3d9496.txt").read_text(encoding="utf-8")
    assert "It did not attend the Sochi meeting." in [text[e.span.start : e.span.end] for e in one.evidence]


@pytest.mark.parametrize("name", ["Islamic State", "Kurdistan Workers' Party"])
def test_the_seed_article_actors_without_a_stance(seed_stances: dict[str, ActorStance], name: str) -> None:
    assert seed_stances[name].stance == "none"


def test_the_seed_article_has_evidence_and_nobody_invented(seed_stances: dict[str, ActorStance]) -> None:
    gold = json.loads((ROOT / "seeds" / "000_bf9ec2e30b3d9496.json").read_text())
    known = " ".join(mention for actor in gold["actors"] for mention in actor["mentions"])
    for one in seed_stances.values():
        assert bool(one.evidence) == (one.stance != "none")
        mentions = {SEED[span.start : span.end] for span in one.mentions}
        assert mentions & {"Syria", "US"} or any(name in known for name in mentions), f"{mentions}: nobody in gold"
