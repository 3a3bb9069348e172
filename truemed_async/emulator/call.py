"""What a handler is given and how it refuses: no HTTP library in sight."""

from collections.abc import Mapping

import attrs


@attrs.frozen
class Call:
    """One authenticated request to a known route, as a handler sees it.

    `params` are the percent-decoded path parameters, `query` the decoded query parameters (the first of each name),
    `body` the raw bytes.
    """

    params: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes


class Problem(Exception):  # noqa: N818 - it is Truemed's error answer on its way out, not a failure of the emulator
    """An error answer: HTTP `status` and the body `{"error": error, "message": message}`.

    Truemed publishes the statuses and, for some, the value of `error`: `ValidationError` (400) and
    `user_id_already_set` (409) are its own; the others, and all messages, are our choice.
    """

    def __init__(self, status: int, error: str, message: str, *, allow: str | None = None) -> None:
        """Keep the parts; `allow` is the value of the Allow header of a 405."""
        super().__init__(f"{status} {error}")
        self.status = status
        self.error = error
        self.message = message
        self.allow = allow


def invalid(message: str) -> Problem:
    """Return the 400 that Truemed answers when a request cannot be processed."""
    return Problem(400, "ValidationError", message)
