"""Actor stance toward a peace process: the library that training and serving share.

    from stance import Document, classify_document, load_bundle

The names are looked up as they are used: importing the package alone loads neither NumPy nor ONNX Runtime.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stance.bundle import load_bundle
    from stance.classify import classify_document
    from stance.errors import BundleError, DocumentError, StanceError
    from stance.schema import Actor, Classification, Document, Process

__version__ = "0.1.0"

__all__ = [
    "Actor",
    "BundleError",
    "Classification",
    "Document",
    "DocumentError",
    "Process",
    "StanceError",
    "classify_document",
    "load_bundle",
]

_HOMES = {
    "Actor": "schema",
    "BundleError": "errors",
    "Classification": "schema",
    "Document": "schema",
    "DocumentError": "errors",
    "Process": "schema",
    "StanceError": "errors",
    "classify_document": "classify",
    "load_bundle": "bundle",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
