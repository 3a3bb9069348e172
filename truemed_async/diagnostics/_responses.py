"""What a server sent: replies, and where their rows, ids, numbers and error codes are, whatever their form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, cast

import attrs
import orjson

from truemed_async import endpoints
from truemed_async._core.response import RawResponse
from truemed_async._sensitive import Sensitive
from truemed_async.errors import DOCUMENTED_CODES

PAGE_SIZES: Final = (1, 30, 50, 100, 500)
SESSIONS: Final = endpoints.LIST_QUALIFICATION_SESSIONS
SESSION_ID: Final = "qualification_session_id"
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
MISSING: Final = object()
"""In place of JSON: there is none."""
KEYS: Mapping[str, str | None] = {endpoint.name: endpoint.items for endpoint in endpoints.ENDPOINTS}
"""The key of the rows of each list; ``None`` for other endpoints."""

_ERROR_MEMBERS = frozenset({"code", "detail", "error", "errors", "instance", "message", "status", "title", "type"})
PAGINATION_ROLES: Mapping[str, tuple[str, ...]] = {
    "count": ("count", "total_count", "total", "totalCount"),
    "current_page": ("current_page", "page", "currentPage"),
    "last_page": ("last_page", "total_pages", "pages", "lastPage"),
    "page_size": ("page_size", "per_page", "pageSize"),
}


@attrs.frozen(kw_only=True, slots=False)
class Reply:
    """What came back from one request."""

    endpoint: str
    raw: RawResponse | None = None
    failure: str = "it was not sent"
    seconds: float = 0.0
    received_at: float = 0.0

    @property
    def status(self) -> int | None:
        """The status, or ``None`` without a response."""
        return None if self.raw is None else self.raw.status

    @property
    def succeeded(self) -> bool:
        """Whether the status is that of a success."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def outcome(self) -> str:
        """The status, or why there is none, in words."""
        return self.failure if self.raw is None else f"status {self.raw.status}"

    @cached_property
    def document(self) -> object:
        """The JSON of the body, or ``MISSING``."""
        if self.raw is None:
            return MISSING
        try:
            return orjson.loads(self.raw.body.removeprefix(BYTE_ORDER_MARK))
        except orjson.JSONDecodeError:
            return MISSING


@attrs.define
class Observations:
    """Everything that was seen of a server."""

    server: str
    replies: dict[str, Reply] = attrs.field(factory=dict[str, Reply], repr=False)
    requests: int = 0
    stopped: bool = False
    limited: Reply | None = None
    proxy: bool = False
    ignored_proxies: tuple[str, ...] = ()
    addresses: int | None = None
    tls: str | None = None

    def reply(self, purpose: str) -> Reply:
        """Return the reply to a request, or one without a response."""
        return self.replies.get(purpose, Reply(endpoint=purpose))


# --- what later requests need -------------------------------------------------------------------------------------


def find_rows(document: object, key: str | None) -> tuple[str, list[Any]] | None:
    """Return where the rows of a list are, and the rows."""
    if isinstance(document, list):
        return "the top", cast("list[object]", document)
    members = members_of(document)
    for name, where in ((key, "documented"), ("results", "results"), ("data", "data")):
        if name is not None and isinstance(members.get(name), list):
            return where, members[name]
    lists: list[list[Any]] = [value for value in members.values() if isinstance(value, list)]
    return ("another member", lists[0]) if len(lists) == 1 else None


def find_last_page(found: Observations) -> int | None:
    """Return the last page of sessions at 30 rows a page."""
    return read_role(found.reply("size 30").document, "last_page")


def find_row_page_size(found: Observations) -> int:
    """Return the page size with which rows are read: the largest up to 100 that is accepted."""
    accepted = [size for size in PAGE_SIZES if size <= 100 and found.reply(f"size {size}").succeeded]
    return max(accepted, default=30)


def find_id(found: Observations, purpose: str, name: str) -> Sensitive[str] | None:
    """Return the member ``name`` of the first row of a list, which is its id."""
    value = next((row.get(name) for row in rows_of(found.reply(purpose))), None)
    return Sensitive(str(value)) if isinstance(value, (str, int)) and not isinstance(value, bool) else None


def members_of(document: Any) -> dict[str, Any]:
    return cast("dict[str, Any]", document) if isinstance(document, dict) else {}


def rows_of(reply: Reply) -> list[dict[str, Any]]:
    """Return the objects of a list."""
    found = find_rows(reply.document, KEYS.get(reply.endpoint)) if reply.succeeded else None
    return [] if found is None else [cast("dict[str, Any]", row) for row in found[1] if isinstance(row, dict)]


def read_role(document: Any, role: str) -> int | None:
    """Return a number of ``pagination`` by its meaning, whatever its name."""
    pagination = members_of(members_of(document).get("pagination"))
    for name in PAGINATION_ROLES[role]:
        value = pagination.get(name)
        if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value):
            return int(value)
        if type(value) is int:
            return value
    return None


# --- errors -------------------------------------------------------------------------------------------------------

ERROR_SHAPES = ("documented", "errors", "code_detail", "list", "text")
# The codes that this library knows, and usual ones, without case and underscores.
_CODES = frozenset(
    code.replace("_", "").casefold()
    for code in (
        *DOCUMENTED_CODES, "NotFound", "ValidationError", "MethodNotAllowed", "Unauthorized", "Forbidden", "BadRequest",
        "InvalidRequest", "PageNotFound", "InvalidPage", "UserIdAlreadySet",
    )
)  # fmt: skip


def shape_of(reply: Reply) -> str:
    """Return the form of an error's body."""
    assert reply.raw is not None
    document = reply.document
    if document is MISSING:
        body = reply.raw.body.strip()
        is_html = body[:1] == b"<" or "html" in reply.raw.headers.get("Content-Type", "").lower()
        return "empty" if not body else "html" if is_html else "text"
    if isinstance(document, list):
        return "list"
    names = members_of(document).keys()
    if {"error", "message"} <= names:
        return "documented"
    if isinstance(members_of(document).get("errors"), list):
        return "errors"
    if {"code", "detail"} <= names:
        return "code_detail"
    return "detail" if names == {"detail"} else "other"


def code_of(document: Any) -> str | None:
    """Return the code of an error, wherever it is, if it is one that may be shown."""
    members = members_of(document)
    errors: object = members.get("errors")
    if isinstance(errors, list):
        members = members_of(next(iter(cast("list[object]", errors)), None))
    code = next((members[name] for name in ("error", "code") if isinstance(members.get(name), str)), None)
    return code if code is not None and code.replace("_", "").casefold() in _CODES else None


def case_of(code: str | None) -> str | None:
    """Return the spelling of a code."""
    if code is None:
        return None
    if "_" in code:
        return "screaming_snake" if code.isupper() else "snake"
    return "lower" if code.islower() else "documented"


def describe_error(reply: Reply) -> str:
    """Describe an error response: status, form, type, code, and the names of its members."""
    if reply.raw is None:
        return reply.failure
    parts = [reply.outcome, f"body: {shape_of(reply).replace('_', ' ')}"]
    code = code_of(reply.document)
    if code is not None:
        parts.append(f"code {code}")
    names = [name for name in members_of(reply.document) if name in _ERROR_MEMBERS]
    if names:
        parts.append(f"members {', '.join(names)}")
    return "; ".join(parts)


def content_type_of(reply: Reply) -> str:
    assert reply.raw is not None
    return re.sub(r"\s*;\s*", "; ", reply.raw.headers.get("Content-Type", "").strip().lower())
