"""What can be said of rows without holding them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self, TypeVar

import attrs

from truemed_async.exporting.table import Table
from truemed_async.models import Model

M = TypeVar("M", bound=Model)


@attrs.define
class Tally:
    """How many rows, how many of each status, and the span of time in which they were created."""

    rows: int = 0
    statuses: Counter[str] = attrs.field(factory=Counter[str])
    earliest: datetime | None = None
    latest: datetime | None = None

    def add(self, table: Table[M], rows: Iterable[M]) -> None:
        """Count rows."""
        for row in rows:
            self.rows += 1
            if table.status is not None:
                self.statuses[str(getattr(row, table.status))] += 1
            moment: datetime | None = None if table.created_at is None else getattr(row, table.created_at)
            if moment is not None:
                self.earliest = moment if self.earliest is None else min(self.earliest, moment)
                self.latest = moment if self.latest is None else max(self.latest, moment)

    def to_dict(self) -> dict[str, Any]:
        """Return it as data for JSON."""
        return attrs.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Return what :meth:`to_dict` wrote."""
        moments = {name: data[name] and datetime.fromisoformat(data[name]) for name in ("earliest", "latest")}
        return cls(rows=data["rows"], statuses=Counter(data["statuses"]), **moments)
