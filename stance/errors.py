"""Errors that this package raises on purpose, in every room, all below one root:

StanceError
├── DocumentError        a document that cannot be classified (also a ValueError); ``field`` names the part
├── DeadlineExceeded     the caller's deadline passed while a document was being classified
├── CorpusError          labelled data that does not hold to its format; one line per fault
├── BundleError          a model folder that cannot be loaded
│   ├── BundleNotFound   there is none
│   └── BundleCorrupt    a file is missing, altered, or of an unknown format
├── ParityError          an exported graph that does not agree with the model it came from
├── BatchError           a batch that cannot be begun, or not gone on with
├── ReportError          results that cannot be reported on
├── SettingError         a setting that makes no sense (also a ValueError)
└── ExtraMissing         a library of one of the package's extras is not installed

Two more are in serving/conversation.py, which raises them: the client's ``ServiceError`` and ``ServiceUnreachable``.
"""

from collections.abc import Iterator
from contextlib import contextmanager


class StanceError(Exception):
    """Root of every error that this package raises on purpose."""


class DocumentError(StanceError, ValueError):
    """A document that cannot be classified.

    Attributes:
        code: short machine-readable name, such as ``unknown_process``.
        field: the field at fault, such as ``process`` or ``actors.3.name``; ``None`` for the whole.
    """

    def __init__(self, message: str, *, code: str = "invalid_document", field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.field = field


class DeadlineExceeded(StanceError):
    """The caller's deadline passed before the document was done."""


class CorpusError(StanceError):
    """Labelled data that does not hold to its format; ``faults`` has one line for each."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class BundleError(StanceError):
    """A model folder that cannot be loaded."""


class BundleNotFound(BundleError):
    """No bundle where one was asked for."""


class BundleCorrupt(BundleError):
    """A bundle whose files are missing, altered, or of a format that this version does not know."""


class ParityError(StanceError):
    """An exported graph that does not agree with the model it was made from."""


class BatchError(StanceError):
    """A batch that cannot be begun, or not gone on with; what was done so far is kept."""


class ReportError(StanceError):
    """Results that cannot be reported on."""


class SettingError(StanceError, ValueError):
    """A setting of whoever runs a program that makes no sense: an environment variable, a key's name, an address."""


class ExtraMissing(StanceError):
    """A library of one of the package's extras is not installed; ``args`` are the library and the extra."""

    def __str__(self) -> str:
        library, extra = self.args
        return f"this needs {library}, which is not installed: pip install '.[{extra}]' in the folder of this package"


@contextmanager
def needs(library: str, extra: str) -> Iterator[None]:
    """Around imports: say which extra holds the library, where it is not installed.

    Raises:
        ExtraMissing: if an import fails.
    """
    try:
        yield
    except ImportError as error:
        raise ExtraMissing(library, extra) from error
