"""The client: configuration, lifecycle, resources, and ``send`` for everything else."""

from __future__ import annotations

import ssl
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar

import aiohttp
import attrs
from yarl import URL

import truemed_async
from truemed_async import resources
from truemed_async._core.endpoint import Endpoint
from truemed_async._core.pipeline import CallSettings, Clock, Pipeline
from truemed_async._core.request import Query, Request, build_request
from truemed_async._core.response import Response
from truemed_async._core.shared_limiter import SharedLimiter, identify_channel
from truemed_async._core.transport import AiohttpTransport, ConnectionOptions
from truemed_async._sensitive import wrap
from truemed_async._validation.configuration import (
    resolve_api_key,
    resolve_base_url,
    validate_hooks,
    validate_rate_limit,
)
from truemed_async._validation.scalars import validate_bool, validate_positive_int
from truemed_async.errors import InvalidArgumentError
from truemed_async.options import (
    Environment,
    Hook,
    RequestOptions,
    RetryPolicy,
    SharedRateLimit,
    Timeouts,
    Validation,
    validate_validation,
)
from truemed_async.resources._property import add_resource_properties

T = TypeVar("T")


@attrs.frozen(kw_only=True, eq=False)
class ClientState:
    """Everything that a client holds. Its copies share all of it but the defaults."""

    transport: AiohttpTransport
    clock: Clock
    pipeline: Pipeline
    base_url: URL
    defaults: CallSettings


