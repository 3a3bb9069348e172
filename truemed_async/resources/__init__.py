"""The groups of endpoints, one file each."""

from __future__ import annotations

from truemed_async.resources.qualification_sessions import QualificationSessions

__all__ = ["QualificationSessions"]
