"""Types of options that several commands share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar, cast

import attrs
import orjson
from cyclopts import Group, Parameter, Token, convert
from cyclopts.validators import Number

import truemed_async
from truemed_async.cli.front_page import GLOBAL_OPTIONS, GLOBAL_OPTIONS_TITLE
from truemed_async.errors import InvalidArgumentError

if TYPE_CHECKING:
    from truemed_async import OrderItem, Unset

T = TypeVar("T")


def _convert_literally(kind: Any, words: Sequence[Token]) -> Any:
    return cast("Callable[..., Any]", convert)(kind, words)


# By itself the library reads the word "none" as an absent option: a filter for the user "none" would list every user.
LITERAL = Parameter(converter=_convert_literally)
FLAG = Parameter(negative="", show_default=False)
MANY = Parameter(negative="", show_default=False)
SHOW_CHOICES = Parameter(show_choices=True)
HIDE_CHOICES = Parameter(show_choices=False)
NON_NEGATIVE = Parameter(validator=Number(gte=0))
PORT = Parameter(validator=Number(gte=0, lte=65535))
CONTEXT = Parameter(parse=False)
NO_VALUES: tuple[str, ...] = ()

RequiredText = Annotated[str, LITERAL]
Text = Annotated[str | None, LITERAL]
Count = Annotated[int | None, LITERAL, NON_NEGATIVE]
Flag = Annotated[bool, FLAG]
Ids = Annotated[list[str], Parameter(negative="")]
Items = Annotated[tuple[str, ...], Parameter(name="--item", negative="", show_default=False)]
# The words that Truemed documents, or that were seen; a test compares them with the enumerations, whose import is slow.
SessionStatus = Literal["pending", "processing", "approved", "rejected"]
PaymentStatus = Literal[
    "pending",
    "processing",
    "captured",
    "rejected",
    "canceled",
    "authorized",
    "authorization_voided",
    "authorization_expired",
]
PaymentKind = Literal["one_time_payment", "authorization"]
RefundReason = Literal["customer_request", "fraudulent", "duplicate_payment"]
Eligibility = Literal[
    "eligible",
    "eligible_with_lmn",
    "ineligible",
    "hsa_fsa_eligible",
    "not_eligible",
    "pending",
    "approved_with_lmn",
    "pre_approved",
]

WebhookEvent = Literal[
    "payment_session_complete",
    "payment_token_updated",
    "qualification_session_complete",
    "product_catalog_item_eligibility_updated",
]

_DURATION = re.compile(r"([0-9]{1,5})([wdh])\Z")
_WAIT = re.compile(r"([0-9]{1,6})([hms])\Z")
_DOLLARS = re.compile(r"[0-9]{1,13}\.[0-9]{2}\Z")
_ITEM_FIELDS = frozenset({"name", "price", "quantity", "sku"})


def or_unset(value: T | None) -> T | Unset:
    """Return ``UNSET`` in place of ``None``."""
    return truemed_async.UNSET if value is None else value


def parse_return_url(option: str, text: str | None, *, deep_links: bool) -> str | Unset:
    """Return where the customer returns; a link into an app requires ``deep_links``."""
    if text is None:
        return truemed_async.UNSET
    if re.match(r"https?:", text, re.IGNORECASE) or not re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", text):
        return text
    if not deep_links:
        raise InvalidArgumentError(f"{option} must be an https URL; if it leads into an app, add --deep-links")
    return truemed_async.DeepLink(text)


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Period:
    """When rows were created.

    Attributes:
        since: Only rows created at this time or later: YYYY-MM-DD, or a time such as 2026-11-01T09:30+01:00; UTC if it \
