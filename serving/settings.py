"""All that the service takes from its environment."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent


def bundle_folder() -> Path:
    """The bundle to serve: what ``STANCE_BUNDLE`` names, else ``models/default`` beside this package."""
    return Path(os.environ.get("STANCE_BUNDLE") or _ROOT / "models" / "default")


def session_threads() -> int:
    """Threads of the model: what ``STANCE_THREADS`` says, else one a core (0).

    Raises:
        ValueError: if it says no number.
    """
    text = os.environ.get("STANCE_THREADS", "0")
    if not text.isdecimal():
        raise ValueError(f"STANCE_THREADS={text!r}: must be a number of threads; 0 takes one a core")
    return int(text)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one worker, each to be set by an environment variable.

    Attributes:
        max_body: bytes of a /classify body.
        max_batch_body: bytes of a /classify/batch body.
        max_pending: bytes of bodies taken in and not yet answered; more is refused with 429.
        deadline: seconds from a body's arrival to its answer; a batch answers what it has by then.
        body_timeout: seconds that a body may take to arrive.
    """

    max_body: int = 1 << 20
    max_batch_body: int = 20 << 20
    max_pending: int = 64 << 20
    deadline: float = 30.0
    body_timeout: float = 10.0

    @classmethod
    def from_environment(cls) -> Limits:
        """Read the variables ``STANCE_MAX_BODY``, ``_MAX_BATCH_BODY``, and so on, one for each attribute.

        Raises:
            ValueError: if one of them is not a positive number.
        """
        default = cls()
        return cls(
            max_body=int(_positive("STANCE_MAX_BODY", default.max_body)),
            max_batch_body=int(_positive("STANCE_MAX_BATCH_BODY", default.max_batch_body)),
            max_pending=int(_positive("STANCE_MAX_PENDING", default.max_pending)),
            deadline=_positive("STANCE_DEADLINE", default.deadline),
            body_timeout=_positive("STANCE_BODY_TIMEOUT", default.body_timeout),
        )


def _positive(name: str, default: float) -> float:
    text = os.environ.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (0 < value < math.inf):
        raise ValueError(f"{name}={text!r}: must be a positive number; the default is {default:g}")
    return value
