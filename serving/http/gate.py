"""What stands before the service: sizes, content types, admission and deadlines.

BentoML leaves these open (no limit on a body, refusals in four shapes, metrics that grow with every unknown
path), so they are closed here, in one ASGI middleware.
"""

from __future__ import annotations

import asyncio
import time
from http import HTTPMethod
from typing import TYPE_CHECKING

from serving.faults import TOO_LATE
from serving.http import metrics
from serving.http.assets import describe_version, load_assets
from serving.http.backlog import Backlog
from serving.http.connections import answering, take_connections
from serving.http.deliveries import Deliveries
from serving.http.docs import load_docs
from serving.http.exchange import (
    DEADLINE,
    REQUEST_ID,
    drain,
    find_request_id,
    has_more_parts,
    has_two_lengths,
    read_headers,
    replay,
    watch,
)
from serving.http.keys import CHALLENGE, OPEN, KeyRing, shown_key
from serving.http.logs import Served, log_request
from serving.http.responses import Refusal, Response
from serving.served import served_bundle
from serving.settings import GRACE, Limits, worker_count
from stance.deadline import Deadline

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

_ONE = "/classify"
GUARDED = (_ONE, "/classify/batch")
_KNOWN = (*GUARDED, "/livez", "/readyz", "/metrics", "/docs", "/docs.json", "/schema.json", "/version", "/processes")
_GETS = ("/metrics", "/version")
#: Bytes of a body that is let in and dropped though it is refused, and the seconds that it may take: a connection that
#: is closed while its client still sends may lose the refusal.
_SMALL, _DRAIN_SECONDS = 1 << 16, 1.0
#: Lists, objects and commas outside its strings that a body may have: the largest that holds to the contract has
#: 173,377, and each may take 300 bytes when it is parsed, which is done whole and before anything else can be done.
_MOST_PARTS = 200_000
#: What the model has worked on, to its end or to its deadline.
_WORKED_ON = (200, 504)


