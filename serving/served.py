"""The bundle that this process serves."""

from __future__ import annotations

from functools import cache

from serving.settings import bundle_folder, session_threads
from stance.bundle import Bundle, load_bundle


@cache
def served_bundle() -> Bundle:
    """Verified and loaded once: the model that answers is the one that ``/version`` tells of.

    Raises:
        BundleError: if there is none, or it does not hold what it should.
    """
    return load_bundle(bundle_folder(), threads=session_threads())
