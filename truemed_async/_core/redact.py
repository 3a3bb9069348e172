"""What is logged of an attempt: an allow-list, so that nothing else can slip in."""

from __future__ import annotations

import asyncio
import logging

from truemed_async.options import Attempt, Hook

logger = logging.getLogger("truemed_async")


def level(error: object) -> int:
    """Failed attempts are worth knowing of; the others are for debugging."""
    return logging.DEBUG if error is None else logging.INFO


def report(attempt: Attempt, hooks: tuple[Hook, ...]) -> None:
    """Log an attempt and tell the hooks. No URL, header, query or body is at hand here, so none can be logged."""
    if attempt.error is None:
        logger.debug(
            "%s %s: %s, request %s, attempt %d, %.0f ms",
            attempt.method, attempt.endpoint, attempt.status, attempt.request_id, attempt.number, attempt.elapsed * 1000,
        )  # fmt: skip
    else:
        logger.info(
            "%s %s: %s (%s), request %s, attempt %d, %.0f ms, %s",
            attempt.method, attempt.endpoint, attempt.error, attempt.status, attempt.request_id, attempt.number,
            attempt.elapsed * 1000, "giving up" if attempt.retry_in is None else f"again in {attempt.retry_in:.2f} s",
        )  # fmt: skip
    for hook in hooks:
        try:
            hook(attempt)
        except Exception as error:  # noqa: BLE001  # a broken hook must not turn an applied write into a failure
            asyncio.get_running_loop().call_exception_handler(
                {"message": "a truemed_async hook raised", "exception": error}
            )