class Gate:
    """The middleware. It answers ``/metrics``, ``/version`` and the page itself and passes everything else on.

    Args:
        limits: ``None`` reads them from the environment, as the keys always are.
    """

    def __init__(self, app: ASGIApp, limits: Limits | None = None) -> None:
        self._app = app
        self._limits = limits or Limits.from_environment()
        self._keys = KeyRing.from_environment()
        self._backlog = Backlog(self._limits)
        self._shares = worker_count() > 1
        self._assets = {**load_assets(served_bundle(), self._limits), **load_docs(has_keys=self._keys is not None)}
        self._version = describe_version(served_bundle())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on one request."""
        if scope["type"] == "lifespan":
            metrics.count_start()
            backlog = self._backlog if self._shares else None
            deliveries = Deliveries(self._limits.max_pending)
            take_connections(asyncio.get_running_loop(), self._limits.body_timeout, deliveries, backlog)
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with answering():
            await self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        started, headers, key = time.monotonic(), read_headers(scope), None
        request_id = find_request_id(headers)
        REQUEST_ID.set(request_id)
        response = Response(send, request_id)
        response.is_last = has_two_lengths(headers)
        try:
            if response.is_last:
                raise Refusal(400, "Content-Length and Transfer-Encoding are both given; send one of them")
            key = self._check_key(scope["path"], headers)
            await self._route(scope, receive, response)
            await response.deliver()
        except Refusal as refusal:
            await response.refuse(refusal)
        finally:
            path, status, seconds = self._label(scope["path"]), response.status or 500, time.monotonic() - started
            metrics.count_answer(path, status, seconds)
            if response.code and path == _ONE and scope["method"] == "POST":
                metrics.count_fault(response.code)
            log_request(Served(known_method(scope["method"]), path, status, round(1000 * seconds, 1), key))

    def _label(self, path: str) -> str:
        """The path as the metrics have it: one of a fixed list."""
        if path in _KNOWN:
            return path
        return "/" if path in self._assets else "unknown"

    async def _route(self, scope: Scope, receive: Receive, response: Response) -> None:
        path, method = scope["path"], scope["method"]
        if path not in _KNOWN and path not in self._assets:
            raise Refusal(404, f"no such path: {path!r}; POST to /classify or /classify/batch")
        allowed = "POST" if path in GUARDED else "GET, HEAD"
        if method not in allowed.split(", "):
            raise Refusal(405, f"{path} takes {allowed}, not {method}", headers={"Allow": allowed})
        if path in GUARDED:
            await self._guard(scope, receive, response)
        elif path not in _GETS and path not in self._assets:
            await self._app(scope, receive, response)
        elif path == "/metrics":
            await response.plain(*metrics.render())
        elif path == "/version":
            await response.plain(self._version, "application/json")
        else:
            await response.plain(self._assets[path].body, self._assets[path].content_type)

    def _check_key(self, path: str, headers: dict[str, str]) -> str | None:
        """The name of the key that a request shows, ``None`` where none is needed."""
        if self._keys is None or path in OPEN:
            return None
        key = shown_key(headers)
        name = None if key is None else self._keys.find(key)
        if name is None:
            told = "a key is needed" if key is None else "the key is not known"
            message = f"{told}; send the header 'Authorization: Bearer KEY'"
            raise Refusal(401, message, headers={"WWW-Authenticate": CHALLENGE})
        return name

    async def _guard(self, scope: Scope, receive: Receive, response: Response) -> None:
        """Take the body in, hand it on, and hold its place in the queue until the handler is truly done with it."""
        body = bytearray()
        try:
            with metrics.track():
                await self._read(scope, receive, body, response)
                _check_parts(body)
                self._send_elsewhere(response)
                with self._backlog.queue(len(body)) as number:
                    last = time.monotonic() + self._limits.deadline
                    await self._handle(scope, receive, bytes(body), response)
                    if response.status in _WORKED_ON:
                        self._backlog.learn(number, cut=time.monotonic() > last)
        finally:
            self._backlog.release(len(body))
            metrics.let_go(len(body))

    def _send_elsewhere(self, response: Response) -> None:
        """Have a client whose body is in, and who finds this worker at work, come again by a new connection."""
        response.is_last = self._shares and self._backlog.is_working

    async def _handle(self, scope: Scope, receive: Receive, body: bytes, response: Response) -> None:
        """Run the handler; it stops by itself at the deadline or when its client has gone.

        It is not cancelled: that would give its thread's place away while the thread runs on. What stays in the
        queue past the deadline is answered here.
        """
        deadline, gone = Deadline(self._limits.deadline), asyncio.Event()

        def let_go() -> None:
            deadline.cancel()
            gone.set()
            response.abandon()

        token = DEADLINE.set(deadline)
        handler = asyncio.ensure_future(self._app(scope, replay(body, gone), response))
        DEADLINE.reset(token)
        watcher = asyncio.ensure_future(watch(receive, let_go))
        try:
            done, _ = await asyncio.wait({handler}, timeout=self._limits.deadline + GRACE)
            if not done:
                await response.refuse(Refusal(504, TOO_LATE))
            await handler
            await response.close()
        finally:
            watcher.cancel()
            gone.set()

    async def _read(self, scope: Scope, receive: Receive, body: bytearray, response: Response) -> None:
        """Read a body into ``body``; every byte counts as pending from its arrival."""
        headers = read_headers(scope)
        told = headers.get("content-type", "application/json")
        # What reads the body goes by the first of two content types: there may be but one.
        if told.partition(";")[0].strip().lower() != "application/json" or "," in told:
            raise Refusal(415, f"content type {told!r} is not supported; send application/json, once")
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise Refusal(415, f"content encoding {headers['content-encoding']!r} is not supported; send plain JSON")
        limit = self._limits.max_batch_body if scope["path"].endswith("/batch") else self._limits.max_body
        mend = "send fewer documents at once" if scope["path"].endswith("/batch") else "send the text in parts"
        length = headers.get("content-length", "0")
        if not length.isdecimal():  # isdigit would take "²" too, of which no number can be made
            raise Refusal(400, f"Content-Length {length!r} is no number of bytes; send the body's length, or none")
        if int(length) > limit:
            raise Refusal(413, f"the body has {length} bytes; at most {limit} are allowed; {mend}")
        try:
            self._backlog.admit()
        except Refusal:
            if 0 < int(length) <= _SMALL and await drain(receive, _DRAIN_SECONDS):
                self._send_elsewhere(response)
            raise
        try:
            async with asyncio.timeout(self._limits.body_timeout):
                await self._collect(receive, body, limit, mend)
        except TimeoutError:
            told = f"the body did not arrive within {self._limits.body_timeout:g} s; send it faster, or less at once"
            raise Refusal(408, told) from None

    async def _collect(self, receive: Receive, body: bytearray, limit: int, mend: str) -> None:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refusal(499, "the client went away before the body was complete")
            chunk = message.get("body", b"")
            if len(body) + len(chunk) > limit:
                raise Refusal(413, f"the body has more than {limit} bytes, which is the most that is allowed; {mend}")
            self._backlog.hold(len(chunk), len(body))
            body += chunk
            metrics.take_in(len(chunk))
            if not message.get("more_body", False):
                return


def _check_parts(body: bytearray) -> None:
    if has_more_parts(body, _MOST_PARTS):
        told = f"the body has more than {_MOST_PARTS:,} lists, objects and commas outside its strings"
        raise Refusal(400, f"{told}; send only what /docs has", code="too_many_values")


def known_method(method: str) -> str:
    """A request's method as the log has it: one that HTTP knows."""
    return method if method in HTTPMethod.__members__ else "unknown"
