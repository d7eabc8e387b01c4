"""All that the service takes from its environment."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stance.errors import SettingError

#: What the environment must hold before NumPy is imported: the model's threads are as many as there should be, and
#: NumPy's own, idle or not, fight them for the cores.
THREADS: Mapping[str, str] = {"OPENBLAS_NUM_THREADS": "1"}
_ROOT = Path(__file__).resolve().parent.parent
#: Seconds past the deadline after which the gate answers in the handler's place.
GRACE = 5.0
#: Workers at most where nothing says how many: each holds the model.
MOST_WORKERS = 4


def bundle_folder() -> Path:
    """The bundle to serve: what ``STANCE_BUNDLE`` names, else ``models/default`` beside this package."""
    return Path(os.environ.get("STANCE_BUNDLE") or _ROOT / "models" / "default")


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def default_workers() -> int:
    """Workers where nothing says how many: one a core, at most ``MOST_WORKERS``.

    One with more threads answers a request alone sooner, but several answer more in all (benchmarks/load.py threads).
    """
    return min(cores(), MOST_WORKERS)


def share_of_cores(workers: int) -> int:
    """Cores of each of so many workers, at least one."""
    return max(1, cores() // workers)


def worker_count() -> int:
    """Processes that each hold the model: what ``STANCE_WORKERS`` says, else :func:`default_workers`.

    Raises:
        SettingError: if it says no number above 0.
    """
    return _count("STANCE_WORKERS", default_workers(), least=1)


def session_threads() -> int:
    """Threads of one worker's model: what ``STANCE_THREADS`` says, at most its share of the cores; 0 takes that.

    Raises:
        SettingError: if it says no number.
    """
    return _threads(share_of_cores(worker_count()))


def lone_threads() -> int:
    """Threads of a model that no other process shares the cores with: what ``STANCE_THREADS`` says, at most all cores.

    ``STANCE_WORKERS``, which is the service's, does not count; 0 takes all cores.

    Raises:
        SettingError: if it says no number.
    """
    return _threads(cores())


def _threads(most: int) -> int:
    return min(_count("STANCE_THREADS", 0, least=0) or most, most)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one worker, each to be set by an environment variable.

    Attributes:
        max_body: bytes of a /classify body.
        max_batch_body: bytes of a /classify/batch body.
        max_pending: bytes of bodies taken in and not yet answered; more is refused with 429. And bytes of answers
            not yet taken; past them the one that waits longest is given up.
        max_wait: seconds that the work before a request may take, as estimated; behind more it is refused with 429.
        deadline: seconds from a body's arrival to its answer; a batch answers what it has by then.
        body_timeout: seconds that a body may take to arrive, and the head before it.
    """

    max_body: int = 1 << 20
    max_batch_body: int = 20 << 20
    max_pending: int = 64 << 20
    max_wait: float = 1.0
    deadline: float = 30.0
    body_timeout: float = 10.0

    @property
    def longest_answer(self) -> float:
        """Seconds from a request's head to its answer, at most.

        BentoML keeps some kilobytes of every request, answered or not, until its own time limit has passed: that limit
        must be little longer than this.
        """
        return self.body_timeout + self.deadline + GRACE

    @classmethod
    def from_environment(cls) -> Limits:
        """Read the variables ``STANCE_MAX_BODY``, ``_MAX_BATCH_BODY``, and so on, one for each attribute.

        Raises:
            SettingError: if one of them is not a positive number, or a size no whole one.
        """
        default = cls()
        return cls(
            max_body=_count("STANCE_MAX_BODY", default.max_body, least=1),
            max_batch_body=_count("STANCE_MAX_BATCH_BODY", default.max_batch_body, least=1),
            max_pending=_count("STANCE_MAX_PENDING", default.max_pending, least=1),
            max_wait=_positive("STANCE_MAX_WAIT", default.max_wait),
            deadline=_positive("STANCE_DEADLINE", default.deadline),
            body_timeout=_positive("STANCE_BODY_TIMEOUT", default.body_timeout),
        )


def _count(name: str, default: int, *, least: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdecimal() or int(text) < least:
        raise SettingError(f"{name}={text!r}: must be a whole number of at least {least}; the default is {default}")
    return int(text)


def _positive(name: str, default: float) -> float:
    text = os.environ.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (0 < value < math.inf):
        raise SettingError(f"{name}={text!r}: must be a positive number; the default is {default:g}")
    return value
