"""From the fields of a document to its answer, as /classify gives it; terminal and batches take this way."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import ValidationError

from serving.faults import explain
from serving.schemas import ClassifyRequest, ClassifyResponse, to_response
from stance.bundle import Bundle
from stance.classify import classify_document
from stance.errors import DocumentError


def answer(bundle: Bundle, fields: Mapping[str, object]) -> ClassifyResponse:
    """Classify a document given by the fields of a /classify request.

    Raises:
        DocumentError: if the fields do not hold to the contract, or the document cannot be classified.
    """
    try:
        request = ClassifyRequest.model_validate(fields)
    except ValidationError as error:
        fault = explain(error)
        raise DocumentError(fault.message, code=fault.code, field=fault.field) from error
    return to_response(bundle, classify_document(bundle, request.to_document(bundle)))


def process_field(bundle: Bundle, process: str) -> object:
    """What a request's ``process`` is for a known key, or else for the name of a process of one's own."""
    return process if process in bundle.processes else {"name": process}


def split_names(values: Iterable[str]) -> list[str]:
    """Names from texts that hold several, with semicolons between."""
    return [name.strip() for value in values for name in value.split(";") if name.strip()]
