"""Logs attempts and calls hooks. Only the fields of :class:`~truemed_async.Attempt` are ever logged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType
from typing import TypeVar

from truemed_async._core.request import Request
from truemed_async.options import Attempt, CallStart, Hook

T = TypeVar("T")
R = TypeVar("R")

logger = logging.getLogger("truemed_async")


def log_level(error: object) -> int:
    """Return the level of an attempt: failures are logged as information, everything else for debugging."""
    return logging.DEBUG if error is None else logging.INFO


def log_attempt(attempt: Attempt, hooks: tuple[Hook, ...]) -> None:
    """Log an attempt and call the hooks. An attempt has no URL, header, query or body, so none can be logged."""
    if attempt.error is None:
        logger.debug(
            "%s %s: %s, request %s, attempt %d, %.0f ms",
            attempt.method, attempt.endpoint, attempt.status, attempt.request_id, attempt.number,
            attempt.elapsed * 1000,
        )  # fmt: skip
    else:
        logger.info(
            "%s %s: %s (%s), request %s, attempt %d, %.0f ms, %s",
            attempt.method, attempt.endpoint, attempt.error, attempt.status, attempt.request_id, attempt.number,
            attempt.elapsed * 1000,
            "giving up" if attempt.retry_in is None else f"retrying in {attempt.retry_in:.2f} s",
        )  # fmt: skip
    for hook in hooks:
        _call_hook(hook, attempt)


class CallScope:
    """Surrounds a call: calls ``start_call`` of the hooks that have it, and what that returned at the end of the call."""

    __slots__ = ("_ends", "_hooks", "_request")

    def __init__(self, request: Request, hooks: tuple[Hook, ...]) -> None:
        self._request = request
        self._hooks = hooks
        self._ends: list[Callable[[BaseException | None], object]] = []

    def __enter__(self) -> None:
        for hook in self._hooks:
            start_call: Callable[[CallStart], Callable[[BaseException | None], object]] | None
            if (start_call := getattr(hook, "start_call", None)) is not None:
                end = _call_hook(start_call, self._describe())
                if end is not None:
                    self._ends.append(end)

    def _describe(self) -> CallStart:
        endpoint, url = self._request.endpoint, self._request.url
        return CallStart(
            endpoint=endpoint.name,
            method=endpoint.method,
            route=endpoint.path,
            server_address=url.host or "",
            server_port=url.port or 0,
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for end in reversed(self._ends):
            _call_hook(end, error)


def _call_hook(hook: Callable[[T], R], value: T) -> R | None:
    """Call a hook. If it raises, report the exception to the event loop, and return ``None``."""
    try:
        return hook(value)
    except Exception as error:  # noqa: BLE001  # a broken hook must not turn an applied write into a failure
        asyncio.get_running_loop().call_exception_handler(
            {"message": "a truemed_async hook raised", "exception": error}
        )
        return None
