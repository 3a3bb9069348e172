"""How the inspector shows values: money, times, statuses, nested data, and bodies, each of limited length."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from html import escape
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import attrs
import orjson

from truemed_async.emulator.clock import wire_datetime
from truemed_async.emulator.pages.page import format_money

if TYPE_CHECKING:
    from typing import TypeAlias

MAX_TEXT_CHARS: Final = 300
MAX_BODY_CHARS: Final = 8_000
MAX_DEPTH: Final = 4
# What the markup of one value costs beside its text, in bytes.
_MARKUP_BYTES: Final = 70
# The members that are cents.
MONEY: Final = frozenset(
    {
        "amount",
        "authorize_amount",
        "capture_amount",
        "price",
        "refund_amount",
        "refundable",
        "total_additional_charges",
        "total_amount",
        "total_discounts",
    }
)
Tone = Literal["good", "bad", "warn", "info", ""]
_TONES: Final[Mapping[str, Tone]] = MappingProxyType(
    {
        **dict.fromkeys(("active", "approved", "captured", "delivered", "eligible", "paid_out", "provisioned"), "good"),
        **dict.fromkeys(("abandoned", "deleted", "ineligible", "rejected"), "bad"),
        **dict.fromkeys(("authorized", "eligible_with_lmn", "processing"), "info"),
        **dict.fromkeys(("pending", "waiting"), "warn"),
    }
)
_CODE: Final = re.compile(r"``(.+?)``", re.DOTALL)


class Html(str):
    """Text that is HTML already: a template does not escape it."""

    __slots__ = ()

    def __html__(self) -> str:
        """Return itself, as templates ask for it."""
        return self


@attrs.frozen(kw_only=True)
class FormattedValue:
    """A value as it is shown: its text, the exact value for those who hover over it, and where it leads."""

    text: str
    kind: Literal["text", "code", "money", "time", "none"] = "text"
    exact: str = ""
    href: str = ""


@attrs.frozen
class Members:
    """The members of an object, by name."""

    items: tuple[tuple[str, Node], ...]
    omitted: int = 0


@attrs.frozen
class Rows:
    """A list of objects as a table."""

    columns: tuple[str, ...]
    rows: tuple[tuple[FormattedValue, ...], ...]
    omitted: int = 0


if TYPE_CHECKING:
    Node: TypeAlias = FormattedValue | Members | Rows
    Link: TypeAlias = Callable[[str, object], str]


def tone(status: str) -> Tone:
    """Return the color of the badge of a status."""
    return _TONES.get(status, "")


def response_tone(status: int | None) -> Tone:
    """Return the color of the badge of an HTTP status; None is no response."""
    if status is None or status >= 500:
        return "bad"
    return "warn" if status >= 400 else "good"


def parse_money(text: str, what: str) -> int:
    """Return dollars as cents.

    Raises:
        ValueError: The text is not an amount in dollars.
    """
    found = re.fullmatch(r"\$?(\d{1,12})(?:\.(\d{1,2}))?", text.strip().replace(",", ""), re.ASCII)
    if found is None:
        raise ValueError(f"{what} must be dollars with at most two decimals, such as 12.50")
    return int(found[1]) * 100 + int((found[2] or "").ljust(2, "0"))


def format_time(moment: datetime, now: datetime) -> str:
    """Return a time as people read it: the distance within a day, else the date."""
    distance = now - moment
    ahead = distance < timedelta(0)
    seconds = int(abs(distance).total_seconds())
    if seconds < 60:
        return "in a moment" if ahead and seconds >= 1 else "just now"
    if seconds < 24 * 3600:
        number, unit = (seconds // 60, "minute") if seconds < 3600 else (seconds // 3600, "hour")
        text = f"{number} {unit}{'' if number == 1 else 's'}"
        return f"in {text}" if ahead else f"{text} ago"
    day = f"{moment:%b} {moment.day}"
    return f"{day}, {moment:%H:%M} UTC" if moment.year == now.year else f"{day}, {moment.year}"


def format_seconds(seconds: float | None) -> str:
    """Return a duration, empty if there is none."""
    if seconds is None:
        return ""
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1000:.{0 if seconds >= 0.01 else 1}f} ms"


def shorten(value: object, limit: int = MAX_TEXT_CHARS) -> str:
    """Return a value as text of limited length."""
    text = "" if value is None else str(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


def mark_code(text: str) -> Html:
    """Return the text of a docstring as HTML, with what is in double backticks as code."""
    return Html(_CODE.sub(lambda found: f"<code>{found[1]}</code>", escape(text)))


def show(name: str, value: object, now: datetime, limit: int = MAX_TEXT_CHARS) -> FormattedValue:
    """Return one value of a member of this name."""
    if value is None or (isinstance(value, (Mapping, list, tuple)) and not value):
        return FormattedValue(text="none", kind="none")
    if name in MONEY and isinstance(value, int):
        return FormattedValue(text=format_money(value), kind="money", exact=f"{value} cents")
    if isinstance(value, datetime):
        return FormattedValue(text=format_time(value, now), kind="time", exact=wire_datetime(value) or "")
    if isinstance(value, date):
        return FormattedValue(text=f"{value:%b} {value.day}, {value.year}", kind="time", exact=value.isoformat())
    if isinstance(value, bool):
        return FormattedValue(text="yes" if value else "no")
    if isinstance(value, (Mapping, list, tuple)):
        return FormattedValue(text=shorten(orjson.dumps(value, default=_to_json).decode(), limit), kind="code")
    is_id = name in {"id", "sku", "payment_token", "updates", "url"} or name.endswith(("_id", "_url"))
    return FormattedValue(text=shorten(value, limit), kind="code" if is_id else "text")


def field_names(row: Any) -> list[str]:
    """Return the names of the fields of a row, or of an object within one."""
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(row.__class__)
    return [field.name for field in fields]


def _to_json(value: Any) -> object:
    return attrs.asdict(value) if attrs.has(value.__class__) else str(value)


class PageBudget:
    """How many bytes a page has left for its values: what is too much is left out, and counted."""

    def __init__(self, size: int, secret: str = "") -> None:
        """Start a page of this many bytes, which must not show the secret."""
        self.left: int = size
        self._secret = secret

    @property
    def is_spent(self) -> bool:
        """Whether nothing more may be shown."""
        return self.left <= 0

    def shorten(self, text: str, limit: int) -> str:
        """Return as much of a text as the page has room for."""
        self.left -= _MARKUP_BYTES
        cut = (text.replace(self._secret, "REDACTED") if self._secret else text)[:limit]
        while len(escape(cut).encode()) > max(0, self.left):
            cut = cut[: len(cut) // 2]
        self.left -= len(escape(cut).encode())
        return cut

    def body(self, body: bytes) -> str:
        """Return a body for reading: JSON is indented."""
        small = len(body) <= 4 * MAX_BODY_CHARS
        text = _indent(body) if small else body[:MAX_BODY_CHARS].decode("utf-8", "replace")
        cut = self.shorten(text, MAX_BODY_CHARS)
        return cut if small and cut == text else f"{cut}\n… ({len(body):,} bytes in total)"

    def headers(self, headers: Iterable[tuple[str, str]]) -> str:
        """Return headers, one on each line."""
        return self.shorten("\n".join(f"{name}: {shorten(value, 200)}" for name, value in headers), 3_000)

    def tree(self, name: str, value: object, now: datetime, link: Link, depth: int = 0) -> Node:
        """Return a value with what is nested in it: objects as their members, lists of objects as tables."""
        nested = _decode(value)
        if isinstance(nested, Mapping) and nested and depth < MAX_DEPTH:
            return self._members(cast("Mapping[str, object]", nested), now, link, depth)
        if isinstance(nested, (list, tuple)) and nested and depth < MAX_DEPTH:
            items = [_decode(item) for item in cast("Sequence[object]", nested)]
            if all(isinstance(item, Mapping) for item in items):
                return self._rows(cast("list[Mapping[str, object]]", items), now, link)
        return self._leaf(name, value, now, link)

    def _leaf(self, name: str, value: object, now: datetime, link: Link) -> FormattedValue:
        found = show(name, value, now)
        text = self.shorten(found.text, MAX_TEXT_CHARS + 1)
        return attrs.evolve(found, text=text, href=link(name, value))

    def _members(self, value: Mapping[str, object], now: datetime, link: Link, depth: int) -> Members:
        items: list[tuple[str, Node]] = []
        for name, member in value.items():
            if self.is_spent:
                break
            items.append((self.shorten(str(name), 60), self.tree(str(name), member, now, link, depth + 1)))
        return Members(tuple(items), len(value) - len(items))

    def _rows(self, items: Sequence[Mapping[str, object]], now: datetime, link: Link) -> Rows:
        names = dict.fromkeys(str(name) for item in items for name in item)
        columns = tuple(sorted(names, key=lambda name: name.endswith("_id")))[:12]  # what people read comes first
        rows: list[tuple[FormattedValue, ...]] = []
        for item in items:
            if self.is_spent:
                break
            rows.append(tuple(self._leaf(name, item.get(name), now, link) for name in columns))
        return Rows(columns, tuple(rows), len(items) - len(rows))


def _decode(value: object) -> object:
    """Return what a value holds: the fields of an entity, or the JSON object in a text such as ``metadata``."""
    if attrs.has(type(value)):
        return {name: getattr(value, name) for name in field_names(value)}
    if isinstance(value, str) and value.startswith("{"):
        try:
            decoded = orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
        return cast("object", decoded)
    return value


def _indent(body: bytes) -> str:
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        return body.decode("utf-8", "replace")
