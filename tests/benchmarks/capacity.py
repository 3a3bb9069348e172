"""Computes docs/capacity.md: what a number of sessions a month needs, from measured costs.

    python -m tests.benchmarks.capacity [--rate REQUESTS_PER_SECOND] [--docs]

Prints the tables; with ``--docs``, writes them and the picture into docs/.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import attrs

DOCS = Path(__file__).parents[2] / "docs"
PAGE, PICTURE = DOCS / "capacity.md", DOCS / "capacity.svg"
MARKS = ("<!-- tables: written by nox -s capacity -->", "<!-- end of tables -->")

SIZES = tuple(10**power for power in range(3, 9))
MONTH = 30 * 86_400
GIB = 2**30


@attrs.frozen(kw_only=True)
class Costs:
    """Measured costs, and assumptions about the use.

    Measured on a shared machine with two cores and CPython 3.11: a listing of 5,000 sessions and their files, 1,500
    events in SQLite, 50,000 in PostgreSQL. The CPU time of a delivery with PostgreSQL is that of docs/webhooks.md.
    """

    page_size: int = 100
    page_overlap: float = 1.14  # requests of a listing, in relation to one for each page
    read_seconds: float = 8.9e-6  # CPU time of a session in a listing, without the network
    arrow_bytes: float = 240.0  # a session in a pyarrow.Table
    parquet_bytes: float = 60.0
    mirror_bytes: float = 305.0
    sqlite_event_bytes: float = 246.0
    postgres_event_bytes: float = 315.0
    sqlite_seconds: float = 13.4e-3  # a delivery with SQLiteDedupStore, with its waits for the disk of a busy machine
    postgres_seconds: float = 0.5e-3  # CPU time of a delivery with PostgresInbox
    # Assumptions:
    rate: float = 10.0  # requests a second that Truemed permits a sales channel
    events_per_session: float = 2.0
    retention_days: int = 8
    peak: float = 10.0  # the busiest second, in relation to the mean
    load: float = 0.5  # of the time of a process, at most
    memory: float = 1.0 * GIB  # for one table
    mirror_months: int = 12
    mirror_limit: float = 10.0 * GIB
    partition_rows: int = 1_000_000  # rows of a file or a partition


@attrs.frozen
class Need:
    """What a number of sessions a month needs."""

    sessions: int
    costs: Costs

    @property
    def list_requests(self) -> int:
        return math.ceil(self.sessions / self.costs.page_size * self.costs.page_overlap)

    def hours(self, requests: int) -> float:
        return requests / self.costs.rate / 3600

    @property
    def channels(self) -> int:
        """The number of sales channels, read at once, whose listings end within a day."""
        return max(1, math.ceil(self.hours(self.list_requests) / 24))

    @property
    def rows(self) -> float:
        """Events that a store remembers at a time."""
        return self.sessions * self.costs.events_per_session * self.costs.retention_days / 30

    @property
    def peak_deliveries(self) -> float:
        """Deliveries a second in the busiest one."""
        return self.sessions * self.costs.events_per_session / MONTH * self.costs.peak

    def processes(self, seconds: float) -> int:
        return max(1, math.ceil(self.peak_deliveries * seconds / self.costs.load))

    @property
    def mirror_bytes(self) -> float:
        return self.sessions * self.costs.mirror_bytes * self.costs.mirror_months

    @property
    def partitions(self) -> int:
        return max(1, math.ceil(self.sessions / self.costs.partition_rows))


def format_bytes(value: float) -> str:
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.3g} {unit}"
        value /= 1024
    return f"{value:.3g} TiB"


def format_hours(value: float) -> str:
    if value * 3600 < 60:
        return f"{value * 3600:.2g} s"
    if value < 1:
        return f"{value * 60:.2g} min"
    return f"{value:.2g} h" if value < 48 else f"{value / 24:,.0f} days"


def format_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def find_end(fits: Callable[[Need], bool], costs: Costs) -> float:
    """Return the most sessions a month that fit, of 1, 2 or 5 times a power of ten; infinite if all do."""
    steps = [factor * 10**power for power in range(12) for factor in (1, 2, 5)]
    largest = max((step for step in steps if fits(Need(step, costs))), default=0)
    return math.inf if largest == steps[-1] else largest


# What ends, while it fits, and what takes over.
PARTS: tuple[tuple[str, Callable[[Need], bool], str], ...] = (
    (
        "`get_many` of all sessions within a day",
        lambda need: need.hours(need.sessions) <= 24,
        "listings: [`iter`](bulk.md), and [webhooks](webhooks.md) for changes",
    ),
    (
        "`SQLiteDedupStore`, whose writers wait for each other",
        lambda need: need.processes(need.costs.sqlite_seconds) == 1,
        "[`PostgresInbox`](webhooks.md), on any number of machines",
    ),
    (
        "a mirror of 12 months in SQLite, 10 GiB",
        lambda need: need.mirror_bytes <= need.costs.mirror_limit,
        "a warehouse, loaded [with dlt](dlt.md)",
    ),
    (
        "a month as one Arrow table, 1 GiB",
        lambda need: need.sessions * need.costs.arrow_bytes <= need.costs.memory,
        "`record_batches` and Parquet, queried [with DuckDB](data-frames.md)",
    ),
    (
        "the listing of one sales channel within a day",
        lambda need: need.channels == 1,
        "several channels at once, [with Spark](spark.md) or dlt; or a higher limit from Truemed",
    ),
    (
        "`PostgresInbox` in one process",
        lambda need: need.processes(need.costs.postgres_seconds) == 1,
        "more processes, on one database",
    ),
)


def compute_tables(costs: Costs) -> str:
    """Return the tables of the page."""
    needs = [Need(size, costs) for size in SIZES]
    reading = format_table(
        ["sessions a month", "requests of a listing", "time", "requests of `get` for each", "time", "CPU time of a listing", "channels for a day"],
        [
            [f"{need.sessions:,}", f"{need.list_requests:,}", format_hours(need.hours(need.list_requests)),
             f"{need.sessions:,}", format_hours(need.hours(need.sessions)),
             format_hours(need.sessions * costs.read_seconds / 3600), str(need.channels)]
            for need in needs
        ],
    )  # fmt: skip
    webhooks = format_table(
        ["sessions a month", "deliveries a second, at the peak", "rows in the store", "disk, SQLite", "disk, PostgreSQL", "processes, SQLite", "processes, PostgreSQL"],
        [
            [f"{need.sessions:,}", f"{need.peak_deliveries:,.3f}", f"{need.rows:,.0f}",
             format_bytes(need.rows * costs.sqlite_event_bytes), format_bytes(need.rows * costs.postgres_event_bytes),
             str(need.processes(costs.sqlite_seconds)) if need.processes(costs.sqlite_seconds) == 1 else "–",
             str(need.processes(costs.postgres_seconds))]
            for need in needs
        ],
    )  # fmt: skip
    keeping = format_table(
        ["sessions a month", "memory as Arrow", "disk as Parquet", "SQLite mirror of 12 months", "partitions"],
        [
            [f"{need.sessions:,}", format_bytes(need.sessions * costs.arrow_bytes),
             format_bytes(need.sessions * costs.parquet_bytes), format_bytes(need.mirror_bytes), str(need.partitions)]
            for need in needs
        ],
    )  # fmt: skip
    ends = sorted(((find_end(fits, costs), part, successor) for part, fits, successor in PARTS), key=lambda row: row[0])
    ending = format_table(
        ["part", "ends at, sessions a month", "what takes over"],
        [[part, "not up to 10¹¹" if math.isinf(end) else f"{end:,.0f}", successor] for end, part, successor in ends],
    )
    return "\n\n".join(
        [
            f"## Read a month, at {costs.rate:g} requests a second", reading,
            "## Receive webhooks", webhooks,
            "## Keep the sessions", keeping,
            "## Limits of each part", ending,
        ]
    )  # fmt: skip


def draw(costs: Costs) -> str:
    """Return the picture: the hours of both ways to read a month, over its sessions, on logarithmic scales."""
    left, top, width, height = 90, 30, 520, 300
    low, high = math.log10(SIZES[0]), math.log10(SIZES[-1])
    floor, ceiling = -4.0, 4.0  # powers of ten, in hours

    def point(sessions: float, hours: float) -> tuple[float, float]:
        x = left + (math.log10(sessions) - low) / (high - low) * width
        return x, top + height - (math.log10(hours) - floor) / (ceiling - floor) * height

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 60} {top + height + 70}" role="img">',
        "<style>text { font: 13px sans-serif }</style>",
        f"<title>Hours to read a month of sessions at {costs.rate:g} requests a second</title>",
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    for size in SIZES:
        x, _ = point(size, 1)
        parts.append(f'<path d="M{x:.0f} {top}V{top + height}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.0f}" y="{top + height + 20}" text-anchor="middle">{size:,}</text>')
    for label, hours in (("1 s", 1 / 3600), ("1 min", 1 / 60), ("1 h", 1.0), ("1 day", 24.0), ("30 days", 720.0)):
        _, y = point(SIZES[0], hours)
        stroke = "#b00" if hours == 24 else "#ddd"
        parts.append(f'<path d="M{left} {y:.0f}H{left + width}" stroke="{stroke}"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.0f}" text-anchor="end">{label}</text>')
    lines: tuple[tuple[str, str, Callable[[Need], int]], ...] = (
        ("get for each", "#c60", lambda need: need.sessions),
        ("listing", "#06a", lambda need: need.list_requests),
    )
    for label, color, requests in lines:
        needs = [Need(size, costs) for size in SIZES]
        points = [point(need.sessions, need.hours(requests(need))) for need in needs]
        parts.append(
            f'<polyline points="{" ".join(f"{x:.0f},{y:.0f}" for x, y in points)}" fill="none" stroke="{color}" '
            'stroke-width="2.5"/>'
        )
        x, y = points[2]
        parts.append(f'<text x="{x - 8:.0f}" y="{y - 10:.0f}" text-anchor="end" fill="{color}">{label}</text>')
    parts.append(
        f'<text x="{left + width / 2:.0f}" y="{top + height + 48}" text-anchor="middle">sessions a month</text>'
    )
    return "\n".join([*parts, "</svg>", ""])


def replace_tables(page: str, tables: str) -> str:
    before, _, rest = page.partition(MARKS[0])
    _, _, after = rest.partition(MARKS[1])
    return f"{before}{MARKS[0]}\n\n{tables}\n\n{MARKS[1]}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Compute what a number of sessions a month needs.")
    parser.add_argument("--rate", type=float, default=Costs().rate, help="requests a second of a sales channel")
    parser.add_argument("--docs", action="store_true", help="write docs/capacity.md and its picture")
    options = parser.parse_args()
    costs = Costs(rate=options.rate)
    if options.docs:
        PAGE.write_text(replace_tables(PAGE.read_text(encoding="utf-8"), compute_tables(costs)), encoding="utf-8")
        PICTURE.write_text(draw(costs), encoding="utf-8")
    print(compute_tables(costs))


if __name__ == "__main__":
    main()
