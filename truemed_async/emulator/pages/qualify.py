"""A qualification link: a survey without a payment, `…/qualify/tm_qual_…?source=&user_id=&skus=`."""

from typing import Final

from truemed_async.emulator.pages.choices import NO_TREATMENT, check_review, check_survey, decide
from truemed_async.emulator.pages.visit import Sent, Shown, Visit, notice

# The name, and those that it once had.
_SOURCES: Final = ("source", "utm_source", "utm")


def qualify(visit: Visit) -> Shown | Sent:
    """Ask the survey, and make a qualification session of the answers."""
    if visit.form is None:
        return _survey(visit)
    problem = check_survey(visit) or check_review(visit) or _check_email(visit)
    if problem:
        return _survey(visit, problem)
    sessions = visit.state.qualification_sessions
    id = sessions.add(
        email=visit.field("email"),
        source=next((visit.query[name] for name in _SOURCES if name in visit.query), None),
        user_id=visit.query.get("user_id"),
        skus_param=visit.query.get("skus"),
    )
    sessions.start_review(id)
    if visit.field("condition") == NO_TREATMENT:
        sessions.reject(id)
        return notice("You do not qualify", "General health alone cannot be paid with HSA or FSA money.")
    decide(visit, id, approve=sessions.approve, reject=sessions.reject)
    return notice("Thank you", "A clinician looks at your answers. You can close this page.")


def _check_email(visit: Visit) -> str | None:
    return None if "@" in visit.field("email") else "Give your e-mail."


def _survey(visit: Visit, problem: str | None = None) -> Shown:
    values = {"action": visit.address, "email_asked": True, "leave": None, "paid_next": False}
    return Shown("survey.html", {**values, "problem": problem}, 200 if problem is None else 422)
