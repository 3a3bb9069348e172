"""Bar charts of counted rows."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Literal

import attrs

Theme = Literal["light", "dark"]
Parts = Mapping[str, int]
"""The parts of a bar: numbers by status."""


@attrs.frozen(kw_only=True)
class BarChart:
    """A bar for each label, each with parts of several colors.

    Attributes:
        title: What is shown.
        label_axis: What the labels are.
        value_axis: What is counted.
        bars: The label and the parts of each bar.
        is_timeline: Whether the bars are consecutive periods, which a picture shows side by side.
        format_number: Formats a number of the axis.
        note: What else to know.
    """

    title: str
    label_axis: str
    value_axis: str
    bars: Sequence[tuple[str, Parts]]
    is_timeline: bool = False
    format_number: Callable[[int], str] = "{:,}".format
    note: str = ""

    @property
    def series(self) -> list[str]:
        """The names of all parts."""
        return sorted({name for _, parts in self.bars for name in parts})

    @property
    def highest(self) -> int:
        """The length of the longest bar."""
        return max((sum(parts.values()) for _, parts in self.bars), default=0)


# --- time ---------------------------------------------------------------------------------------------------------


def make_timeline(title: str, days: Mapping[date, Parts], value_axis: str, max_bars: int) -> BarChart:
    """Return a bar for each day from the first to the last, those without rows too; for weeks or months if they are many.

    Args:
        title: What is shown.
        days: The parts of each day, in UTC.
        value_axis: What is counted.
        max_bars: How many bars there can be; of more months, the last ones are shown.
    """
    unit, starts = next(
        (unit, starts)
        for unit in _START
        for starts in [_periods(days, unit)]
        if len(starts) <= max_bars or unit == "month"
    )
    counts: dict[date, Counter[str]] = {start: Counter() for start in starts}
    for day, parts in days.items():
        counts[_START[unit](day)].update(parts)
    recent = starts[-max_bars:]
    form = "%Y-%m" if unit == "month" else "%Y-%m-%d"
    return BarChart(
        title=f"{title}, by {unit}",
        label_axis={"day": "Day, UTC", "week": "Week from its Monday, UTC", "month": "Month, UTC"}[unit],
        value_axis=value_axis,
        bars=[(f"{start:{form}}", counts[start]) for start in recent],
        is_timeline=True,
        note="" if len(recent) == len(starts) else f"The last {len(recent)} of {len(starts)} months.",
    )


_START: Mapping[str, Callable[[date], date]] = {
    "day": lambda day: day,
    "week": lambda day: day - timedelta(days=min(day.weekday(), day.toordinal() - 1)),
    "month": lambda day: day.replace(day=1),
}


def _periods(days: Mapping[date, object], unit: str) -> list[date]:
    """Return the first days of all periods between the first and the last day."""
    if not days:
        return []
    start = _START[unit]
    return list(dict.fromkeys(map(start, _all_days(min(days), max(days)))))


def _all_days(first: date, last: date) -> Iterator[date]:
    return (date.fromordinal(number) for number in range(first.toordinal(), last.toordinal() + 1))