@add_resource_properties
class AsyncTruemed:
    """The asynchronous client of the Truemed merchant API.

    Create one per application and event loop, and share it: it keeps connections open and is safe to use from any
    number of tasks. It opens its first connection with its first call, so it may be created at import::

        async with AsyncTruemed() as client:
            session = await client.qualification_sessions.get("qs_abc123")

    Args:
        api_key: The sales channel's API key; by default the environment variable ``TRUEMED_API_KEY``.
        environment: ``"production"`` or ``"sandbox"``; by default ``TRUEMED_ENVIRONMENT``, else production.
        base_url: Another server: https, or http on this machine; by default ``TRUEMED_BASE_URL``.
        timeout: Timeouts in seconds; a bare number is the total. There is always a deadline.
        retry: When to retry; ``RetryPolicy(max_attempts=1)`` never does.
        max_concurrency: The most requests of this client in flight; further calls wait.
        session: An aiohttp session to use. This client never closes it.
        hooks: Called after each attempt with an :class:`~truemed_async.Attempt`.
        proxy: The URL of an HTTP proxy. Proxies in the environment are not used.
        ssl_context: How certificates are verified; by default as the system does.
        allow_http: Whether ``base_url`` may be http on another host, such as ``http://emulator:8080`` in a container.
            The key and the data are then sent unencrypted: only for tests with made-up data.
        rate_limit: A rate limit that other processes with the same key share, such as
            :class:`~truemed_async.rate_limits.FileRateLimit`; by default each client has its own.
        validation: What to do with a value of another type than Truemed publishes. ``"strict"`` raises a
            :class:`~truemed_async.errors.DecodeError`. ``"lenient"`` does so for required fields only, such as ids and
            statuses. Any other field is then ``None``: ``extra`` has its value, ``mismatches`` names it, and a
            :class:`~truemed_async.TruemedWarning` reports it once per endpoint and field.

    Raises:
        ConfigurationError: The key is missing or malformed, or the base URL is not acceptable.
        InvalidArgumentError: Another argument is invalid.
    """

    __slots__ = (
        "__weakref__", "_resources", "_state"
    )  # fmt: skip

    qualification_sessions: resources.QualificationSessions
    """Whether customers have a Letter of Medical Necessity for their orders."""

    payment_sessions: resources.PaymentSessions
    """Checkouts: the link for the customer, the state of the payment, captures, voids and refunds."""

    payment_tokens: resources.PaymentTokens
    """Stored payment methods, for subscriptions."""

    catalog_items: resources.CatalogItems
    """What you sell, and whether it may be paid for with HSA/FSA money."""

    reconciliations: resources.Reconciliations
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
        allow_http: bool = False,
        rate_limit: SharedRateLimit | None = None,
        validation: Validation = "strict",
    ) -> None:
        boxed = wrap(api_key)
        del api_key
        connection_options = ConnectionOptions.of(session, proxy, ssl_context)
        clock = Clock()
        base_url = resolve_base_url(environment, base_url, allow_http=validate_bool("allow_http", allow_http))
        secret = resolve_api_key(boxed)
        limiter = None
        if rate_limit is not None:
            limiter = SharedLimiter(validate_rate_limit(rate_limit), identify_channel(secret, base_url))
        transport = AiohttpTransport(
            api_key=secret,
            options=connection_options,
            max_concurrency=validate_positive_int("max_concurrency", max_concurrency),
        )
        defaults = CallSettings(
            timeouts=Timeouts.of(timeout),
            retry=RetryPolicy.of(retry),
            hooks=validate_hooks(hooks),
            validation=validate_validation(validation),
        )
        self._set_state(
            ClientState(
                transport=transport,
                clock=clock,
                pipeline=Pipeline(transport, clock, limiter),
                base_url=base_url,
                defaults=defaults,
            )
        )

    def _set_state(self, state: ClientState) -> None:
        self._state = state
        self._resources: dict[str, Any] = {}

    def with_options(
        self,
        *,
        timeout: Timeouts | float | None = None,
        retry: RetryPolicy | None = None,
        hooks: Sequence[Hook] | None = None,
        validation: Validation | None = None,
    ) -> Self:
        """Return a copy with other defaults. It shares connections, rate limit and retry budget, and closes with this one."""
        defaults = self._state.defaults
        copy = object.__new__(type(self))
        copy._set_state(
            attrs.evolve(
                self._state,
                defaults=CallSettings(
                    timeouts=defaults.timeouts if timeout is None else Timeouts.of(timeout),
                    retry=defaults.retry if retry is None else RetryPolicy.of(retry),
                    hooks=defaults.hooks if hooks is None else validate_hooks(hooks),
                    validation=defaults.validation if validation is None else validate_validation(validation),
                ),
            )
        )
        return copy

    def build_request(
        self,
        endpoint: Endpoint[Any],
        *,
        path: Mapping[str, str] | None = None,
        query: Query | None = None,
        body: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
        options: RequestOptions | None = None,
    ) -> Request:
        """Return the request that :meth:`send` would send, without sending it, for example for a dry run.

        Its ``repr`` shows neither ids nor bodies; read its ``url`` and ``body.value`` to see them.

        Args:
            endpoint: The endpoint to call.
            path: The ids for the path's placeholders.
            query: Query parameters; those that are ``None`` are left out.
            body: The JSON body of a POST, without the idempotency key.
            idempotency_key: For an endpoint that takes one; by default a new one is generated.
            options: Options of this call; only the headers are part of the request.

        Raises:
            InvalidArgumentError: An argument does not fit the endpoint.
        """
        return build_request(
            self._state.base_url,
            endpoint,
            path=path,
            query=query,
            body=body,
            idempotency_key=idempotency_key,
            headers=_validate_options(options).headers,
        )

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
        """Make one call and return the typed response with its metadata.

        Every method of a resource calls it. Use it for the status, headers and number of attempts, and with your own
        :class:`~truemed_async.Endpoint` for endpoints that this library does not know.

        Args:
            endpoint: The endpoint to call.
            path: The ids for the path's placeholders.
            query: Query parameters; those that are ``None`` are left out.
            body: The JSON body of a POST, without the idempotency key.
            idempotency_key: For an endpoint that takes one; by default a new one is generated.
            options: Timeouts, retry policy and headers of this call.

        Raises:
            InvalidArgumentError: An argument does not fit the endpoint; nothing was sent.
            ClientClosedError: The client is closed, or belongs to another running event loop.
            CallError: The call failed.
        """
        options = _validate_options(options)
        request = build_request(
            self._state.base_url,
            endpoint,
            path=path,
            query=query,
            body=body,
            idempotency_key=idempotency_key,
            headers=options.headers,
        )
        del path, query, body
        settings = self._state.defaults
        if options is not _DEFAULT_OPTIONS:
            settings = CallSettings(
                timeouts=options.timeout or settings.timeouts,
                retry=options.retry or settings.retry,
                hooks=settings.hooks,
                validation=settings.validation,
            )
        return await self._state.pipeline.send(request, settings)

    async def catch_up(
        self,
        receiver: truemed_async.webhooks.AsyncReceiver | truemed_async.webhooks.Receiver,
        *,
        since: date,
        look_back: timedelta = timedelta(days=30),
        provision_token_request_ids: Collection[str] = (),
        options: RequestOptions | None = None,
    ) -> truemed_async.webhooks.CatchUpResult:
        """Find changes whose webhooks you may have missed, and hand each to the receiver, which handles it once.

        Reads the payment sessions, payment tokens and qualification sessions that can have changed, and calls the
        receiver's handler with the event of each one's present state, unless its store knows that the state was
        handled. If Truemed delivers the event after all, the receiver recognizes it. An event that was found has no
        ``delivery_id``. Run it again if the result is not ``ok``.

        Not found are: states between two others, changes of objects that were created before ``look_back``, changes of
        existing tokens but for those in ``provision_token_request_ids``, and changes of catalog items.

        Args:
            receiver: Your receiver, with the store that its deliveries use.
            since: When the first delivery can have been missed: a datetime (a naive one is UTC) or a date.
            look_back: How long before ``since`` an object may have been created.
            provision_token_request_ids: The requests for tokens, and for updates of tokens, whose end you do not know.
            options: Timeouts, retry policy and headers of each request.

        Raises:
            InvalidArgumentError: The receiver has no store, its store forgets too soon, or another argument is invalid;
                nothing was sent.
            NotFoundError: This API key has no such provision token request.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed guide, "Webhooks", and the list of each object.
        """
        from truemed_async.webhooks._catch_up import find_changes, hand_over  # noqa: PLC0415  # loaded when it is used

        changes = find_changes(
            self,
            receiver,
            since=since,
            look_back=look_back,
            provision_token_request_ids=provision_token_request_ids,
            options=options,
        )
        return await hand_over(changes, receiver)

    @property
    def base_url(self) -> str:
        """The URL of the server."""
        return str(self._state.base_url).rstrip("/")

    @property
    def clock(self) -> Clock:
        """The clock of retries and polls."""
        return self._state.clock

    async def aclose(self) -> None:
        """Close the connections; a borrowed session stays open. Later calls raise an error; closing again does nothing."""
        await self._state.transport.close()
        await self._state.pipeline.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        is_initialized = hasattr(self, "_state")  # a debugger may call this before the constructor has ended
        return f"{type(self).__name__}(base_url={self.base_url!r})" if is_initialized else f"{type(self).__name__}(…)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a client has a key and connections and cannot be pickled: create one in each process")


def state_of(client: AsyncTruemed) -> ClientState:
    """Return the state of a client, for other parts of this package."""
    return client._state  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  # the only access from outside the class


def _validate_options(options: RequestOptions | None) -> RequestOptions:
    if options is None:
        return _DEFAULT_OPTIONS
    if not isinstance(options, RequestOptions):  # pyright: ignore[reportUnnecessaryIsInstance]  # callers may be untyped
        raise InvalidArgumentError(f"options must be RequestOptions, not {type(options).__name__}")
    return options


_DEFAULT_OPTIONS = RequestOptions()


def replace_clock(client: AsyncTruemed, clock: Clock) -> None:
    """Give a client and its copies another clock, for ``truemed_async.testing``."""
    state = state_of(client)
    state.pipeline.clock = clock  # the same pipeline: the synchronous client closes one that is no longer referenced
    client._set_state(attrs.evolve(state, clock=clock))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
