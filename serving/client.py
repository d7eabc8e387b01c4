"""A client of the service, for other Python programs; sync and async, typed, patient.

    from serving.client import Client

    with Client("http://localhost:3000") as client:
        answer = client.classify("Turkey will send a delegation to Sochi.")
        print(answer.actors[0].stance)

What the service refuses for a moment (429, 503, no connection) is asked again, after the time that its Retry-After
names; both requests change nothing, so that asking twice does no harm.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Self

import httpx

from serving.conversation import (
    PATIENT,
    ActorLike,
    Attempts,
    DateLike,
    DocumentLike,
    IdLike,
    Model,
    ProcessLike,
    Retries,
    ServiceError,
    ServiceUnreachable,
    build_batch,
    build_request,
    chunks_of,
    encode_body,
    http_settings,
    settle,
)
from serving.schemas import (
    ActorOut,
    BatchResponse,
    BundleOut,
    ClassifyRequest,
    ClassifyResponse,
    ErrorOut,
    ErrorResponse,
    EvidenceOut,
    FailedDocument,
    MentionOut,
    ModelOut,
    NamedActor,
    NamedProcess,
    ProcessOut,
    VersionOut,
    WarningOut,
)
from stance.errors import SettingError, StanceError

__all__ = [
    "ActorLike",
    "ActorOut",
    "AsyncClient",
    "BundleOut",
    "ClassifyRequest",
    "ClassifyResponse",
    "Client",
    "DateLike",
    "DocumentLike",
    "ErrorOut",
    "ErrorResponse",
    "EvidenceOut",
    "FailedDocument",
    "IdLike",
    "MentionOut",
    "ModelOut",
    "NamedActor",
    "NamedProcess",
    "ProcessLike",
    "ProcessOut",
    "Retries",
    "ServiceError",
    "ServiceUnreachable",
    "SettingError",
    "StanceError",
    "VersionOut",
    "WarningOut",
]


class Client:
    """The service, for synchronous programs; to be closed, or used as a context.

    Args:
        url: where the service is, such as ``http://localhost:3000``.
        key: an API key, where the service asks for one.
        timeout: seconds to wait for an answer.
        transport: another way to send than by the network.

    Raises:
        SettingError: if the address is none of HTTP, or the key nothing that a header can carry.
    """

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout: float = 60.0,
        retries: Retries = PATIENT,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._http = httpx.Client(**http_settings(url, key, timeout), transport=transport)
        self._retries = retries

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def classify(
        self,
        text: str,
        *,
        actors: Sequence[ActorLike] | None = None,
        process: ProcessLike | None = None,
        title: str | None = None,
        date: DateLike | None = None,
        id: IdLike | None = None,
    ) -> ClassifyResponse:
        """Where each actor of a text stands; without ``actors`` they are found, without ``process`` it is Sochi's.

        Args:
            actors: names, or names with aliases: :class:`NamedActor`, :class:`stance.Actor`, or a mapping.
            process: a known one's key, or name and aliases: :class:`NamedProcess`, :class:`stance.Process` (one that
                has a key goes by it), or a mapping.
            date: in ISO 8601, or a date or datetime.

        Raises:
            ServiceError: if the service refuses.
            ServiceUnreachable: if no answer came.
            TypeError: if ``actors`` is no list, or something given cannot be sent.
        """
        body = build_request(text, actors, process, {"title": title, "date": date, "id": id})
        return self._send("POST", "/classify", ClassifyResponse, body)

    def classify_batch(self, documents: Sequence[DocumentLike]) -> list[ClassifyResponse | FailedDocument]:
        """Up to 64 documents, each a :class:`ClassifyRequest` or a mapping of its fields.

        Returns:
            For each its own result or error, in order.

        Raises:
            ServiceError: if the service refuses the whole.
            ServiceUnreachable: if no answer came.
            TypeError: if ``documents`` is no list of documents, or something given cannot be sent.
        """
        return self._send("POST", "/classify/batch", BatchResponse, build_batch(documents)).results

    def classify_all(self, documents: Iterable[DocumentLike]) -> Iterator[ClassifyResponse | FailedDocument]:
        """Any number of documents, as for :meth:`classify_batch`.

        Up to 64, of up to 100,000 characters of text in all, are sent at a time, when their turn comes.

        Yields:
            For each its own result or error, in order.

        Raises:
            ServiceError: if the service refuses those of one time as a whole.
            ServiceUnreachable: if no answer came.
            TypeError: if ``documents`` is no list of documents, or something given cannot be sent.
        """
        for chunk in chunks_of(documents):
            yield from self.classify_batch(chunk)

    def version(self) -> VersionOut:
        """Which package and which bundle answer."""
        return self._send("GET", "/version", VersionOut)

    def _send(self, method: str, path: str, kind: type[Model], body: object = None) -> Model:
        content = None if body is None else encode_body(body)
        attempts = Attempts(self._retries)
        while True:
            outcome: httpx.Response | httpx.RequestError
            try:
                outcome = self._http.request(method, path, content=content)
            except httpx.RequestError as error:
                outcome = error
            pause = attempts.pause_after(outcome)
            if pause is None:
                return settle(outcome, kind)
            time.sleep(pause)


class AsyncClient:
    """The same for asynchronous programs; its arguments are those of :class:`Client`."""

    def __init__(
        self,
        url: str,
        *,
        key: str | None = None,
        timeout: float = 60.0,
        retries: Retries = PATIENT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._http = httpx.AsyncClient(**http_settings(url, key, timeout), transport=transport)
        self._retries = retries

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def classify(
        self,
        text: str,
        *,
        actors: Sequence[ActorLike] | None = None,
        process: ProcessLike | None = None,
        title: str | None = None,
        date: DateLike | None = None,
        id: IdLike | None = None,
    ) -> ClassifyResponse:
        """As :meth:`Client.classify`."""
        body = build_request(text, actors, process, {"title": title, "date": date, "id": id})
        return await self._send("POST", "/classify", ClassifyResponse, body)

    async def classify_batch(self, documents: Sequence[DocumentLike]) -> list[ClassifyResponse | FailedDocument]:
        """As :meth:`Client.classify_batch`."""
        batch = await self._send("POST", "/classify/batch", BatchResponse, build_batch(documents))
        return batch.results

    async def classify_all(self, documents: Iterable[DocumentLike]) -> AsyncIterator[ClassifyResponse | FailedDocument]:
        """As :meth:`Client.classify_all`."""
        for chunk in chunks_of(documents):
            for result in await self.classify_batch(chunk):
                yield result

    async def version(self) -> VersionOut:
        """As :meth:`Client.version`."""
        return await self._send("GET", "/version", VersionOut)

    async def _send(self, method: str, path: str, kind: type[Model], body: object = None) -> Model:
        content = None if body is None else encode_body(body)
        attempts = Attempts(self._retries)
        while True:
            outcome: httpx.Response | httpx.RequestError
            try:
                outcome = await self._http.request(method, path, content=content)
            except httpx.RequestError as error:
                outcome = error
            pause = attempts.pause_after(outcome)
            if pause is None:
                return settle(outcome, kind)
            await asyncio.sleep(pause)
