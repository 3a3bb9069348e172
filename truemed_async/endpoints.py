"""Every endpoint, one value each. The table in the documentation is printed from here."""

from __future__ import annotations

from typing import Any

from truemed_async._core.endpoint import Endpoint, Idempotency
from truemed_async.models import Page, QualificationSession, QualificationSessionUpdate

GET_QUALIFICATION_SESSION = Endpoint(
    "qualification_sessions.get",
    "GET",
    "/api/v1/qualification_session/{qualification_session_id}",
    QualificationSession,
)
LIST_QUALIFICATION_SESSIONS = Endpoint(
    "qualification_sessions.list",
    "GET",
    "/api/v1/qualification_sessions",
    Page[QualificationSession],
    items="qualification_sessions",
)
UPDATE_QUALIFICATION_SESSION = Endpoint(
    "qualification_sessions.update",
    "POST",
    "/api/v1/qualification_session/{qualification_session_id}/update",
    QualificationSessionUpdate,
    idempotency=Idempotency.KEYED,
)

ENDPOINTS: tuple[Endpoint[Any], ...] = (
    GET_QUALIFICATION_SESSION,
    LIST_QUALIFICATION_SESSIONS,
    UPDATE_QUALIFICATION_SESSION,
)
