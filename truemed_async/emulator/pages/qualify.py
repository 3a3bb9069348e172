"""A qualification link: a survey without a payment, `…/qualify/tm_qual_…?source=&user_id=&skus=`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truemed_async.emulator.pages.choices import NO_TREATMENT, check_review, check_survey, decide
from truemed_async.emulator.pages.visit import Sent, Shown, notice

if TYPE_CHECKING:
    from truemed_async.emulator.request import Request
    from truemed_async.emulator.state import State

# The name, and those that it once had.
_SOURCES: Final = ("source", "utm_source", "utm")


def qualify(state: State, request: Request) -> Shown | Sent:
    """Ask the survey, and make a qualification session of the answers."""
    if request.method != "POST":
        return _survey(request)
    problem = check_survey(request) or check_review(request) or _check_email(request)
    if problem:
        return _survey(request, problem)
    sessions = state.qualification_sessions
    id = sessions.add(
        email=request.body.get("email", ""),
        source=next((request.query[name] for name in _SOURCES if name in request.query), None),
        user_id=request.query.get("user_id"),
        skus_param=request.query.get("skus"),
    )
    sessions.start_review(id)
    if request.body.get("condition", "") == NO_TREATMENT:
        sessions.reject(id)
        return notice("You do not qualify", "General health alone cannot be paid with HSA or FSA money.")
    decide(request, id, approve=sessions.approve, reject=sessions.reject)
    return notice("Thank you", "A clinician looks at your answers. You can close this page.")


def _check_email(request: Request) -> str | None:
    return None if "@" in request.body.get("email", "") else "Give your e-mail."


def _survey(request: Request, problem: str | None = None) -> Shown:
    values = {"action": request.target, "email_asked": True, "leave": None, "paid_next": False}
    return Shown("survey.html", {**values, "problem": problem}, 200 if problem is None else 422)
