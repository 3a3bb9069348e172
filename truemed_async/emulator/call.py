"""What a handler is given and how it refuses: no HTTP library in sight."""

from collections.abc import Mapping
from typing import Any, Self

import attrs


@attrs.frozen
class Call:
    """One authenticated request to a known route, as a handler sees it: checked against the route's declaration.

    `params` are the percent-decoded path parameters, `query` the parsed query parameters (the first of each name;
    what is not given has its default, or None), `body` the members of the JSON object, empty when the route takes
    none. `origin` is the emulator's own URL as the client wrote it, without a slash at its end.
    """

    params: Mapping[str, str]
    query: Mapping[str, Any]
    body: Mapping[str, Any]
    origin: str


class Problem(Exception):  # noqa: N818 - it is Truemed's error answer on its way out, not a failure of the emulator
    """An error answer: HTTP `status` and the body `{"error": error, "message": message}`, sometimes with more.

    Truemed publishes the statuses and, for some endpoints, the values of `error`; docs/emulator.md lists those that
    are our choice, as all messages are.
    """

    def __init__(
        self, status: int, error: str, message: str, *, allow: str | None = None, more: Mapping[str, Any] | None = None
    ) -> None:
        """Keep the parts; `allow` is the value of the Allow header of a 405, `more` what else the body holds."""
        super().__init__(f"{status} {error}")
        self.status = status
        self.body: dict[str, Any] = {"error": error, "message": message, **(more or {})}
        self.allow = allow

    @classmethod
    def of(cls, status: int, body: Mapping[str, Any]) -> Self:
        """Return the problem that has this body."""
        problem = cls(status, body["error"], body["message"])
        problem.body = dict(body)
        return problem


def invalid(message: str) -> Problem:
    """Return the 400 that Truemed answers when a request cannot be processed."""
    return Problem(400, "ValidationError", message)
