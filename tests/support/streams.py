"""Streams that write less than they are given."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Buffer


class ShortStream(io.RawIOBase):
    """Writes at most ``size`` bytes at a time, as a raw stream may."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Buffer, /) -> int:
        written = bytes(data)[: self.size]
        self.data += written
        return len(written)
