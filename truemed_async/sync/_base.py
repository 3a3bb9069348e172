"""Helper functions of the generated classes."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Sized
from typing import TYPE_CHECKING, Any, TypeVar, cast

from truemed_async._core.stream import Stream
from truemed_async._sensitive import Secret, Sensitive
from truemed_async._validation import scalars
from truemed_async.errors import InvalidArgumentError
from truemed_async.resources._property import resource_types
from truemed_async.sync._stream import IterableBridge, SizedIterableBridge, SyncStream

if TYPE_CHECKING:
    from truemed_async.client import AsyncTruemed
    from truemed_async.webhooks import CatchUpResult, Receiver

T = TypeVar("T")


def bridge_stream(
    make: Callable[[Any], Stream[T]], items: Iterable[Any] | AsyncIterable[Any], concurrency: int
) -> SyncStream[T]:
    """Return a stream whose input, the caller's iterable, is iterated on the caller's thread."""
    if isinstance(items, (str, bytes)) or not isinstance(items, Iterable):
        return SyncStream(make(items), ahead=False)  # an async iterable, or rejected by `make`
    bridge = _bridge(items, 2 * scalars.validate_positive_int("concurrency", concurrency))
    return SyncStream(make(bridge), bridge, ahead=False)


def _bridge(items: Iterable[Any], ahead: int) -> IterableBridge:
    return SizedIterableBridge(items, ahead, len(items)) if isinstance(items, Sized) else IterableBridge(items, ahead)


def reject_session(session: object) -> None:
    """Reject a borrowed session: it belongs to an event loop of the caller, and this client has its own."""
    if session is not None:
        raise InvalidArgumentError("a session belongs to your event loop, and Truemed has its own: use AsyncTruemed")


def run_catch_up(client: AsyncTruemed, receiver: object, **window: Any) -> CatchUpResult:
    """Hand the changes that the asynchronous client finds to a receiver on the caller's thread."""
    from truemed_async.webhooks import AsyncReceiver  # noqa: PLC0415  # loaded when they are used
    from truemed_async.webhooks._catch_up import find_changes  # noqa: PLC0415

    if isinstance(receiver, AsyncReceiver):
        raise InvalidArgumentError("an AsyncReceiver belongs to your event loop: use AsyncTruemed, or a Receiver")
    with SyncStream(find_changes(client, receiver, **window)) as events:
        return cast("Receiver", receiver).handle_events(events)


def wrap_secret(api_key: Any) -> Any:
    """Return the key in a form whose ``repr`` is masked."""
    return Secret(api_key) if isinstance(api_key, str) else None if api_key is None else Sensitive(api_key)


def format_repr(client: Any) -> str:
    """Return a client's ``repr``, which a debugger may request before ``__init__`` has finished."""
    inner = getattr(client, "_async", None)
    return f"Truemed(base_url={inner.base_url!r})" if inner is not None else "Truemed(…)"


def wrap_resources(client: Any) -> dict[str, Any]:
    """Return the resources of a synchronous client, each around the one of the asynchronous client."""
    return {name: kind(getattr(client._async, name)) for name, kind in resource_types(client).items()}  # noqa: SLF001
