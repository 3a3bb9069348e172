"""Logs attempts and calls hooks. Only the fields of :class:`~truemed_async.Attempt` are ever logged."""

from __future__ import annotations

import asyncio
import logging

from truemed_async.options import Attempt, Hook

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
        try:
            hook(attempt)
        except Exception as error:  # noqa: BLE001  # a broken hook must not turn an applied write into a failure
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a truemed_async hook raised", "exception": error}
            )
