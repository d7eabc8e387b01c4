"""The log: one line for each request, as text or as JSON. No line has a text, a path that we do not know, or a key."""

from __future__ import annotations

import json
import logging
import os
import traceback
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from serving.http.exchange import REQUEST_ID
from stance.errors import SettingError

VARIABLE = "STANCE_LOG_FORMAT"
FORMATS = ("text", "json")
#: Asked for every few seconds by machines; told only if they fail.
_QUIET = ("/livez", "/readyz", "/metrics")
#: BentoML's loggers with handlers of their own, and the root.
_LOGGERS = ("bentoml", "uvicorn.error", "circus", "")

log = logging.getLogger("bentoml.stance")


@dataclass(frozen=True, slots=True)
class Served:
    """One request as the log tells it.

    Attributes:
        path: one of the known paths, ``/`` for the page's files, or ``unknown``.
        key: the name of the API key, where keys are set.
    """

    method: str
    path: str
    status: int
    milliseconds: float
    key: str | None = None


def log_format() -> str:
    """``text`` or ``json``, as ``STANCE_LOG_FORMAT`` says.

    Raises:
        SettingError: if it says anything else.
    """
    name = os.environ.get(VARIABLE) or FORMATS[0]
    if name not in FORMATS:
        raise SettingError(f"{VARIABLE}={name!r}: must be a format, one of: {', '.join(FORMATS)}")
    return name


def set_up_logs() -> None:
    """Give every handler the format that is asked for; BentoML's own line for each request gives way to ours.

    Raises:
        SettingError: as :func:`log_format`.
    """
    logging.getLogger("bentoml.access").disabled = True
    if log_format() == "json":
        from bentoml._internal.log import SERVER_LOGGING_CONFIG

        # The process that watches the workers sets its handlers up once more, from this.
        SERVER_LOGGING_CONFIG["formatters"]["traced"] = {"()": JsonFormatter}
        for logger in map(logging.getLogger, _LOGGERS):
            # A logger with handlers of its own says nothing twice.
            logger.propagate = not logger.handlers
            for handler in logger.handlers:
                handler.setFormatter(JsonFormatter())


def log_request(served: Served) -> None:
    """One line for a request that was answered."""
    level = logging.DEBUG if served.path in _QUIET and served.status < 400 else logging.INFO
    log.log(
        level,
        "%s %s %d in %.1f ms, key %s, request %s",
        served.method,
        served.path,
        served.status,
        served.milliseconds,
        served.key or "-",
        REQUEST_ID.get(),
        extra={"served": asdict(served)},
    )


class JsonFormatter(logging.Formatter):
    """One JSON object a line. Of an exception it tells the type and the place, not the words: they may quote a text."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        served = record.__dict__.get("served")
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": "request" if served else record.getMessage(),
            "request_id": REQUEST_ID.get(),
            **(served or {}),
        }
        if record.exc_info and record.exc_info[0]:
            line["exception"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])
            line["where"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        return json.dumps(line, ensure_ascii=False)
