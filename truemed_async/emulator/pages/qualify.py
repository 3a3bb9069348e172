"""Qualification links, ``…/qualify/tm_qual_…?source=&user_id=&skus=``, and the survey without a payment behind them.

Truemed's guide "Update a Qualification Session" tells the story: opening the link begins a session, the merchant may
update it meanwhile, and at the end the shopper returns to the URLs as they are then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from truemed_async.emulator.pages.choices import NO_TREATMENT, Problem, apply_review, validate_review, validate_survey
from truemed_async.emulator.pages.page import Redirect, Render, message_page, safe_redirect_url
from truemed_async.emulator.request import hosted_url

if TYPE_CHECKING:
    from truemed_async.emulator.request import ReceivedRequest
    from truemed_async.emulator.resources.qualification_sessions import EmulatedQualificationSession
    from truemed_async.emulator.resources.state import State

# The current name of the parameter, and its earlier ones.
_SOURCES: Final = ("source", "utm_source", "utm")
_OPEN: Final = "pending"


def open_link(state: State, request: ReceivedRequest) -> Render | Redirect:
    """Begin a qualification session; a user who holds a valid Letter skips the survey."""
    id = state.qualification_sessions.open_link(
        source=next((request.query[name] for name in _SOURCES if name in request.query), None),
        user_id=request.query.get("user_id"),
        skus=request.query.get("skus"),
    )
    return Redirect(hosted_url("", "qualification_sessions", id))


def survey(state: State, request: ReceivedRequest) -> Render | Redirect:
    """Show the survey of a session, then return to the shop."""
    sessions = state.qualification_sessions
    session = sessions.get(request.params["id"])
    if session.status != _OPEN:
        return _closed_page(session)
    action = hosted_url("", "qualification_sessions", session.id)
    if request.method != "POST":
        return _survey(request, action)
    problem = validate_survey(request) or validate_review(request) or _validate_email(request)
    if problem:
        return _survey(request, action, problem)
    sessions.change(session.id, email=request.body.get("email", ""))
    sessions.start_review(session.id)
    if request.body.get("condition", "") == NO_TREATMENT:
        sessions.reject(session.id)
        there = safe_redirect_url(session.failure_url)
        explanation = "General health only does not qualify for HSA or FSA funds."
        return Redirect(there) if there else message_page("You do not qualify", explanation, tone="bad")
    apply_review(request, session.id, approve=sessions.approve, reject=sessions.reject)
    return Redirect(safe_redirect_url(session.success_url) or action)  # without a shop's page, to the result


def review(state: State, request: ReceivedRequest) -> Redirect:
    """Decide the review of a submitted survey, as the tester chose on the page that waits for it."""
    sessions, session = state.qualification_sessions, state.qualification_sessions.get(request.params["id"])
    apply_review(request, session.id, approve=sessions.approve, reject=sessions.reject)
    return Redirect(hosted_url("", "qualification_sessions", session.id))


def _closed_page(session: EmulatedQualificationSession) -> Render:
    """Show how it stands. The shopper has completed the flow: the URLs have no effect any more."""
    match session.status:
        case "approved":
            explanation = "Your Letter of Medical Necessity has been issued: there is no survey to complete."
            return message_page("You qualify", explanation, tone="good")
        case "rejected":
            return message_page("You do not qualify", "The review has found that you do not qualify.", tone="bad")
        case _:
            return message_page(
                "Your survey is under review",
                "A clinician is reviewing your survey. This page refreshes by itself.",
                tone="wait",
                review=f"{hosted_url('', 'qualification_sessions', session.id)}/review",
                waits_in=session.status,
            )


def _validate_email(request: ReceivedRequest) -> Problem | None:
    return None if "@" in request.body.get("email", "") else Problem("email", "Enter your e-mail address.")


def _survey(request: ReceivedRequest, action: str, problem: Problem | None = None) -> Render:
    values = {
        "action": action,
        "chosen": request.body,
        "email_asked": True,
        "leave": None,
        "order": None,
        "paid_next": False,
        "problem": problem,
    }
    return Render("survey.html", values, 200 if problem is None else 422)
