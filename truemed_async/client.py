"""The client: configuration, lifecycle, resources, and ``send`` for everything else."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar

import aiohttp
from yarl import URL

from truemed_async._core.endpoint import Endpoint
from truemed_async._core.pipeline import Clock, Pipeline, Settings
from truemed_async._core.request import Query, build
from truemed_async._core.response import Response
from truemed_async._core.transport import Network, Transport
from truemed_async._sensitive import hidden
from truemed_async._validation.configuration import resolve_api_key, resolve_base_url, validate_hooks
from truemed_async._validation.scalars import validate_positive_int
from truemed_async.errors import InvalidArgumentError
from truemed_async.options import Environment, Hook, RequestOptions, RetryPolicy, Timeouts
from truemed_async.resources import (
    CatalogItems,
    PaymentSessions,
    PaymentTokens,
    QualificationSessions,
    Reconciliations,
)
from truemed_async.resources._base import add_resource_properties, resource_types

T = TypeVar("T")


@add_resource_properties
class AsyncTruemed:
    """The Truemed merchant API, awaited.

    Make one per application and event loop, and share it: it keeps connections open and is safe to use from any
    number of tasks. It opens its first connection with its first call, so it may be made at import::

        async with AsyncTruemed() as client:
            session = await client.qualification_sessions.get("qs_abc123")

    Args:
        api_key: The sales channel's API key; by default the environment variable ``TRUEMED_API_KEY``.
        environment: ``"production"`` or ``"sandbox"``; by default ``TRUEMED_ENVIRONMENT``, else production.
        base_url: Another server: https, or http on this machine; by default ``TRUEMED_BASE_URL``.
        timeout: Time-outs in seconds; a bare number is the total. There is always a deadline.
        retry: When to try again; ``RetryPolicy(max_attempts=1)`` is never.
        max_concurrency: How many requests of this client may be in flight; further calls wait for their turn.
        session: An aiohttp session to use; it is never closed by this client.
        hooks: Called after each attempt with an :class:`~truemed_async.Attempt`.
        proxy: The URL of an HTTP proxy. Proxies in the environment are not used.
        ssl_context: Which certificates to accept; by default the system's.

    Raises:
        ConfigurationError: The key is missing or malformed, or the base URL is not acceptable.
        InvalidArgumentError: Another argument was refused.
    """

    __slots__ = (
        "__weakref__", "_base_url", "_clock", "_pipeline", "_resources", "_settings", "_transport"
    )  # fmt: skip

    qualification_sessions: QualificationSessions
    """Whether shoppers hold a Letter of Medical Necessity for their orders."""

    payment_sessions: PaymentSessions
    """Checkouts: the link for the customer, the state of the payment, captures, voids and refunds."""

    payment_tokens: PaymentTokens
    """Stored payment methods, for subscriptions."""

    catalog_items: CatalogItems
    """What you sell, and whether it may be paid for with HSA/FSA money."""

    reconciliations: Reconciliations
    """What Truemed paid out to you, and the charges, refunds, fees and disputes that each payout consists of."""

    def __init__(
        self,
        api_key: str | None = None,
        *,
        environment: Environment | None = None,
        base_url: str | URL | None = None,
        timeout: Timeouts | float = Timeouts(),
        retry: RetryPolicy = RetryPolicy(),
        max_concurrency: int = 100,
        session: aiohttp.ClientSession | None = None,
        hooks: Sequence[Hook] = (),
        proxy: str | URL | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        boxed = hidden(api_key)
        del api_key  # a traceback may show the locals of this frame
        self._base_url = resolve_base_url(environment, base_url)
        network = Network.of(session, proxy, ssl_context)
        self._transport = Transport(
            api_key=resolve_api_key(boxed),
            network=network,
            max_concurrency=validate_positive_int("max_concurrency", max_concurrency),
        )
        self._clock = Clock()
        self._pipeline = Pipeline(self._transport, self._clock)
        self._settings = Settings(
            timeouts=Timeouts.of(timeout), retry=RetryPolicy.of(retry), hooks=validate_hooks(hooks)
        )
        self._add_resources()

    def _add_resources(self) -> None:
        self._resources = {name: kind(self) for name, kind in resource_types(self).items()}

    def with_options(
        self,
        *,
        timeout: Timeouts | float | None = None,
        retry: RetryPolicy | None = None,
        hooks: Sequence[Hook] | None = None,
    ) -> Self:
        """Return a copy with other defaults. It shares connections, pace and retry budget, and closes with this one."""
        copy = object.__new__(type(self))
        copy._transport, copy._clock, copy._pipeline = self._transport, self._clock, self._pipeline
        copy._base_url = self._base_url
        copy._settings = Settings(
            timeouts=self._settings.timeouts if timeout is None else Timeouts.of(timeout),
            retry=self._settings.retry if retry is None else RetryPolicy.of(retry),
            hooks=self._settings.hooks if hooks is None else validate_hooks(hooks),
        )
        copy._add_resources()
        return copy

    async def send(
        self,
        endpoint: Endpoint[T],
        *,
        path: Mapping[str, str] | None = None,
        query: Query | None = None,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        options: RequestOptions | None = None,
    ) -> Response[T]:
        """Make one call and return the typed answer with what surrounded it.

        Every method of a resource comes through here; use it for status, headers and attempts, and with an
        :class:`~truemed_async.Endpoint` of your own for what this library does not know.

        Args:
            endpoint: What to call.
            path: The ids for the path's placeholders.
            query: Query parameters; those that are ``None`` are left out.
            body: The JSON body of a POST, without the idempotency key.
            idempotency_key: For an endpoint that takes one; by default a new one is made.
            options: Time-outs, retry policy and headers of this call.

        Raises:
            InvalidArgumentError: Something does not fit the endpoint; nothing was sent.
            ClientClosedError: The client is closed, or belongs to another running event loop.
            CallError: What happened on the call.
        """
        options = _DEFAULT if options is None else options
        if not isinstance(options, RequestOptions):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
            raise InvalidArgumentError(f"options must be RequestOptions, not {type(options).__name__}")
        request = build(
            self._base_url, endpoint, path=path, query=query, body=body, key=idempotency_key, headers=options.headers
        )
        del path, query, body  # a traceback may show the locals of this frame
        settings = self._settings
        if options is not _DEFAULT:
            settings = Settings(
                timeouts=options.timeout or settings.timeouts,
                retry=options.retry or settings.retry,
                hooks=settings.hooks,
            )
        return await self._pipeline.send(request, settings)

    @property
    def base_url(self) -> str:
        """The server that this client talks to."""
        return str(self._base_url).rstrip("/")

    @property
    def clock(self) -> Clock:
        """The time that retries and polls go by."""
        return self._clock

    async def aclose(self) -> None:
        """Close the connections; a borrowed session stays open. May be called again; later calls are refused."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        made = hasattr(self, "_base_url")  # a debugger may ask for it before the client is made
        return f"{type(self).__name__}(base_url={self.base_url!r})" if made else f"{type(self).__name__}(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client holds a key and connections and cannot be pickled: make one in each process")


_DEFAULT = RequestOptions()
