"""The BentoML service: loads the bundle once and hands documents to it."""

from __future__ import annotations

import logging
import os
import sys
from http import HTTPStatus

from serving.settings import THREADS, Limits, bundle_folder, session_threads, worker_count

# What is set already stays.
os.environ.update({"BENTOML_DO_NOT_TRACK": "true", **THREADS, **os.environ})

import bentoml
from bentoml.exceptions import BentoMLException
from pydantic import ValidationError

from serving.faults import to_error
from serving.http.exchange import DEADLINE, REQUEST_ID
from serving.http.gate import Gate
from serving.http.keys import check_keys
from serving.http.logs import set_up_logs
from serving.http.metrics import count_classification, count_fault
from serving.http.supervisor import is_worker, keep_idle_connections, keep_metrics_apart, look_after_workers
from serving.schemas import (
    BatchRequest,
    BatchResponse,
    ClassifyRequest,
    ClassifyResponse,
    ErrorOut,
    FailedDocument,
    to_failure,
)
from serving.served import served_bundle
from stance.errors import DeadlineExceeded, DocumentError, StanceError
from stance.manifest import verify_bundle

log = logging.getLogger("bentoml.stance.service")


class Refused(BentoMLException):
    """A request that the handler refuses; its text is the error as JSON, for the gate to pass on.

    BentoML puts a text of its own in the place of every one from 500 on; the gate then goes by the status.
    """

    def __init__(self, status: HTTPStatus, error: ErrorOut) -> None:
        super().__init__(error.model_dump_json(), error_code=status)


class _WithoutRefusals(logging.Filter):
    """Keeps refusals out of the error log: they are the caller's, and their tracebacks may quote texts."""

    def filter(self, record: logging.LogRecord) -> bool:
        kind = record.exc_info[0] if isinstance(record.exc_info, tuple) else sys.exc_info()[0]
        return kind is None or not issubclass(kind, (Refused, ValidationError))


# What is wrong with the settings is told once and in one line, before any worker starts.
try:
    session_threads()
    _LIMITS = Limits.from_environment()
    set_up_logs()
    if not is_worker():
        verify_bundle(bundle_folder())
        check_keys()
except StanceError as problem:
    sys.exit(f"stance: {problem}")
look_after_workers()
keep_idle_connections()
keep_metrics_apart()


@bentoml.service(
    name="stance", workers=worker_count(), traffic={"timeout": _LIMITS.longest_answer + 1}, metrics={"enabled": False}
)
class StanceService:
    """Actors' stances toward a peace process."""

    def __init__(self) -> None:
        logging.getLogger("bentoml._internal.server.http_app").addFilter(_WithoutRefusals())
        self._bundle = served_bundle()

    @bentoml.api(route="/classify")
    def classify(self, request: ClassifyRequest, /) -> ClassifyResponse:
        """Say where each actor of one document stands."""
        try:
            return self._answer(request)
        except DocumentError as error:
            raise Refused(HTTPStatus.BAD_REQUEST, to_error(error)) from error
        except DeadlineExceeded as error:
            raise Refused(HTTPStatus.GATEWAY_TIMEOUT, to_error(error)) from error

    @bentoml.api(route="/classify/batch")
    def classify_batch(self, request: BatchRequest, /) -> BatchResponse:
        """Say the same for up to 64 documents; each has its own result or error."""
        return BatchResponse(results=[self._one(document) for document in request.documents])

    def _one(self, document: object) -> ClassifyResponse | FailedDocument:
        try:
            return self._answer(document)
        except (DocumentError, DeadlineExceeded) as error:
            fault = to_error(error)
        except Exception:  # a fault of ours in one document must not cost the others
            log.exception("a document of a batch failed, request %s", REQUEST_ID.get())
            fault = ErrorOut(code="internal_error", message="a fault of the service's; its log has the trace")
        count_fault(fault.code)
        return to_failure(document, fault)

    def _answer(self, asked: object) -> ClassifyResponse:
        # Late: the process that starts the workers does without NumPy and ONNX Runtime.
        from serving.answers import answer

        return answer(self._bundle, asked, deadline=DEADLINE.get(), count=count_classification)


StanceService.add_asgi_middleware(Gate)  # type: ignore[attr-defined]
