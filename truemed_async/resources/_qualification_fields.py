"""The fields of a qualification session that can be written or asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

import attrs
from yarl import URL

from truemed_async._core.bulk_changes import Change
from truemed_async._sensitive import MASK
from truemed_async._validation import scalars, urls
from truemed_async.errors import InvalidArgumentError
from truemed_async.options import UNSET, Unset


def _masked(value: object) -> str:
    """Return what ``repr`` shows: whether a field is given, not what it holds."""
    return repr(value) if value is UNSET else MASK


@attrs.frozen
class QualificationSessionUpdateParams(Change):
    """One change of many: what :meth:`~truemed_async.resources.QualificationSessions.update` takes, as an object. It is checked when it is made, not before.

    ``repr`` masks what it would write.

    Attributes:
        qualification_session_id: The session's id.
        user_id: Your identifier of the user. It can be set only while the session has none.
        metadata: Your data: a mapping, or a JSON text that holds an object.
        success_url: Where the customer returns; https, or http on localhost.
        failure_url: As ``success_url``, for a customer who does not qualify.
        idempotency_key: Your own key for this change. By default one is made.
    """

    qualification_session_id: str
    user_id: str | Unset = attrs.field(default=UNSET, kw_only=True, repr=_masked)
    metadata: Mapping[str, Any] | str | Unset = attrs.field(default=UNSET, kw_only=True, repr=_masked)
    success_url: str | URL | Unset = attrs.field(default=UNSET, kw_only=True, repr=_masked)
    failure_url: str | URL | Unset = attrs.field(default=UNSET, kw_only=True, repr=_masked)

    @property
    def id(self) -> str:
        """The session's id."""
        return self.qualification_session_id

    def fields(self) -> dict[str, str]:
        """Check what is to be changed. Equal mappings give equal texts, whatever the order of their members."""
        scalars.validate_id("qualification_session_id", self.qualification_session_id)
        fields = changed_fields(self.user_id, self.metadata, self.success_url, self.failure_url)
        if isinstance(self.metadata, Mapping):
            fields["metadata"] = json.dumps(
                json.loads(fields["metadata"]), sort_keys=True, ensure_ascii=False, separators=(",", ":")
            )
        return fields


def changed_fields(user_id: object, metadata: object, success_url: object, failure_url: object) -> dict[str, str]:
    """Check the fields of an update, and that there is one."""
    fields: dict[str, str] = {}
    if user_id is not UNSET:
        fields["user_id"] = scalars.validate_text("user_id", user_id)
    if metadata is not UNSET:
        fields["metadata"] = scalars.validate_metadata("metadata", metadata)
    if success_url is not UNSET:
        fields["success_url"] = urls.validate_web_url("success_url", success_url)
    if failure_url is not UNSET:
        fields["failure_url"] = urls.validate_web_url("failure_url", failure_url)
    if not fields:
        raise InvalidArgumentError("nothing to change: give user_id, metadata, success_url or failure_url")
    return fields


def filters(
    status: str | None, user_id: str | None, expires_at: date | str | None, search: str | None
) -> dict[str, str | int | bool | None]:
    """Check the filters of a list."""
    return {
        "status": None if status is None else scalars.validate_text("status", status),
        "user_id": None if user_id is None else scalars.validate_text("user_id", user_id),
        "expires_at": None if expires_at is None else scalars.parse_date("expires_at", expires_at),
        "search": None if search is None else scalars.validate_text("search", search),
    }
