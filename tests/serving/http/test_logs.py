"""Logs and metrics as a person on call reads them; and what a client that goes away leaves behind."""

from __future__ import annotations

import json
import logging
import re
import socket
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from serving.http.logs import JsonFormatter, log_format
from stance.errors import SettingError

ROOT = Path(__file__).resolve().parents[3]
TEXT = "Turkey will come to Sochi. The Higher Negotiations Committee will not. Sesame street."


def lines(log: Path, request_id: str) -> list[dict[str, object]]:
    for _ in range(100):
        found = [one for one in map(json.loads, log.read_text().splitlines()) if one["request_id"] == request_id]
        if found:
            return found
        time.sleep(0.1)
    return []


def test_every_line_is_json_and_has_the_id_of_its_request(page_url: str, page_log: Path) -> None:
    answer = httpx.post(f"{page_url}classify", json={"text": TEXT}, headers={"X-Request-ID": "a.b-1"}, timeout=60)
    assert answer.headers["x-request-id"] == "a.b-1"
    (line,) = lines(page_log, "a.b-1")
    assert (line["method"], line["path"], line["status"], line["key"]) == ("POST", "/classify", 200, None)
    assert line["milliseconds"] > 0
    assert line["level"] == "info"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", str(line["time"]))


@pytest.mark.parametrize("given", ["", "x" * 65, "a b", 'a"b', "é"])
def test_an_id_that_could_forge_a_line_is_replaced(page_url: str, page_log: Path, given: str) -> None:
    answer = httpx.get(f"{page_url}nope", headers={"X-Request-ID": given.encode()}, timeout=60)
    told = answer.headers["x-request-id"]
    assert re.fullmatch(r"[0-9a-f]{32}", told)
    assert [one["path"] for one in lines(page_log, told)] == ["unknown"]


def test_no_line_has_a_text(page_url: str, page_log: Path) -> None:
    bad = [{"text": TEXT, "oops": 1}, {"text": TEXT, "process": "oslo"}, {"text": TEXT, "actors": [5]}]
    for number, asked in enumerate(bad):
        answer = httpx.post(f"{page_url}classify", json=asked, headers={"X-Request-ID": f"bad-{number}"}, timeout=60)
        assert answer.status_code == 400
        assert lines(page_log, f"bad-{number}")[0]["status"] == 400
    httpx.post(f"{page_url}classify/batch", json={"documents": bad}, timeout=60)
    httpx.request("SESAME", f"{page_url}Sesame?text=Sesame", headers={"X-Request-ID": "odd"}, timeout=60)
    assert lines(page_log, "odd")[0]["method"] == "unknown"
    assert "esame" not in page_log.read_text()


def test_the_words_of_an_exception_are_left_out() -> None:
    try:
        raise ValueError(TEXT)
    except ValueError:
        record = logging.makeLogRecord(
            {"msg": "failed", "exc_info": __import__("sys").exc_info(), "levelname": "ERROR"}
        )
    line = json.loads(JsonFormatter().format(record))
    assert (line["exception"], line["message"]) == ("ValueError", "failed")
    assert "Sesame" not in str(line)
    assert "test_logs.py" in line["where"][0]


def test_an_unknown_format_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STANCE_LOG_FORMAT", "xml")
    with pytest.raises(SettingError, match="STANCE_LOG_FORMAT='xml': must be a format, one of: text, json"):
        log_format()


def read_metrics(url: str) -> dict[str, float]:
    """Every sample by its name and labels."""
    text = httpx.get(f"{url}metrics", timeout=60).text
    pairs = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def growth(url: str, act: Callable[[], object]) -> dict[str, float]:
    before = read_metrics(url)
    act()
    return {name: value - before.get(name, 0) for name, value in read_metrics(url).items()}


def test_the_metrics_tell_labels_confidence_tokens_and_outcomes(page_url: str) -> None:
    documents = [{"text": TEXT, "actors": ["HNC", "Turkey"]}, {"text": ""}, {"text": "x", "process": "oslo"}]
    answers: list[httpx.Response] = []
    grown = growth(
        page_url,
        lambda: answers.append(httpx.post(f"{page_url}classify/batch", json={"documents": documents}, timeout=60)),
    )
    actors = answers[0].json()["results"][0]["actors"]
    for stance in ("support", "boycott", "conditional", "none"):
        given = sum(actor["stance"] == stance for actor in actors)
        assert grown.get(f'stance_labels_total{{stance="{stance}"}}', 0) == given
    unsure = sum(actor["probabilities"][actor["stance"]] <= 0.7 for actor in actors)
    assert grown['stance_confidence_bucket{le="0.7"}'] == unsure
    assert grown["stance_confidence_count"] == 2
    assert 10 < grown["stance_tokens_total"] < 40
    outcomes = ("classified", "empty_text", "unknown_process")
    assert [grown[f'stance_documents_total{{outcome="{one}"}}'] for one in outcomes] == [1, 1, 1]
    assert read_metrics(page_url)["stance_pending_bytes"] == 0


@pytest.mark.parametrize(
    ("document", "outcome"),
    [
        ({"text": TEXT}, "classified"),
        ({"text": "x", "lang": "en"}, "invalid_request"),
        ({"text": ""}, "empty_text"),
        ({"text": "x", "process": "oslo"}, "unknown_process"),
    ],
)
def test_a_document_counts_alike_alone_and_in_a_batch(page_url: str, document: dict[str, object], outcome: str) -> None:
    for path, body in (("classify", document), ("classify/batch", {"documents": [document]})):
        grown = growth(page_url, lambda path=path, body=body: httpx.post(f"{page_url}{path}", json=body, timeout=60))
        counted = {name: value for name, value in grown.items() if name.startswith("stance_documents_total") and value}
        assert counted == {f'stance_documents_total{{outcome="{outcome}"}}': 1}


def test_a_client_that_goes_away_stops_its_work(page_url: str, page_log: Path) -> None:
    documents = [{"text": "Turkey came to Sochi. " * 2200}] * 64
    body = json.dumps({"documents": documents}).encode()
    head = f"POST /classify/batch HTTP/1.1\r\nHost: x\r\nX-Request-ID: gone\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    address = urlsplit(page_url)
    before = read_metrics(page_url)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=60) as client:
        client.sendall(head.encode() + body)
        while read_metrics(page_url)["stance_requests_in_progress"] < 1:
            time.sleep(0.1)
        time.sleep(2)
    left = time.monotonic()
    while read_metrics(page_url)["stance_requests_in_progress"] and time.monotonic() < left + 60:
        time.sleep(0.1)
    after = read_metrics(page_url)
    assert after["stance_requests_in_progress"] == after["stance_pending_bytes"] == 0
    stopped = 'stance_documents_total{outcome="deadline_exceeded"}'
    assert after[stopped] - before.get(stopped, 0) > 32, "the work went on"
    assert lines(page_log, "gone")[0]["status"] == 499


def test_a_client_that_leaves_a_body_half_sent_is_let_go(page_url: str, page_log: Path) -> None:
    head = "POST /classify HTTP/1.1\r\nHost: x\r\nX-Request-ID: half\r\nContent-Length: 99\r\n\r\n{"
    address = urlsplit(page_url)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=60) as client:
        client.sendall(head.encode())
        time.sleep(0.5)
    assert lines(page_log, "half")[0]["status"] == 499
    assert read_metrics(page_url)["stance_pending_bytes"] == 0
