"""The qualification sessions that the emulated Truemed knows, and what happens to them behind its API."""

from typing import ClassVar

from truemed_async.emulator.qualification_sessions import moves
from truemed_async.emulator.qualification_sessions.model import QualificationSession
from truemed_async.emulator.store import Store


class QualificationSessions(Store[QualificationSession]):
    """Qualification sessions and their life: `pending` → `processing` → `approved` | `rejected`."""

    name: ClassVar[str] = "qualification_sessions"
    kind = QualificationSession
    id_field: ClassVar[str] = "qualification_session_id"
    prefix: ClassVar[str] = "qs_"

    def start_review(self, qualification_session_id: str) -> None:
        """Let the shopper complete the survey: `pending` → `processing`."""
        self.move("start_review", qualification_session_id, moves.start_review)

    def approve(self, qualification_session_id: str) -> None:
        """Let the review issue a Letter of Medical Necessity, valid for 12 months: `processing` → `approved`."""
        self.move("approve", qualification_session_id, moves.approve)

    def reject(self, qualification_session_id: str) -> None:
        """Let the review find the shopper ineligible: `processing` → `rejected`."""
        self.move("reject", qualification_session_id, moves.reject)
