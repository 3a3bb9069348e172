"""Reads a complete list page by page while it changes, and misses no row.

A page is a slice of the sorted list at some moment. If a row in front of the reader is deleted, all later rows move up
by one, and a reader that takes page after page misses one of them. So consecutive pages are chosen to overlap by at
least one row. With rows ``a`` to ``t`` and pages of at most 8::

    request 1    page 1, size 8   [a b c d e f g h]               yields a … h; the last row read is h, at index 7
                                   row c is deleted: all rows after it move up by one
    request 2    page 2, size 7                  [i j k l m n o]  indexes 7 to 13: the page that contains index 7 and
                                                                  reaches furthest. It should begin with h but does
                                                                  not, so rows may be missing: it is set aside
    request 3    page 2, size 5              [g h i j k]          indexes 5 to 9, further back. It holds h, so it has
                                                                  every row that follows h: yields i j k
                                                                  the page set aside now overlaps: yields l m n o

**Invariant: every row that has existed since the start and stands at or before the last row yielded has been yielded
exactly once.** A page preserves it if it is the first page, or holds a row at or before the last row yielded; see
``_Paginator._preserves_invariant``. The invariant does not depend on the order in which the pages were taken, so pages
may be prefetched, in any order, from replicas that lag behind.

Not guaranteed: rows deleted before they are reached, rows inserted behind the reader, a sort key that changes. If rows
with equal keys have no stable order, all of them are read if they fit on one page; otherwise a
:class:`~truemed_async.errors.PaginationDriftError` is raised, provided that the list did not change otherwise. If the
order of a list is unknown, all rows are treated as rows with equal keys: every id is remembered, and the order must be
stable.

=============  =====================================================================================================
``windows``    which page, of which size, to request next
``prefetch``   requests those pages ahead of their use
``watermark``  which rows were already yielded, in bounded memory
``iterate``    the loop, the end of the list, and what to do with a page that does not overlap
``refusals``   what to do with a page that the server refuses
=============  =====================================================================================================
"""

from __future__ import annotations

from truemed_async._core.pagination.iterate import iterate_all
from truemed_async._core.pagination.prefetch import FetchPage
from truemed_async._core.pagination.refusals import RefusalHandler
from truemed_async._core.pagination.watermark import Comparable, SortOrder, unordered

__all__ = ["Comparable", "FetchPage", "RefusalHandler", "SortOrder", "iterate_all", "unordered"]
