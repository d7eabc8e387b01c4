"""The model that this process serves.

Only workers load one: the process that starts them does without NumPy and ONNX Runtime, which spares it a fifth of a
second and its memory.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from serving.settings import bundle_folder, session_threads

if TYPE_CHECKING:
    from stance.bundle import Bundle


@cache
def served_bundle() -> Bundle:
    """Verified and loaded once: the model that answers is the one that ``/version`` tells of.

    Raises:
        BundleError: if there is none, or it does not hold what it should.
    """
    from stance.bundle import load_bundle

    return load_bundle(bundle_folder(), threads=session_threads())
