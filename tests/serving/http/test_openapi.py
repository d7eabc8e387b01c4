"""The OpenAPI document and the page made from it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from jsonschema import Draft202012Validator

from serving.http.docs import load_docs, render_docs
from serving.http.examples import ANSWER, REQUEST
from serving.http.openapi import build_openapi
from serving.http.responses import CODES, POLICY
from serving.schemas import ErrorOut, WarningOut
from stance.schema import LABELS

TEXT = "Turkey will come to Sochi. The Higher Negotiations Committee will not."


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return build_openapi(has_keys=False)


def schema(document: dict[str, Any], name: str) -> Draft202012Validator:
    """A validator of one of the document's schemas."""
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": document["components"]})


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    names = set(re.findall(r'"#/components/schemas/(\w+)"', str(document).replace("'", '"')))
    assert {"ClassifyRequest", "ErrorResponse", "NamedActor", "BundleOut"} <= names
    assert names <= set(document["components"]["schemas"])
    for one in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(one)


def test_the_documents_of_a_batch_are_what_classify_takes(document: dict[str, Any]) -> None:
    documents = document["components"]["schemas"]["BatchRequest"]["properties"]["documents"]
    assert documents["items"] == {"$ref": "#/components/schemas/ClassifyRequest"}
    batch = schema(document, "BatchRequest")
    assert batch.is_valid({"documents": [{"text": TEXT, "actors": ["HNC", {"name": "x"}]}]})
    assert not batch.is_valid({"documents": [{"text": TEXT, "lang": "en"}]})
    assert not batch.is_valid({"documents": []})


def test_every_refusal_has_our_shape(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            for status, response in operation["responses"].items():
                if status != "200":
                    assert int(status) in CODES, path
                    assert response["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorResponse")


def test_the_examples_hold(document: dict[str, Any]) -> None:
    shown = []
    for methods in document["paths"].values():
        for operation in methods.values():
            for part in (operation.get("requestBody", {}), *operation["responses"].values()):
                content = part.get("content", {}).get("application/json")
                if content:
                    shown.append(content["schema"]["$ref"].rsplit("/", 1)[1])
                    schema(document, shown[-1]).validate(content["example"])
    assert {"ClassifyRequest", "ClassifyResponse", "BatchResponse", "ProcessesOut", "ErrorResponse"} <= set(shown)
    actors = document["paths"]["/classify"]["post"]["responses"]["200"]["content"]["application/json"]["example"][
        "actors"
    ]
    text = document["paths"]["/classify"]["post"]["requestBody"]["content"]["application/json"]["example"]["text"]
    for place in [place for actor in actors for place in (*actor["mentions"], *actor["evidence"])]:
        assert text[place["start"] : place["end"]] == place["text"]


def test_what_has_a_list_of_values_has_a_name(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["Stance"]["enum"] == list(LABELS)
    assert schemas["ActorOut"]["properties"]["stance"] == {"$ref": "#/components/schemas/Stance"}
    assert schemas["ActorOut"]["properties"]["plausible"]["items"] == {"$ref": "#/components/schemas/Stance"}
    assert schemas["ErrorOut"]["properties"]["code"] == {"$ref": "#/components/schemas/ErrorCode"}
    assert schemas["WarningOut"]["properties"]["code"] == {"$ref": "#/components/schemas/WarningCode"}
    assert schemas["Probabilities"]["required"] == list(LABELS)
    assert all("description" in one for one in schemas["ClassifyRequest"]["properties"].values() if "$ref" not in one)
    assert str(document).count("'enum'") == 3


def test_the_codes_are_those_that_are_documented(document: dict[str, Any]) -> None:
    told = (Path(__file__).resolve().parents[3] / "docs" / "api.md").read_text(encoding="utf-8")
    schemas = document["components"]["schemas"]
    warnings = re.findall(r"^\| `(\w+)` \|", told.split("| warning |")[1].split("## ")[0], re.MULTILINE)
    assert sorted(warnings) == sorted(schemas["WarningCode"]["enum"])
    rows = re.findall(r"^\| \d{3} \| (.+?) \|", told.split("## Refusals")[1].split("## ")[0], re.MULTILINE)
    assert re.findall(r"`(\w+)`", " ".join(rows)) == schemas["ErrorCode"]["enum"]
    assert set(CODES.values()) - {"client_went_away"} <= set(schemas["ErrorCode"]["enum"])


def test_an_older_client_takes_a_code_that_it_does_not_know() -> None:
    assert WarningOut(code="some_day", message="x").code == "some_day"
    assert ErrorOut(code="some_day", message="x").code == "some_day"


def test_keys_are_asked_for_where_they_are_set() -> None:
    assert {} in build_openapi(has_keys=False)["security"]
    closed = build_openapi(has_keys=True)
    assert {} not in closed["security"]
    assert closed["paths"]["/livez"]["get"]["security"] == [{}]


def test_the_page_asks_nothing_of_any_other_host(document: dict[str, Any]) -> None:
    html = render_docs(document)
    assert "://" not in html
    assert not re.search(r"<script|<style|style=|\bon\w+=", html)
    links = re.findall(r'(?:href|src)="([^"]+)"', html)
    assert {"page/style.css", "page/docs.css", "docs.json", "#ClassifyRequest"} <= set(links)
    ids = {f"#{one}" for one in re.findall(r'id="([^"]+)"', html)}
    assert {one for one in links if one.startswith("#")} <= ids


def test_what_stands_in_the_document_is_never_markup(document: dict[str, Any]) -> None:
    bad = {**document, "info": {**document["info"], "description": "<script>alert(1)</script>"}}
    assert "<script" not in render_docs(bad)


def test_both_are_served_under_the_policy(page_url: str, document: dict[str, Any]) -> None:
    page = httpx.get(f"{page_url}docs", timeout=60)
    assert page.text == render_docs(document)
    assert page.headers["content-security-policy"] == POLICY
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert httpx.get(f"{page_url}docs.json", timeout=60).json() == document
    assert httpx.post(f"{page_url}docs.json", timeout=60).status_code == 405
    assert set(load_docs(has_keys=False)) == {"/docs", "/docs.json"}


def test_the_example_of_an_answer_is_a_real_one_but_for_its_numbers(page_url: str) -> None:
    real = httpx.post(f"{page_url}classify", json=REQUEST, timeout=60).json()
    shown = ANSWER.model_dump()
    for answer in (real, shown):
        del answer["model"]
        for actor in answer["actors"]:
            del actor["probabilities"]
    assert shown == real


def test_real_answers_hold_to_it(page_url: str, document: dict[str, Any]) -> None:
    asked = {"documents": [{"text": TEXT, "actors": ["HNC", "Nobody"]}, {"text": "", "id": "b"}]}
    batch = httpx.post(f"{page_url}classify/batch", json=asked, timeout=60).json()
    schema(document, "BatchResponse").validate(batch)
    schema(document, "ClassifyResponse").validate(batch["results"][0])
    schema(document, "ErrorResponse").validate(batch["results"][1])
    schema(document, "ErrorResponse").validate(httpx.get(f"{page_url}nope", timeout=60).json())
    schema(document, "ProcessesOut").validate(httpx.get(f"{page_url}processes", timeout=60).json())
    schema(document, "VersionOut").validate(httpx.get(f"{page_url}version", timeout=60).json())
