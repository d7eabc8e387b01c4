"""What is known of BentoML's processes: one that starts the workers, and the workers.

`bentoml serve` looks after its workers every ten seconds, keeps all metrics in one folder, and has no settings for it;
its setting of how long an idle connection is kept is an option of the command line alone, with a default too short.
What is changed here is private to BentoML 1.4: where another version has no such function, its own way holds.
"""

from __future__ import annotations

import atexit
import fcntl
import importlib
import logging
import os
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

log = logging.getLogger("bentoml.stance.service")

#: Seconds between two looks at the workers.
CHECK_SECONDS = 1
#: Seconds that an idle connection is kept: longer than proxies do, which else send requests into one being closed.
IDLE_SECONDS = 75
_MEMORY, _PREFIX = Path("/dev/shm"), "stance-metrics-"
#: Bytes that must be free there: a worker takes some hundred thousand.
_ROOM = 16 << 20


def is_worker() -> bool:
    """Whether this process is one of the workers that `bentoml serve` started."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec is not None and spec.name == "_bentoml_impl.worker.service"


def look_after_workers() -> None:
    """Have `bentoml serve`, once it has loaded the service in this process, look after its workers in our way.

    It looks every second, the log tells of each worker that has ended unasked, and of several another is started in its
    place: by itself BentoML starts none in a container, where the service shrinks until its last worker is gone. One
    that is alone there ends the container, for the orchestrator to start anew. Asked to end, it first closes the
    socket: who comes while the workers finish what they have is refused, and does not wait for nobody.
    """
    with suppress(ImportError, AttributeError):
        circus = importlib.import_module("bentoml._internal.utils.circus")
        own = circus.create_standalone_arbiter

        def create(watchers: Any, **more: Any) -> Any:
            for watcher in watchers:
                with suppress(AttributeError):
                    watcher.hooks["after_reap"] = _tell_end
                    watcher.respawn |= watcher.numprocesses > 1
            arbiter = own(watchers, **{"check_delay": CHECK_SECONDS, **more})
            with suppress(AttributeError):
                arbiter.exit_stack.callback(arbiter.sockets.close_all)
            return arbiter

        circus.create_standalone_arbiter = create  # type: ignore[attr-defined]


def _tell_end(watcher: Any, process_pid: int, exit_code: int | None, **_: object) -> bool:
    """Circus calls it for each process that has ended; a negative code is the signal that ended it."""
    if watcher.is_stopping() or watcher.is_stopped():
        return True
    how = f"exit code {exit_code}"
    if exit_code is not None and exit_code < 0:
        how = f"signal {-exit_code} ({signal.strsignal(-exit_code)})"
    then = "another is started" if watcher.respawn else "the service ends, as it had but one"
    log.warning("worker %d ended with %s; %s", process_pid, how, then)
    return True


def keep_idle_connections() -> None:
    """Have `bentoml serve` keep idle connections longer, unless its option ``--timeout-keep-alive`` says how long."""
    with suppress(ImportError, AttributeError):
        serving = importlib.import_module("bentoml.serving")
        own = serving.construct_timeouts_args

        def construct(timeout_keep_alive: int | None = None, **more: object) -> object:
            return own(timeout_keep_alive=timeout_keep_alive or IDLE_SECONDS, **more)

        serving.construct_timeouts_args = construct  # type: ignore[attr-defined]


def keep_metrics_apart() -> None:
    """Have `bentoml serve` give each start a folder of its own for the metrics, in memory where the system has it.

    BentoML has one below ``BENTOML_HOME`` that each start wipes, even one that then finds its port taken; and on a full
    disk a worker that counts is killed.
    """
    with suppress(ImportError):
        serving = importlib.import_module("bentoml.serving")
        serving.ensure_prometheus_dir = _make_folder  # type: ignore[attr-defined]


def _make_folder(**_: object) -> str:
    """An empty folder, gone when this process ends; those that killed ones left behind go now, but for empty ones."""
    parent = _MEMORY if _has_room(_MEMORY) else Path(tempfile.gettempdir())
    for left in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError):  # in use, or another user's
            _remove_left(left)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
    with suppress(OSError):  # a file system without locks: what is left there stays
        os.set_inheritable(_lock(folder), True)  # by the workers: it holds as long as one of them lives
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return str(folder)


def _has_room(folder: Path) -> bool:
    return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free >= _ROOM


def _remove_left(folder: Path) -> None:
    """Remove a folder, unless a process still has it locked.

    Raises:
        OSError: if one has.
    """
    if any(folder.iterdir()):  # an empty one may be about to be locked
        lock = _lock(folder)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _lock(folder: Path) -> int:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
