"""The OpenAPI document, made from the schemas. BentoML's own tells of error shapes that nobody here gets to see."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from serving.http import examples
from serving.http.exchange import REQUEST_ID_HEADER
from serving.schemas import (
    BatchRequest,
    BatchResponse,
    ClassifyRequest,
    ClassifyResponse,
    ErrorResponse,
    ProcessesOut,
    VersionOut,
)
from stance import __version__

_INPUTS = (ClassifyRequest, BatchRequest)
_OUTPUTS = (ClassifyResponse, BatchResponse, ErrorResponse, ProcessesOut, VersionOut)
_REF = "#/components/schemas/{model}"
#: What is said of each refusal that a classification can get.
REFUSALS = {
    400: "Malformed or invalid: the error's field names the part at fault.",
    401: "No key, or an unknown one; only where keys are set.",
    405: "The path does not take this method.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The content type is not application/json.",
    429: "The queue is full; Retry-After says when to come again, in seconds.",
    500: "A fault of the service's; its log has the trace under the request's id.",
    503: "Not ready yet.",
    504: "Not done within the deadline; send less text at once.",
}
_GET_REFUSALS = (401, 405)


def build_openapi(*, has_keys: bool) -> dict[str, Any]:
    """The document, OpenAPI 3.1.

    Args:
        has_keys: whether requests need an API key; if not, one is merely allowed.
    """
    _, inputs = models_json_schema([(one, "validation") for one in _INPUTS], ref_template=_REF)
    _, outputs = models_json_schema([(one, "serialization") for one in _OUTPUTS], ref_template=_REF)
    # The model leaves each document open, so that a bad one costs the others nothing.
    documents = inputs["$defs"][BatchRequest.__name__]["properties"]["documents"]
    documents["items"] = {"$ref": _REF.format(model=ClassifyRequest.__name__)}
    ways: list[dict[str, list[str]]] = [{"bearer": []}, {"basic": []}]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "stance",
            "version": __version__,
            "description": "Where each actor of a news text stands toward a peace process.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": _paths(),
        "security": ways if has_keys else [{}, *ways],
        "components": {
            "schemas": {**inputs["$defs"], **outputs["$defs"]},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic", "description": "The key is the password."},
            },
        },
    }


def _paths() -> dict[str, Any]:
    return {
        "/classify": {
            "post": _classification(
                "classify",
                "Say where each actor of one document stands.",
                _json(ClassifyRequest, example=examples.REQUEST),
                _answer(examples.ANSWER),
            )
        },
        "/classify/batch": {
            "post": _classification(
                "classify_batch",
                "Say the same for up to 64 documents; each has its own result or error, in order.",
                _json(BatchRequest, example=examples.BATCH_REQUEST),
                _answer(examples.BATCH_ANSWER),
            )
        },
        "/processes": {"get": _look("processes", "The processes known by key.", _answer(examples.PROCESSES))},
        "/version": {"get": _look("version", "Package and bundle.", _answer(examples.VERSION))},
        "/metrics": {
            "get": _look("metrics", "Metrics for Prometheus.", {"text/plain": {"schema": {"type": "string"}}})
        },
        "/livez": {"get": _probe("livez", "Whether the process lives.")},
        "/readyz": {"get": _probe("readyz", "Whether it takes requests.")},
    }


def _classification(name: str, summary: str, asked: dict[str, Any], answered: dict[str, Any]) -> dict[str, Any]:
    return {
        "operationId": name,
        "summary": summary,
        "requestBody": {"required": True, "content": asked},
        "responses": {"200": _response("Done.", answered), **_refusals(*REFUSALS)},
    }


def _look(name: str, summary: str, content: dict[str, Any]) -> dict[str, Any]:
    responses = {"200": _response("As asked.", content), **_refusals(*_GET_REFUSALS)}
    return {"operationId": name, "summary": summary, "responses": responses}


def _probe(name: str, summary: str) -> dict[str, Any]:
    responses = {"200": _response("Yes.", {}), **_refusals(405, 503)}
    return {"operationId": name, "summary": summary, "security": [{}], "responses": responses}


def _refusals(*statuses: int) -> dict[str, Any]:
    return {str(status): _refusal(status) for status in statuses}


def _refusal(status: int) -> dict[str, Any]:
    response = _response(REFUSALS[status], _answer(examples.refusal(status, REFUSALS[status])))
    more = {401: ("WWW-Authenticate", "string"), 405: ("Allow", "string"), 429: ("Retry-After", "integer")}
    if status in more:
        name, kind = more[status]
        response["headers"][name] = {"required": True, "schema": {"type": kind}}
    return response


def _response(description: str, content: dict[str, Any]) -> dict[str, Any]:
    told = {"description": "The caller's, or a new one.", "required": True, "schema": {"type": "string"}}
    return {
        "description": description,
        "headers": {REQUEST_ID_HEADER: told},
        **({"content": content} if content else {}),
    }


def _json(model: type, **more: object) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REF.format(model=model.__name__)}, **more}}


def _answer(example: BaseModel) -> dict[str, Any]:
    return _json(type(example), example=example.model_dump(mode="json"))


def phrase(status: str) -> str:
    """A status with its name, such as ``404 Not Found``."""
    return f"{status} {HTTPStatus(int(status)).phrase}"
