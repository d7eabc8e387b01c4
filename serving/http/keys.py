"""API keys: made here, kept as digests in a file, compared in constant time.

The file that ``STANCE_API_KEYS_FILE`` names has one key a line, ``NAME:sha256:HEX``; blank lines and lines that start
with ``#`` are passed over. A key is 256 random bits, so that a plain SHA-256 holds: a slow hash would only let
strangers spend the service's processor.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from stance.errors import SettingError

log = logging.getLogger("bentoml.stance.keys")

VARIABLE = "STANCE_API_KEYS_FILE"
#: Paths that answer without a key.
OPEN = frozenset(("/livez", "/readyz"))
#: Both ways to show a key. Chromium looks at the first alone, and asks its user for a password where that is Basic.
CHALLENGE = 'Basic realm="stance", charset="UTF-8", Bearer realm="stance"'
_PREFIX = "stance_"
_LINE = re.compile(r"([A-Za-z0-9._-]{1,64}):sha256:([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class HashedKey:
    """One line of the file.

    Attributes:
        name: whose key it is; the logs have it.
        digest: SHA-256 of the key, 32 bytes.
    """

    name: str
    digest: bytes

    @property
    def line(self) -> str:
        """The key as the file has it."""
        return f"{self.name}:sha256:{self.digest.hex()}"


def make_key(name: str) -> tuple[str, HashedKey]:
    """A new key, and what the file has of it.

    Raises:
        SettingError: if the name has other characters than letters, digits, ``.``, ``_`` and ``-``, or over 64 of them.
    """
    key = _PREFIX + secrets.token_urlsafe(32)
    hashed = HashedKey(name, _digest(key))
    if not _LINE.fullmatch(hashed.line):
        raise SettingError(f"name {name!r}: must have 1 to 64 of the characters A-Z a-z 0-9 . _ -")
    return key, hashed


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


def parse_keys(text: str, source: str) -> tuple[HashedKey, ...]:
    """The lines of a key file.

    Raises:
        SettingError: if a line is no key or a name stands twice. The line itself is not quoted: it may hold a bare key.
    """
    keys: dict[str, HashedKey] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise SettingError(f"{source}:{number}: not NAME:sha256:HEX; make a line with `stance key NAME`")
        if match[1] in keys:
            raise SettingError(f"{source}:{number}: name {match[1]!r} stands twice; give each key its own name")
        keys[match[1]] = HashedKey(match[1], bytes.fromhex(match[2]))
    return tuple(keys.values())


def load_keys(path: Path) -> tuple[HashedKey, ...]:
    """Read a key file.

    Raises:
        SettingError: if it cannot be read or a line is no key; the message names ``STANCE_API_KEYS_FILE``.
    """
    try:
        return parse_keys(path.read_text(encoding="utf-8"), f"{VARIABLE}={path}")
    except OSError as error:
        raise SettingError(
            f"{VARIABLE}={path}: cannot be read ({error.strerror}); make it with `stance key`"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingError(f"{VARIABLE}={path}: is not UTF-8; make it with `stance key`") from error


def check_keys() -> None:
    """See, before any worker starts, that the key file can be used, and tell the log how many keys there are.

    Raises:
        SettingError: if it cannot be read, or holds no key, or ``STANCE_API_KEYS_FILE`` is set but names none.
    """
    path = os.environ.get(VARIABLE)
    if path is None:
        log.info("no %s: all who reach the port may ask", VARIABLE)
        return
    if not path:
        raise SettingError(f"{VARIABLE} is set but empty; name a file, or unset it to let everybody ask")
    keys = load_keys(Path(path))
    if not keys:
        raise SettingError(f"{VARIABLE}={path}: holds no key; add a line with `stance key NAME`")
    log.info("%d keys read from %s", len(keys), path)


class KeyRing:
    """The keys of a file, read again whenever it changes.

    A file that vanishes or does not parse while the service runs leaves the last good keys in force, and the log
    says so; so does one that cannot be read, until it can. An emptied file lets nobody in, as does a bad one that a
    new worker finds.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, ...] | None = ()
        self._told: object = None
        self._keys: tuple[HashedKey, ...] = ()
        self._refresh()

    @classmethod
    def from_environment(cls) -> KeyRing | None:
        """The keys of the file that ``STANCE_API_KEYS_FILE`` names; ``None`` if it is not set: all is open then."""
        path = os.environ.get(VARIABLE)
        return None if path is None else cls(Path(path))

    def find(self, key: str) -> str | None:
        """The name of a key, ``None`` if it is not among them. The time does not tell how near a guess was."""
        self._refresh()
        digest, found = _digest(key), None
        for one in self._keys:
            if hmac.compare_digest(one.digest, digest):
                found = one.name
        return found

    def _look(self) -> tuple[int, ...] | None:
        try:
            state = self._path.stat()
        except OSError:
            return None
        return state.st_mtime_ns, state.st_ctime_ns, state.st_size, state.st_ino

    def _refresh(self) -> None:
        stamp = self._look()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._keys = load_keys(self._path)
        except SettingError as error:
            if isinstance(error.__cause__, OSError):  # it may pass, as a lack of descriptors does: look again
                self._stamp = None
            fault = str(error), stamp
            if fault != self._told:  # once for each: every request that shows a key comes here
                log.error("the keys stay as they were, %d: %s", len(self._keys), error)
            self._told = fault
        else:
            self._told = None
            log.info("%d keys read from %s", len(self._keys), self._path)


def shown_key(headers: Mapping[str, str]) -> str | None:
    """The key that a request shows: a bearer token, or the password of basic authentication.

    Args:
        headers: with names in lower case.
    """
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return value.strip() or None
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode("utf-8").partition(":")[2] or None
        except ValueError:  # no base64, or no UTF-8
            return None
    return None
