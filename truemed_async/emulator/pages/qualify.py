"""Qualification links: a survey without a payment, ``…[/BRAND]/qualify/tm_qual_…?source=&user_id=&skus=``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truemed_async.emulator.pages.choices import NO_TREATMENT, apply_review, validate_review, validate_survey
from truemed_async.emulator.pages.page import Redirect, Render, message_page

if TYPE_CHECKING:
    from truemed_async.emulator.request import Request
    from truemed_async.emulator.resources.state import State

# The current name of the parameter, and its earlier ones.
_SOURCES: Final = ("source", "utm_source", "utm")


def qualify(state: State, request: Request) -> Render | Redirect:
    """Show the survey, and create a qualification session from it."""
    if request.method != "POST":
        return _survey(request)
    problem = validate_survey(request) or validate_review(request) or _validate_email(request)
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
        return message_page("You do not qualify", "General health only does not qualify for HSA or FSA funds.")
    apply_review(request, id, approve=sessions.approve, reject=sessions.reject)
    return message_page("Thank you", "A clinician will review your survey. You can close this page.")


def _validate_email(request: Request) -> str | None:
    return None if "@" in request.body.get("email", "") else "Enter your e-mail address."


def _survey(request: Request, problem: str | None = None) -> Render:
    values = {"action": request.target, "email_asked": True, "leave": None, "paid_next": False}
    return Render("survey.html", {**values, "problem": problem}, 200 if problem is None else 422)