has no time zone.
        until: Only rows created before this time, in the same forms; YYYY-MM-DD includes that day.
        month: Only rows created in this month in UTC, YYYY-MM.
    """

    since: Text = None
    until: Text = None
    month: Text = None

    def as_kwargs(self) -> dict[str, Any]:
        """Return the arguments of ``iter`` for exactly the rows of the period."""
        since = None if self.since is None else parse_time("--since", self.since)
        until = None if self.until is None else parse_time("--until", self.until)
        if self.month is not None:
            if since is not None or until is not None:
                raise InvalidArgumentError("pass either --month, or --since and --until")
            since, until = parse_month_option(self.month)
        options: dict[str, Any] = {} if since is None else {"since": since, "look_back": timedelta(0)}
        return options if until is None else {**options, "until": until}


WHOLE_LIST = Period()


def parse_time(option: str, text: str) -> date:
    """Return a day or a time; a time without a time zone is UTC."""
    with suppress(ValueError):  # raise outside of the block, so that the value is not chained
        return date.fromisoformat(text) if len(text) == 10 else datetime.fromisoformat(text)
    raise InvalidArgumentError(f"{option} must be YYYY-MM-DD, or a time such as 2026-11-01T09:30")


def parse_month_option(text: str) -> tuple[date, date]:
    """Return the first and the last day of ``--month``."""
    from truemed_async._validation import scalars  # noqa: PLC0415  # not for --help

    return scalars.parse_month_days("--month", text)


def parse_days(month: str | None, first: str | None, last: str | None) -> tuple[date, date]:
    """Return the days of ``--month``, or of ``--from`` and ``--to``."""
    if month is not None and first is None and last is None:
        return parse_month_option(month)
    if month is not None or first is None or last is None:
        raise InvalidArgumentError("pass either --month, or --from and --to")
    start, end = (_parse_day(option, text) for option, text in (("--from", first), ("--to", last)))
    if end < start:
        raise InvalidArgumentError("--to must not be before --from")
    return start, end


def _parse_day(option: str, text: str) -> date:
    if len(text) == 10:
        with suppress(ValueError):
            return date.fromisoformat(text)
    raise InvalidArgumentError(f"{option} must be a valid YYYY-MM-DD")


def parse_duration(option: str, text: str) -> timedelta:
    """Return a number of weeks, days or hours, such as 7d or 36h."""
    match = _DURATION.match(text)
    if match is None:
        raise InvalidArgumentError(f"{option} must be a number of weeks, days or hours, such as 2w, 7d or 36h")
    return timedelta(hours=int(match[1]) * {"w": 168, "d": 24, "h": 1}[match[2]])


def parse_wait(option: str, text: str) -> float:
    """Return the seconds of a number of hours, minutes or seconds, such as 2h, 10m or 30s."""
    match = _WAIT.match(text)
    if match is None or not int(match[1]):
        raise InvalidArgumentError(f"{option} must be a number of hours, minutes or seconds, such as 2h, 10m or 30s")
    return float(int(match[1]) * {"h": 3600, "m": 60, "s": 1}[match[2]])


def parse_dollars(option: str, text: object) -> int:
    """Return the cents of dollars such as 19.99; ``1999`` and ``20`` are refused as ambiguous."""
    if not isinstance(text, str) or not _DOLLARS.match(text):
        raise InvalidArgumentError(f"{option} must be dollars with both digits of the cents, such as 19.99 or 20.00")
    return truemed_async.cents(text)


def parse_items(texts: tuple[str, ...]) -> list[OrderItem]:
    """Return the order items, each given as a JSON object."""
    return [_parse_item(text) for text in texts]


def _parse_item(text: str) -> OrderItem:
    try:
        parsed: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        parsed = None
    fields = cast("dict[str, Any]", parsed) if isinstance(parsed, dict) else {}
    if not {"name", "price", "quantity"} <= fields.keys() <= _ITEM_FIELDS:
        raise InvalidArgumentError(
            '--item must be a JSON object such as {"name": "Mat", "price": "19.99", "quantity": 1, "sku": "MAT"}'
        )
    fields["price"] = parse_dollars('the "price" of an --item', fields["price"])
    return truemed_async.OrderItem(**fields)


# --- the options of every command that calls the API --------------------------------------------------------------

EnvironmentName = Literal["production", "sandbox", "emulator"]
GLOBAL_GROUP = Group(GLOBAL_OPTIONS_TITLE, sort_key=100)
"""The last group of a command's help."""
GLOBAL_OPTIONS_DOC = "The options of every command that calls the API.\n\nAttributes:\n" + "".join(
    f"    {name}: {text}\n" for name, text in GLOBAL_OPTIONS.items()
)


def _complete_profile(_: object) -> list[str]:
    """Return the names of the profiles, for the completion of a shell."""
    from truemed_async.cli.profiles import read_profiles  # noqa: PLC0415  # not for --help

    return [*read_profiles()]


@Parameter(name="*", group=GLOBAL_GROUP)
@attrs.frozen(kw_only=True)
class GlobalOptions:  # noqa: D101  # it is put together
    __doc__ = GLOBAL_OPTIONS_DOC

    profile: Annotated[str | None, LITERAL, Parameter(completer=_complete_profile)] = None
    env: Annotated[EnvironmentName | None, LITERAL, HIDE_CHOICES] = None
    base_url: Text = None
    timeout: Annotated[float | None, LITERAL, Parameter(validator=Number(gt=0))] = None
    sessions: Count = None
    seed: Annotated[int | None, LITERAL] = None
    verbose: Flag = False
    show_server_messages: Annotated[bool, FLAG] = False

    def names(self) -> list[str]:
        """Return the names of the options that are set."""
        fields = attrs.asdict(self).items()
        return [f"--{name.replace('_', '-')}" for name, value in fields if value is not None and value is not False]
