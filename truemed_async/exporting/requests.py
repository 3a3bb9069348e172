"""Counts what a client sends."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from truemed_async.options import Attempt

if TYPE_CHECKING:
    from truemed_async.client import AsyncTruemed


@attrs.define
class Requests:
    """A hook that counts requests, and which of them were retries."""

    made: int = 0
    retries: int = 0

    def __call__(self, attempt: Attempt) -> None:
        """Count one."""
        self.made += 1
        self.retries += attempt.number > 1

    def counting(self, client: AsyncTruemed) -> AsyncTruemed:
        """Return a copy of the client that is counted; its own hooks are called too."""
        hooks = client._settings.hooks  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]
        return client.with_options(hooks=(*hooks, self))
