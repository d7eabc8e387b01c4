"""From a request to its answer, as /classify gives it; service, terminal and batches take this way."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pydantic import ValidationError

from serving.faults import explain
from serving.schemas import ClassifyRequest, ClassifyResponse, to_response
from stance.bundle import Bundle
from stance.classify import classify_document
from stance.deadline import Deadline
from stance.errors import DocumentError
from stance.schema import Classification, Process


def answer(
    bundle: Bundle,
    asked: object,
    *,
    deadline: Deadline | None = None,
    count: Callable[[Classification], None] = lambda result: None,
) -> ClassifyResponse:
    """Classify a document.

    Args:
        asked: a request, or the fields of one.
        deadline: when the work stops.
        count: is given what was read.

    Raises:
        DocumentError: if the fields do not hold to the contract, or the document cannot be classified.
        DeadlineExceeded: if the deadline passed.
    """
    try:
        request = ClassifyRequest.model_validate(asked)
    except ValidationError as error:
        fault = explain(error)
        raise DocumentError(fault.message, code=fault.code, field=fault.field) from error
    result = classify_document(bundle, request.to_document(bundle), deadline=deadline)
    count(result)
    return to_response(bundle, result)


def process_field(bundle: Bundle, process: str) -> object:
    """What a request's ``process`` is for a known key, or else for the name of a process of one's own."""
    return process if process in bundle.processes else {"name": process}


def find_key(processes: Iterable[Process], name: str) -> str | None:
    """The key of the known process of this name, in any case, with an article or without; ``None`` if there is none.

    Args:
        name: a key, a canonical name or an alias.
    """
    known = ((one.key, spelling) for one in processes for spelling in (one.key, one.name, *one.aliases))
    return next((key for key, spelling in known if _fold(spelling) == _fold(name)), None)


def _fold(name: str) -> str:
    return name.strip().casefold().removeprefix("the ")


def split_names(values: Iterable[str]) -> list[str]:
    """Names from texts that hold several, with semicolons between."""
    return [name.strip() for value in values for name in value.split(";") if name.strip()]
