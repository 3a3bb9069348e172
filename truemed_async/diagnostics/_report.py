"""The report on a server. Nothing in it comes from a row but types, counts, and names and words that pass a filter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs

CheckStatus = Literal["ok", "differs", "unknown", "failed"]
"""As documented or assumed; otherwise; not visible in the responses; or an error."""


@attrs.frozen(kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        group: ``"connection"``, ``"lists"``, ``"rows"``, ``"errors"`` or ``"headers"``.
        name: What was looked at.
        status: ``"ok"``: as documented, or as this library assumes. ``"differs"``: otherwise. ``"unknown"``: it cannot be
            seen in what the server sent. ``"failed"``: there was no usable response.
        detail: What was found.
    """

    group: str
    name: str
    status: CheckStatus
    detail: str


@attrs.frozen(kw_only=True)
class FieldReport:
    """One member of the objects that an endpoint returns.

    Attributes:
        endpoint: The endpoint, for example ``"qualification_sessions.list"``.
        name: The member.
        is_known: Whether this library knows it.
        is_expected: Whether all values have the type that this library reads.
        types: How often each type was met; ``"absent"`` counts the objects without the member.
        words: For an enumeration: how often each word was met. Words that could be personal are counted only.
        unnamed_words: How many different words were met that are not shown.
    """

    endpoint: str
    name: str
    is_known: bool
    is_expected: bool
    types: Mapping[str, int]
    words: Mapping[str, int] = attrs.field(factory=dict[str, int])
    unnamed_words: int = 0


@attrs.frozen(kw_only=True)
class ServerReport:
    """What a server does where Truemed's documentation leaves a choice.

    Attributes:
        server: ``"production"``, ``"sandbox"``, ``"a server on this machine"`` or ``"another server"``.
        software: The versions of this library, Python and aiohttp.
        requests: How many requests were sent.
        checks: What was looked at.
        fields: The members of the objects in the responses.
        dialect: The observed behavior, as an emulator loads it: ``Dialect.from_dict(report.dialect)``, or as JSON in the
            file of ``truemed emulator --dialect FILE``.
        not_observed: Why the other fields of a dialect are not known.
    """

    server: str
    software: str
    requests: int
    checks: tuple[Check, ...]
    fields: tuple[FieldReport, ...]
    dialect: Mapping[str, Any]
    not_observed: Mapping[str, str]

    @property
    def passed(self) -> bool:
        """Whether no check failed. A difference from the documentation is no failure."""
        return all(check.status != "failed" for check in self.checks)

    @property
    def sentence(self) -> str:
        """One sentence for a bug report."""
        failed, differs = (
            [f"{check.name} ({check.detail})" for check in self.checks if check.status == status]
            for status in ("failed", "differs")
        )
        fields = sorted({f"{field.endpoint}: {field.name}" for field in self.fields if not field.is_expected})
        parts = [
            f"failed: {'; '.join(failed)}" if failed else "",
            f"differs in: {'; '.join(differs)}" if differs else "",
            f"other types in: {', '.join(fields)}" if fields else "",
        ]
        found = ". ".join(part for part in parts if part) or "all as documented or assumed"
        return f"{self.software} met {self.server}: {found}."

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {**attrs.asdict(self), "passed": self.passed, "sentence": self.sentence}
