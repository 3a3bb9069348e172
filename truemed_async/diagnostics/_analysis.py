"""Turns responses into a report. Pure, and total: whatever a server sends, there is a report and no exception."""

from __future__ import annotations

import platform
import re
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from itertools import pairwise
from typing import Any

from truemed_async import endpoints
from truemed_async._version import __version__
from truemed_async.diagnostics._fields import (
    MODELS,
    STATUSES,
    TIME_FORMS,
    declared_types,
    describe_fields,
    read_time,
    tied_ids,
)
from truemed_async.diagnostics._report import Check, CheckStatus, FieldReport, ServerReport
from truemed_async.diagnostics._responses import (
    BYTE_ORDER_MARK,
    ERROR_SHAPES,
    KEYS,
    MISSING,
    PAGE_SIZES,
    PAGINATION_ROLES,
    SESSION_ID,
    SESSIONS,
    Observations,
    Reply,
    case_of,
    code_of,
    content_type_of,
    describe_error,
    find_rows,
    members_of,
    read_role,
    rows_of,
    shape_of,
)

MAX_CLOCK_ERROR = 5
"""Seconds by which the clocks may differ."""
_SPELLINGS: Mapping[str, frozenset[str]] = {
    "count": frozenset({"count", "last_page"}),
    "total_count": frozenset({"total_count", "total_pages"}),
    "total": frozenset({"total", "page", "pages", "per_page"}),
    "camel_case": frozenset({"totalCount", "currentPage", "lastPage", "pageSize"}),
}
_REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-correlation-id", "x-amzn-requestid", "x-trace-id", "cf-ray")
_RATE_LIMIT_HEADERS = (
    *("ratelimit", "ratelimit-policy", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after"),
    *("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"),
)

_PAGINATION_WORDS = frozenset(
    {
        "count", "current", "cursor", "end", "first", "from", "has", "items", "last", "limit", "max", "more",
        "next", "number", "of", "offset", "page", "pages", "per", "prev", "previous", "records", "remaining",
        "results", "rows", "size", "start", "to", "token", "total", "url"
    }
)  # fmt: skip
_LIMITS = (30, 50, 100)
_CONTENT_TYPES = ("application/json", "application/json; charset=utf-8", "text/json")

_DELIVERY = "only a delivery shows it: `truemed webhooks explain`"
NEVER_OBSERVED: Mapping[str, str] = {
    "key_reuse_status": "it takes two writes",
    "event_names": _DELIVERY,
    "envelope": _DELIVERY,
    "session_id_name": _DELIVERY,
    "signature_label": _DELIVERY,
    "signature_order": _DELIVERY,
    "signature_separator": _DELIVERY,
    "signature_blanks": _DELIVERY,
    "signature_encoding": _DELIVERY,
    "signature_time": _DELIVERY,
    "signature_values": _DELIVERY,
    "endpoint_verification": "it is seen when a webhook is created",
}
"""The fields of a dialect that requests without an effect cannot show, with the reasons."""

# What the documentation says, or this library assumes.
ASSUMED: Mapping[str, Any] = {
    "pagination": "object",
    "pagination_names": "count",
    "page_size_limit": None,
    "page_size_handling": "clamp",
    "sort_order": "newest_first",
    "ties": "stable",
    "page_beyond_end": "empty",
    "list_key": "documented",
    "key_refusal_status": 401,
    "key_refusal_body": "error",
    "error_body": "documented",
    "error_case": "documented",
    "success_status": 200,
    "amounts": "documented",
    "times": "z",
    "ids": "strings",
    "null_members": "null",
    "statuses": "documented",
    "retry_after": "unchanged",
    "content_type": "application/json",
    "byte_order_mark": False,
}


# --- the report ---------------------------------------------------------------------------------------------------


def analyze(found: Observations) -> ServerReport:
    """Return the report on everything that was seen."""
    report = _Analysis(found)
    report.run()
    software = f"truemed-async {__version__}, Python {platform.python_version()}, aiohttp {version('aiohttp')}"
    return ServerReport(
        server=found.server,
        software=software,
        requests=found.requests,
        checks=tuple(report.checks),
        fields=tuple(report.fields),
        dialect=report.dialect,
        not_observed={
            name: report.reasons.get(name, "it was not seen") for name in _AXES if name not in report.dialect
        },
    )


_AXES = (*ASSUMED, *NEVER_OBSERVED)


def _has_pagination_words(name: str) -> bool:
    """Whether a name consists of words that are usual in paginations, so that it may be shown."""
    words = re.findall("[A-Z]?[a-z]+", name)
    return "".join(words) == name.replace("_", "") and {word.lower() for word in words} <= _PAGINATION_WORDS


def _have_same_order(one: Sequence[tuple[str, str]], other: Sequence[tuple[str, str]]) -> bool:
    """Whether the elements that two sequences share have the same order in both."""
    shared = {*one} & {*other}
    return [each for each in one if each in shared] == [each for each in other if each in shared]


class _Analysis:
    """Collects checks, fields and the dialect."""

    def __init__(self, found: Observations) -> None:
        self.found = found
        self.checks: list[Check] = []
        self.fields: list[FieldReport] = []
        self.dialect: dict[str, Any] = {}
        self.reasons: dict[str, str] = dict(NEVER_OBSERVED)

    def run(self) -> None:
        """Make all checks, as far as there are responses."""
        self._check_connection()
        if self.found.stopped:
            self._add(
                "connection", "requests", "failed", "ended early: the server failed several times, or the time was over"
            )
        if not self._check_key():
            self._check_key_refusal()
            return
        self._check_lists()
        self._check_rows()
        self._check_errors()
        self._check_headers()

    def _add(self, group: str, name: str, status: CheckStatus, detail: str) -> None:
        self.checks.append(Check(group=group, name=name, status=status, detail=detail))

    def _observe(self, axis: str, value: Any, group: str, name: str, detail: str = "") -> None:
        """Note the value of a field of the dialect."""
        self.dialect[axis] = value
        status: CheckStatus = "ok" if value == ASSUMED[axis] else "differs"
        self._add(group, name, status, detail or str(value).replace("_", " "))

    def _note_missing(self, axis: str, group: str, name: str, reason: str, *, status: CheckStatus = "unknown") -> None:
        """Note why a field of the dialect is not known; or a behavior that no dialect has."""
        self.reasons[axis] = reason
        self._add(group, name, status, reason)

    # Connection.

    def _check_connection(self) -> None:
        found = self.found
        proxy = "the client uses one" if found.proxy else "none"
        ignored = (
            f"; the client ignores {', '.join(found.ignored_proxies)}: pass proxy=…" if found.ignored_proxies else ""
        )
        self._add("connection", "proxy", "differs" if ignored and not found.proxy else "ok", proxy + ignored)
        if found.addresses is not None:
            count = found.addresses
            detail = f"{count} address{'es' * (count != 1)}" if count else "the host name cannot be resolved"
            self._add("connection", "DNS", "ok" if count else "failed", detail)
        if found.tls is not None:
            self._add("connection", "TLS", "ok" if found.tls.startswith("TLS") else "failed", found.tls)

    def _check_key(self) -> bool:
        """Check the response to the first request; return whether there is more to see."""
        first = self.found.reply("size 30")
        if first.raw is None:
            self._add("connection", "response", "failed", first.failure)
            return False
        self._check_clock(first)
        if first.status in (401, 403):
            self._add("connection", "key", "failed", f"refused with {first.outcome}")
            return False
        if first.succeeded and find_rows(first.document, SESSIONS.items) is not None:
            self._add("connection", "key", "ok", "accepted")
        else:
            content = "" if first.document is not MISSING else ", and no JSON"
            self._add("connection", "key", "failed", f"the first list has {first.outcome}{content}, and no rows")
        return True

    def _check_clock(self, first: Reply) -> None:
        assert first.raw is not None
        try:
            date = parsedate_to_datetime(first.raw.headers.get("Date", ""))
            sent_at = (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
        except (TypeError, ValueError, OverflowError):
            self._add("connection", "clock", "unknown", "no Date header")
            return
        # The header has whole seconds, and the server wrote it between the request and the response.
        ahead, behind = first.received_at - first.seconds - sent_at - 1, sent_at - first.received_at
        error = round(ahead if ahead > 0 else -behind if behind > 0 else 0)
        status: CheckStatus = "ok" if abs(error) <= MAX_CLOCK_ERROR else "differs"
        direction = "ahead of" if error > 0 else "behind"
        self._add("connection", "clock", status, f"{abs(error)} s {direction} the server")

    # Lists.

    def _check_lists(self) -> None:
        self._check_list_key()
        self._check_pagination()
        self._check_page_sizes()
        self._check_beyond_end()
        self._check_order()
        self._check_ties()

    def _pages(self) -> Iterator[Reply]:
        """Yield the successful pages of sessions."""
        for purpose, reply in self.found.replies.items():
            if purpose.startswith(("size ", "repeat ")) and reply.succeeded:
                yield reply

    def _check_list_key(self) -> None:
        places = [place for reply in self._pages() if (place := find_rows(reply.document, SESSIONS.items)) is not None]
        if not places:
            self._note_missing("list_key", "lists", "list key", "no page has rows", status="failed")
        elif places[0][0] in ("documented", "results", "data"):
            self._observe("list_key", places[0][0], "lists", "list key")
        else:
            self._note_missing("list_key", "lists", "list key", f"the rows are at {places[0][0]}", status="differs")

    def _check_pagination(self) -> None:
        documents = [members_of(reply.document) for reply in self._pages()]
        documents = [document for document in documents if document]
        if not documents:
            self._note_missing("pagination", "lists", "pagination", "no page was an object")
            self._note_missing("pagination_names", "lists", "pagination names", "no page was an object")
            return
        values = [document.get("pagination", MISSING) for document in documents]
        value = values[0]
        members = members_of(value)
        if value is MISSING or value is None:
            form = "absent" if value is MISSING else "null"
            self._observe("pagination", form, "lists", "pagination")
            self._note_missing("pagination_names", "lists", "pagination names", f"it is {form}")
            return
        known = {name for names in PAGINATION_ROLES.values() for name in names}
        listed_names = [name for name in members if name in known or _has_pagination_words(name)]
        more = len(members) - len(listed_names)
        detail = ", ".join(listed_names) + (f" and {more} more" if more else "")
        numbers = [members[name] for name in members if name in known]
        if not numbers:
            self._note_missing("pagination", "lists", "pagination", "it has no known number", status="differs")
        elif any(isinstance(number, str) for number in numbers):
            self._observe("pagination", "strings", "lists", "pagination", "numbers as strings")
        elif read_role(documents[0], "count") is None or read_role(documents[0], "last_page") is None:
            self._observe("pagination", "partial", "lists", "pagination", "without count or last page")
        else:
            self._observe("pagination", "object", "lists", "pagination", "four numbers")
        spelling = next((spelling for spelling, marks in _SPELLINGS.items() if marks & members.keys()), None)
        if spelling is None:
            self._note_missing("pagination_names", "lists", "pagination names", detail or "it has no members")
        else:
            self._observe("pagination_names", spelling, "lists", "pagination names", detail)

    def _check_page_sizes(self) -> None:
        replies = {size: self.found.reply(f"size {size}") for size in PAGE_SIZES}
        rows = {size: len(rows_of(reply)) for size, reply in replies.items() if reply.succeeded}
        stated = {size: read_role(replies[size].document, "page_size") for size in rows}
        effective = {size: rows[size] if stated[size] is None else stated[size] or 0 for size in rows}
        refused = [size for size in PAGE_SIZES if 400 <= (replies[size].status or 0) < 500]
        name = "largest page"
        if effective.get(1, 0) > 1:
            self._note_missing("page_size_limit", "lists", name, f"page_size is ignored: {effective[1]} rows a page")
            self._observe("page_size_handling", "ignore", "lists", "page size", "ignored")
        elif refused and rows and max(rows) < min(refused):
            self._note_page_limit(max(rows), f"{max(rows)} rows; {min(refused)} are refused")
            self._observe("page_size_handling", "reject", "lists", "page size", "larger ones are refused")
        elif max(PAGE_SIZES) in rows and self._is_reduced(effective, stated):
            self._note_page_limit(
                effective[max(PAGE_SIZES)], f"{effective[max(PAGE_SIZES)]} rows; more are reduced to it"
            )
            self._observe("page_size_handling", "clamp", "lists", "page size", "larger ones are reduced")
        elif effective.get(max(PAGE_SIZES)) == max(PAGE_SIZES):
            self._observe("page_size_limit", None, "lists", name, f"at least {max(PAGE_SIZES)} rows")
            self._note_missing("page_size_handling", "lists", "page size", "no size was too large")
        else:
            self._note_missing("page_size_limit", "lists", name, "there are too few rows to see it")
            self._note_missing("page_size_handling", "lists", "page size", "there are too few rows to see it")

    def _is_reduced(self, effective: Mapping[int, int], stated: Mapping[int, int | None]) -> bool:
        """Whether the largest page has less rows than requested, although there are more."""
        max_size = max(PAGE_SIZES)
        if not 0 < effective[max_size] < max_size:
            return False
        return stated[max_size] is not None or bool(rows_of(self.found.reply("second page")))

    def _note_page_limit(self, limit: int, detail: str) -> None:
        if limit in _LIMITS:
            self._observe("page_size_limit", limit, "lists", "largest page", detail)
        else:
            self._note_missing("page_size_limit", "lists", "largest page", detail, status="differs")

    def _check_beyond_end(self) -> None:
        reply = self.found.reply("beyond")
        if reply.succeeded and find_rows(reply.document, SESSIONS.items) is not None and not rows_of(reply):
            self._observe("page_beyond_end", "empty", "lists", "page beyond the end")
        elif reply.status in (400, 404):
            value = "not_found" if reply.status == 404 else "bad_request"
            self._observe("page_beyond_end", value, "lists", "page beyond the end")
        else:
            detail = "it has rows" if reply.succeeded else reply.outcome
            self._note_missing("page_beyond_end", "lists", "page beyond the end", detail)

    def _check_order(self) -> None:
        times = [time for row in self._check_sessions() if (time := read_time(row.get("created_at"))) is not None]
        falls = sum(later < earlier for earlier, later in pairwise(times))
        rises = sum(later > earlier for earlier, later in pairwise(times))
        if falls and rises:
            self._note_missing("sort_order", "lists", "order", "not sorted by created_at", status="differs")
        elif falls or rises:
            self._observe("sort_order", "newest_first" if falls else "oldest_first", "lists", "order")
        else:
            self._note_missing("sort_order", "lists", "order", "there are no two times to compare")

    def _check_ties(self) -> None:
        orders = [tied_ids(rows_of(reply)) for reply in self._pages()]
        if not any(orders):
            self._note_missing("ties", "lists", "ties", "no two rows have the same created_at")
            return
        is_stable = all(_have_same_order(one, other) for one, other in pairwise(orders))
        self._observe("ties", "stable" if is_stable else "random", "lists", "ties")

    def _check_sessions(self) -> list[dict[str, Any]]:
        """Return the rows of one page of sessions, the largest."""
        pages = [rows_of(reply) for reply in self._pages()]
        return max(pages, key=len) if pages else []

    # Rows.

    def _check_rows(self) -> None:
        self._check_fields()
        self._check_ids()
        self._check_amounts()
        self._check_times()
        self._check_null_members()
        self._check_statuses()

    def _check_fields(self) -> None:
        samples: dict[str, list[dict[str, Any]]] = {SESSIONS.name: self._check_sessions()}
        for name, reply in self.found.replies.items():
            if name in MODELS:
                samples[name] = self._read_objects(name, reply)
        hidden = 0
        for endpoint in endpoints.ENDPOINTS:
            if samples.get(endpoint.name):
                fields, unnamed = describe_fields(endpoint, samples[endpoint.name])
                self.fields.extend(fields)
                hidden += unnamed
        if not self.fields:
            self._add("rows", "fields", "unknown", "there are no rows")
            return
        odd = sum(not field.is_expected for field in self.fields)
        unknown = sum(not field.is_known for field in self.fields)
        detail = f"{odd} of {len(self.fields)} have other types; {unknown} are unknown to this library"
        detail += f", and {hidden} more, whose names are not shown" if hidden else ""
        self._add("rows", "fields", "differs" if odd else "ok", detail)

    def _read_objects(self, name: str, reply: Reply) -> list[dict[str, Any]]:
        """Return the rows of a list, or the object of another response."""
        document = reply.document
        if not reply.succeeded:
            self._add("rows", name, "unknown" if reply.status in (404, 405, 501) else "failed", reply.outcome)
            return []
        if KEYS[name] is None:
            members = members_of(members_of(document).get("object")) or members_of(document)
            rows = [members] if members else []
            is_readable = bool(rows)
        else:
            rows = rows_of(reply)
            is_readable = find_rows(document, KEYS[name]) is not None
        detail = f"{len(rows)} read" if is_readable else "the response is not of the documented form"
        self._add("rows", name, "ok" if is_readable else "failed", detail)
        return rows

    def _check_ids(self) -> None:
        kinds: set[type[Any]] = {type(row[SESSION_ID]) for row in self._check_sessions() if SESSION_ID in row}
        if kinds in ({str}, {int}):
            self._observe("ids", "strings" if kinds == {str} else "integers", "rows", "ids")
        else:
            self._note_missing("ids", "rows", "ids", "there are none" if not kinds else "of several types")

    def _check_amounts(self) -> None:
        seen: Counter[tuple[str, str]] = Counter()
        for field in self.fields:
            declared = declared_types(field.endpoint).get(field.name, "")
            if declared in ("integer", "double"):
                seen.update({(declared, kind): number for kind, number in field.types.items()})
        seen = Counter(
            {key: number for key, number in seen.items() if key[1] in ("integer", "double", "decimal string")}
        )
        if not seen:
            self._note_missing("amounts", "rows", "amounts", "there are none")
        elif any(kind == "decimal string" for _, kind in seen):
            self._observe("amounts", "decimal_string", "rows", "amounts")
        elif seen["integer", "double"]:
            self._observe("amounts", "double", "rows", "amounts")
        elif seen["double", "integer"]:
            self._observe("amounts", "integer", "rows", "amounts", "whole ones as integers")
        elif seen["double", "double"] and not self._has_whole_double():
            self._note_missing(
                "amounts", "rows", "amounts", "as documented, but no double is whole, which could be an integer"
            )
        else:
            self._observe("amounts", "documented", "rows", "amounts")

    def _has_whole_double(self) -> bool:
        names = [name for name, kind in declared_types(SESSIONS.name).items() if kind == "double"]
        values = [row.get(name) for row in self._check_sessions() for name in names]
        return any(isinstance(value, float) and value.is_integer() for value in values)

    def _check_times(self) -> None:
        forms = Counter[str]()
        for field in filter(lambda field: field.is_known, self.fields):
            forms.update({kind[5:]: number for kind, number in field.types.items() if kind.startswith("time ")})
        known = [form for form in forms if form in TIME_FORMS]
        if not known:
            self._note_missing("times", "rows", "times", "there are none")
        elif len(forms) == 1:
            self._observe("times", known[0], "rows", "times")
        else:
            self._note_missing(
                "times", "rows", "times", f"of several forms: {', '.join(sorted(forms))}", status="differs"
            )

    def _check_null_members(self) -> None:
        rows = self._check_sessions()
        names = declared_types(SESSIONS.name)
        nulls = sum(row.get(name, MISSING) is None for row in rows for name in names)
        absent = sum(name not in row for row in rows for name in names)
        if nulls or absent:
            self._observe("null_members", "null" if nulls else "absent", "rows", "members without a value")
        else:
            self._note_missing("null_members", "rows", "members without a value", "all members have values")

    def _check_statuses(self) -> None:
        values = [
            (value, documented)
            for name, documented in STATUSES.items()
            for row in (self._check_sessions() if name == SESSIONS.name else rows_of(self.found.reply(name)))
            if isinstance(value := row.get("status"), str)
        ]
        if not values:
            self._note_missing("statuses", "rows", "statuses", "there are none")
        elif any(value not in documented and value.lower() not in documented for value, documented in values):
            self._observe("statuses", "unknown", "rows", "statuses", "some are not documented")
        elif any(value not in documented and value.isupper() for value, documented in values):
            self._observe("statuses", "upper", "rows", "statuses", "in upper case")
        elif any(value not in documented for value, documented in values):
            self._observe("statuses", "capitalized", "rows", "statuses")
        else:
            self._observe("statuses", "documented", "rows", "statuses")

    # Errors.

    def _check_errors(self) -> None:
        self._check_key_refusal()
        replies = [
            self.found.reply(purpose) for purpose in ("invalid query", "unknown id", "unknown path", "wrong method")
        ]
        errors = [reply for reply in replies if reply.status is not None and 400 <= reply.status < 500]
        shape = next((shape for reply in errors if (shape := shape_of(reply)) in ERROR_SHAPES), None)
        if shape is None:
            self._note_missing(
                "error_body", "errors", "error body", "of another form" if errors else "no error was seen"
            )
        else:
            self._observe("error_body", shape, "errors", "error body")
        cases = [case for reply in errors if (case := case_of(code_of(reply.document))) is not None]
        if cases:
            self._observe("error_case", cases[0], "errors", "error codes")
        else:
            self._note_missing("error_case", "errors", "error codes", "no error has a code")
        for purpose, expected in (
            ("invalid query", 400),
            ("unknown id", 404),
            ("unknown path", 404),
            ("wrong method", 405),
        ):
            reply = self.found.reply(purpose)
            status: CheckStatus = "ok" if reply.status == expected else "differs" if reply.raw else "failed"
            self._add("errors", purpose, status, describe_error(reply))

    def _check_key_refusal(self) -> None:
        reply = self.found.reply("wrong key")
        if reply.raw is None:
            self._note_missing("key_refusal_status", "errors", "wrong key", reply.failure, status="failed")
            self._note_missing("key_refusal_body", "errors", "body for a wrong key", reply.failure)
            return
        if reply.status in (401, 403, 400):
            self._observe("key_refusal_status", reply.status, "errors", "wrong key", describe_error(reply))
        else:
            detail = f"not refused: {reply.outcome}" if reply.succeeded else reply.outcome
            self._note_missing("key_refusal_status", "errors", "wrong key", detail, status="differs")
            self._note_missing("key_refusal_body", "errors", "body for a wrong key", detail)
            return
        shape = shape_of(reply)
        body = shape if shape in ("detail", "html", "empty") else "error"
        self._observe("key_refusal_body", body, "errors", "body for a wrong key", shape.replace("_", " "))

    # Headers.

    def _check_headers(self) -> None:
        replies = [reply for reply in self.found.replies.values() if reply.raw is not None]
        self._check_content_type(replies)
        marked = any(reply.raw is not None and reply.raw.body.startswith(BYTE_ORDER_MARK) for reply in replies)
        self._observe("byte_order_mark", marked, "headers", "byte order mark", "yes" if marked else "none")
        post = self.found.reply(endpoints.GET_CATALOG_ITEM.name)
        name = "success of a POST"
        if post.status in (200, 201, 202):
            self._observe("success_status", post.status, "headers", name, f"{post.outcome}, of one that reads")
        else:
            detail = "the catalog has no item to read" if post.raw is None else post.outcome
            self._note_missing("success_status", "headers", name, detail)
        for name, known_headers in (("request id", _REQUEST_ID_HEADERS), ("rate limit", _RATE_LIMIT_HEADERS)):
            seen = [
                header
                for header in known_headers
                if any(reply.raw and header in reply.raw.headers for reply in replies)
            ]
            self._add("headers", name, "differs" if seen and name == "rate limit" else "ok", ", ".join(seen) or "none")
        self._check_retry_after()
        times = sorted(reply.seconds * 1000 for reply in replies)
        detail = f"median {statistics.median(times):.0f} ms, longest {times[-1]:.0f} ms of {len(times)}"
        self._add("headers", "latency", "ok", detail)

    def _check_content_type(self, replies: Sequence[Reply]) -> None:
        types = Counter(
            content_type_of(reply) for reply in replies if reply.succeeded and reply.document is not MISSING
        )
        problem = any(content_type_of(reply) == "application/problem+json" for reply in replies if not reply.succeeded)
        usual = next((kind for kind in types if kind in _CONTENT_TYPES), None)
        if usual is None:
            self._note_missing(
                "content_type", "headers", "content type", "not one of JSON's" if types else "there is no JSON"
            )
        elif problem:
            self._observe(
                "content_type", "application/problem+json", "headers", "content type", "of errors: problem+json"
            )
        else:
            self._observe("content_type", usual, "headers", "content type", usual)

    def _check_retry_after(self) -> None:
        reply = self.found.limited
        if reply is None or reply.raw is None:
            self._note_missing("retry_after", "headers", "retry after", "no request was limited (429)")
            return
        headers = reply.raw.headers
        value = headers.get("Retry-After")
        if value is not None:
            self._observe("retry_after", "seconds" if value.strip().isdigit() else "date", "headers", "retry after")
        else:
            limited = any(name.startswith("ratelimit") and name in headers for name in _RATE_LIMIT_HEADERS)
            self._observe("retry_after", "ratelimit" if limited else "none", "headers", "retry after")
