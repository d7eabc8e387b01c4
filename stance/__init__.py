"""Actor stance toward a peace process: the library that training and serving share.

    from stance import Document, Process, classify_document, load_bundle

    bundle = load_bundle("models/default")
    answer = classify_document(bundle, Document("Iran will come to Oslo.", Process("Oslo talks")))

What a program meets is here: what the two functions take, return and raise. The names are looked up as they are used:
importing the package alone loads neither NumPy nor ONNX Runtime.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stance.bundle import Bundle, load_bundle
    from stance.classify import classify_document
    from stance.deadline import Deadline
    from stance.errors import (
        BundleCorrupt,
        BundleError,
        BundleNotFound,
        DeadlineExceeded,
        DocumentError,
        StanceError,
    )
    from stance.schema import (
        LABELS,
        MAX_ACTORS,
        MAX_TEXT_LENGTH,
        Actor,
        ActorStance,
        Classification,
        Document,
        Evidence,
        Label,
        Notice,
        Process,
        Span,
    )

__version__ = "0.1.0"

__all__ = [
    "LABELS",
    "MAX_ACTORS",
    "MAX_TEXT_LENGTH",
    "Actor",
    "ActorStance",
    "Bundle",
    "BundleCorrupt",
    "BundleError",
    "BundleNotFound",
    "Classification",
    "Deadline",
    "DeadlineExceeded",
    "Document",
    "DocumentError",
    "Evidence",
    "Label",
    "Notice",
    "Process",
    "Span",
    "StanceError",
    "classify_document",
    "load_bundle",
]

#: The rooms of the names that are not in ``schema``.
_HOMES = {
    "Bundle": "bundle",
    "BundleCorrupt": "errors",
    "BundleError": "errors",
    "BundleNotFound": "errors",
    "Deadline": "deadline",
    "DeadlineExceeded": "errors",
    "DocumentError": "errors",
    "StanceError": "errors",
    "classify_document": "classify",
    "load_bundle": "bundle",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES.get(name, 'schema')}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
