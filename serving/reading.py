"""Pages and PDFs are read in a process of their own: one that hangs, or kills its reader, costs the others nothing."""

from __future__ import annotations

import atexit
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection

from serving.texts import MAX_FILE, FileText, is_plain, read_text, unreadable
from stance.errors import DocumentError, StanceError

#: Seconds of computing time that a file may take.
SECONDS = 60.0
#: Bytes of memory that its reader may take; the largest honest pages and PDFs take a third of that.
MEMORY = 1 << 30
_CODE = "import sys; sys.path[:] = {path!r}; from serving.reading import serve; serve({descriptor})"


def read_file(data: bytes, name: str) -> FileText:
    """The text of a file's bytes, as :func:`serving.texts.read_text` gives it, within :data:`SECONDS` and
    :data:`MEMORY`.

    Raises:
        DocumentError: if the bytes are too many, hold no text, or take too long or too much memory.
        ExtraMissing: if the library that reads this kind is not installed.
    """
    if len(data) > MAX_FILE or is_plain(data, name):
        return read_text(data, name)
    reader = _IDLE.pop() if _IDLE else _Reader()
    if not reader.is_alive:
        reader = _Reader()
    found = reader.read(data, name)
    _IDLE.append(reader)
    if isinstance(found, StanceError):
        raise found
    return found


class _Reader:
    """The process that reads, and the pipe to it; it ends when the pipe does, and so with its parent."""

    def __init__(self) -> None:
        self._pipe, other = Pipe()
        with other:  # its code is our own alone: a child of multiprocessing would load the whole program
            code = _CODE.format(path=sys.path, descriptor=other.fileno())
            self._process = subprocess.Popen(
                [sys.executable, "-c", code],
                pass_fds=[other.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # libraries warn there in the file's own words
            )

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def read(self, data: bytes, name: str) -> FileText | StanceError:
        try:
            self._pipe.send((data, name, SECONDS, MEMORY))
            found: FileText | StanceError = self._pipe.recv()
        except (EOFError, OSError):
            raise self._fault() from None
        return found

    def _fault(self) -> DocumentError:
        code = self.close()
        if code == -signal.SIGPROF:
            told = f"took longer to read than {SECONDS:g} seconds; save its text and give that"
            return unreadable(told, code="read_timeout")
        return unreadable(f"cannot be read: the process that read it died (exit status {code})")

    def close(self) -> int:
        self._pipe.close()
        return self._process.wait()


_IDLE: list[_Reader] = []


@atexit.register
def _close() -> None:
    while _IDLE:
        _IDLE.pop().close()


def serve(descriptor: int) -> None:
    """Read what comes through a pipe until it is closed; a file that takes too long ends the process, by SIGPROF."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one that asks
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    with Connection(descriptor) as pipe, suppress(EOFError, OSError):
        while True:
            pipe.send(_try(*pipe.recv()))


def _try(data: bytes, name: str, seconds: float, memory: int) -> FileText | StanceError:
    signal.setitimer(signal.ITIMER_PROF, seconds)
    _bound_memory(memory)
    try:
        return read_text(data, name)
    except StanceError as error:
        return error
    except MemoryError:
        return unreadable(f"takes more than {memory >> 20:,} MiB of memory to read; save its text and give that")
    except Exception as error:  # whatever a broken file leads a library to
        return unreadable(f"cannot be read ({type(error).__name__}: {error}); open it and save it anew")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _bound_memory(most: int) -> None:
    """Bound what this process may take; less than that may be set for it already."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    with suppress(ValueError):  # macOS has no such bound
        resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))
