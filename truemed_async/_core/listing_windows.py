"""Which page of which size to read next, so that it shares a row with what was read before."""

from __future__ import annotations

import attrs

# Below it too many rows lie where no two windows can overlap: every 60th at 6, every 420th at 7, never at 20 and above
# (the first is row 232,792,560).
SMALLEST = 7


@attrs.frozen
class Window:
    """A page, numbered from 1, of so many rows: the indexes from ``start`` up to, not including, ``end``."""

    page: int
    size: int

    @property
    def start(self) -> int:
        """The index of its first row."""
        return (self.page - 1) * self.size

    @property
    def end(self) -> int:
        """The index behind its last row."""
        return self.page * self.size


def around(index: int, size: int) -> Window:
    """Return the page of this size that holds the index."""
    return Window(index // size + 1, size)


@attrs.define
class Windows:
    """What the server's pages can be.

    Attributes:
        largest: The most rows that a page has, as far as is known.
        free: Whether a smaller page than the largest can be had.
    """

    largest: int
    free: bool = True

    @property
    def overlap(self) -> bool:
        """Whether windows are chosen so that they overlap; if not, page follows page."""
        return self.free and self.largest >= SMALLEST

    def after(self, index: int) -> Window:
        """Return the window that holds the index and reaches furthest; -1 stands for nothing read yet.

        Where none reaches beyond the index (all sizes have an edge behind it) it is the page that starts there.
        """
        if index < 0:
            return Window(1, self.largest)
        if self.overlap:
            size = max(range(2, self.largest + 1), key=lambda size: ((index // size + 1) * size, size))
            window = around(index, size)
            if window.end > index + 1:
                return window
        return around(index + 1, self.largest)
