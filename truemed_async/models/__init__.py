"""The objects of the API, as immutable attrs classes."""

from __future__ import annotations

from truemed_async.models._base import Model, Page, Pagination
from truemed_async.models._enums import OpenEnum
from truemed_async.models.qualification_sessions import (
    QualificationSession,
    QualificationSessionUpdate,
    QualificationStatus,
)

__all__ = [
    "Model",
    "OpenEnum",
    "Page",
    "Pagination",
    "QualificationSession",
    "QualificationSessionUpdate",
    "QualificationStatus",
]
