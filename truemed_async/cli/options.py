"""Kinds of options that several commands share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, cast

import attrs
from cyclopts import Parameter, Token, convert
from cyclopts.validators import Number

import truemed_async
from truemed_async.errors import InvalidArgumentError

if TYPE_CHECKING:
    from truemed_async import Unset

T = TypeVar("T")


def _as_given(kind: Any, words: Sequence[Token]) -> Any:
    return cast("Callable[..., Any]", convert)(kind, words)


# By itself the library takes the word "none" for an option that is not there: a filter for the user "none" would list
# everybody.
AS_GIVEN = Parameter(converter=_as_given)
NOT_NEGATIVE = Parameter(validator=Number(gte=0))
PORT = Parameter(validator=Number(gte=0, lte=65535))
CONTEXT = Parameter(parse=False)

Text = Annotated[str | None, AS_GIVEN]
Count = Annotated[int | None, AS_GIVEN, NOT_NEGATIVE]


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Filters:
    """Which sessions: options of `list`, `export` and `summary`.

    Attributes:
        status: Only sessions of this status: pending, processing, approved or rejected.
        user_id: Only sessions of this user.
        search: Text to find in user name, e-mail, user_business_id, utm and external_user_id.
        expires_at: Only sessions whose Letter of Medical Necessity expires on this day, YYYY-MM-DD, in UTC.
    """

    status: Text = None
    user_id: Text = None
    search: Text = None
    expires_at: Text = None

    def given(self) -> dict[str, Any]:
        """Return them by the names that the client gives them."""
        return attrs.asdict(self)


EVERYTHING = Filters()


def given(value: T | None) -> T | Unset:
    """Return what was given, or that nothing was."""
    return truemed_async.UNSET if value is None else value


def moment(option: str, text: str | None) -> date | None:
    """Return the day or the time that was given; a time without a zone is UTC."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    except ValueError:
        pass  # said below
    raise InvalidArgumentError(f"--{option} must be YYYY-MM-DD, or a time such as 2026-11-01T09:30")
