"""What is known of BentoML's processes: one that starts the workers, and the workers.

`bentoml serve` looks after its workers every ten seconds and has no setting for it. What is changed here is private to
BentoML 1.4: where another version has no such function, its own pace holds.
"""

from __future__ import annotations

import functools
import importlib
import sys
from contextlib import suppress

#: Seconds between two looks at the workers.
CHECK_SECONDS = 1


def is_worker() -> bool:
    """Whether this process is one of the workers that `bentoml serve` started."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    return spec is not None and spec.name == "_bentoml_impl.worker.service"


def look_often() -> None:
    """Have `bentoml serve`, once it has loaded the service in this process, look after its workers every second."""
    with suppress(ImportError, AttributeError):
        circus = importlib.import_module("bentoml._internal.utils.circus")
        start = functools.partial(circus.create_standalone_arbiter, check_delay=CHECK_SECONDS)
        circus.create_standalone_arbiter = start  # type: ignore[attr-defined]
