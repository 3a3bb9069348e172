"""Which page of which size to request next, so that it shares a row with what was read before."""

from __future__ import annotations

import attrs

MIN_OVERLAPPING_SIZE = 7
"""The smallest page size with which windows overlap.

Below it no two windows overlap at too many rows: at every 60th with 6, at every 420th with 7, at none with 20 or more
(the first would be row 232,792,560).
"""


@attrs.frozen
class Window:
    """A page, numbered from 1, of ``size`` rows: the indexes from ``start`` up to, not including, ``end``."""

    page: int
    size: int

    @property
    def start(self) -> int:
        """The index of its first row."""
        return (self.page - 1) * self.size

    @property
    def end(self) -> int:
        """The index after its last row."""
        return self.page * self.size


def window_around(index: int, size: int) -> Window:
    """Return the page of this size that contains the index."""
    return Window(index // size + 1, size)


@attrs.define
class Windows:
    """The pages that the server can return.

    Attributes:
        max_size: The most rows in a page, as far as is known.
        adjustable: Whether the server returns smaller pages than the largest on request.
    """

    max_size: int
    adjustable: bool = True

    @property
    def can_overlap(self) -> bool:
        """Whether windows are chosen so that they overlap. Otherwise page follows page."""
        return self.adjustable and self.max_size >= MIN_OVERLAPPING_SIZE

    def window_after(self, index: int) -> Window:
        """Return the window that contains the index and reaches furthest; with -1, the first page.

        If no window reaches beyond the index, because all sizes have a boundary there, return the page that starts
        behind it.
        """
        if index < 0:
            return Window(1, self.max_size)
        if self.can_overlap:
            reach = furthest = 1  # the index after the window, counted from this one
            for size in range(self.max_size, 1, -1):
                if size <= reach:  # nor does any smaller window reach further
                    break
                if size - index % size > reach:
                    reach, furthest = size - index % size, size
            if reach > 1:
                return window_around(index, furthest)
        return window_around(index + 1, self.max_size)
