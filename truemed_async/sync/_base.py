"""What the generated classes are made of."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Coroutine, Iterable
from typing import Any, Generic, TypeVar

from truemed_async._core import arguments
from truemed_async._core.stream import Stream
from truemed_async._sensitive import Secret, Sensitive
from truemed_async.errors import InvalidArgumentError
from truemed_async.sync._runner import runner
from truemed_async.sync._stream import Feed, SyncStream

T = TypeVar("T")
A = TypeVar("A")


class SyncFacade(Generic[A]):
    """Holds the async object and hands its coroutines to the loop thread."""

    __slots__ = ("__weakref__", "_async")

    def __init__(self, wrapped: A) -> None:
        self._async = wrapped

    @staticmethod
    def _run(coroutine: Coroutine[Any, Any, T]) -> T:
        return runner.run(coroutine)

    @staticmethod
    def _stream(stream: Stream[T]) -> SyncStream[T]:
        return SyncStream(stream)

    @staticmethod
    def _fed_stream(
        make: Callable[[AsyncIterable[Any]], Stream[T]], items: Iterable[Any], concurrency: int
    ) -> SyncStream[T]:
        checked = arguments.ids(items)
        if isinstance(checked, AsyncIterable):
            return SyncStream(make(checked))
        feed = Feed(checked, 2 * arguments.positive("concurrency", concurrency))
        return SyncStream(make(feed), feed)


def no_session(session: object) -> None:
    """Refuse a borrowed session: it belongs to an event loop of the caller, and this client has its own."""
    if session is not None:
        raise InvalidArgumentError("a session belongs to your event loop, and Truemed has its own: use AsyncTruemed")


def boxed(api_key: Any) -> Any:
    """Return the key in a form that prints masked."""
    return Secret(api_key) if isinstance(api_key, str) else None if api_key is None else Sensitive(api_key)


def shown(client: Any) -> str:
    """Return a client's ``repr``; a debugger may ask for it before the client is made."""
    made = getattr(client, "_async", None)
    return f"Truemed(base_url={made.base_url!r})" if made is not None else "Truemed(…)"
