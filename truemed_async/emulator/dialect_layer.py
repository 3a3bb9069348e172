"""Applies a dialect to requests and responses, so that everything behind it stays as documented."""

from __future__ import annotations

import hashlib
import math
import random
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from email.utils import formatdate
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

import orjson
from aiohttp import web

from truemed_async.emulator.dialect import Dialect
from truemed_async.emulator.idempotency import KEY_REUSE
from truemed_async.emulator.request import ApiError, error_response

if TYPE_CHECKING:
    from truemed_async.emulator.request import ReceivedRequest
    from truemed_async.emulator.resources.state import State
    from truemed_async.emulator.routing import Route

_DEFAULT: Final = Dialect()
_HTML: Final = "<!DOCTYPE html><html><head><title>Forbidden</title></head><body><h1>Forbidden</h1></body></html>"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

Json: TypeAlias = "dict[str, Json] | list[Json] | str | float | bool | None"

# Members whose values are changed. All others, and everything in `metadata`, stay as they are.
_IDS: Final = frozenset(
    {
        "id",
        "item_id",
        "payment_id",
        "payment_session_id",
        "payment_token",
        "payout_id",
        "provision_token_request_id",
        "qualification_session_id",
        "refund_id",
        "transaction_id",
    }
)
_AMOUNTS: Final = frozenset(
    {
        "amount",
        "authorize_amount",
        "capture_amount",
        "eligible_amount",
        "fee",
        "price",
        "total_additional_charges",
        "total_amount",
        "total_capturable",
    }
)
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_INTEGER: Final = re.compile("[0-9]{1,15}")  # every id that is sent as an integer has at most 15 digits
_SECONDS: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_UNKNOWN_STATUSES: Final = MappingProxyType({"pending": "created", "processing": "in_review"})
_DOCUMENTED_STATUSES: Final = MappingProxyType({unknown: known for known, unknown in _UNKNOWN_STATUSES.items()})

_PAGINATION_NAMES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "count": MappingProxyType({}),
        "total_count": MappingProxyType({"count": "total_count", "last_page": "total_pages"}),
        "total": MappingProxyType(
            {"count": "total", "current_page": "page", "last_page": "pages", "page_size": "per_page"}
        ),
        "camel_case": MappingProxyType(
            {
                "count": "totalCount",
                "current_page": "currentPage",
                "last_page": "lastPage",
                "page_size": "pageSize",
            }
        ),
    }
)
_TIME_FORMATS: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    {
        "z": lambda time: time,
        "lower_z": lambda time: f"{time[:-1]}z",
        "utc_offset": lambda time: f"{time[:-1]}+00:00",
        "local_offset": lambda time: (
            datetime.fromisoformat(time).astimezone(timezone(timedelta(hours=-5))).isoformat(timespec="milliseconds")
        ),
        "microseconds": lambda time: f"{time[:-1]}000Z",
        "nanoseconds": lambda time: f"{time[:-1]}000000Z",
        "no_zone": lambda time: time[:-1],
    }
)
_CASES: Final[Mapping[str, Callable[[str], str]]] = MappingProxyType(
    {
        "documented": str,
        "snake": lambda code: re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", code).lower(),
        "screaming_snake": lambda code: re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", code).upper(),
        "lower": str.lower,
    }
)


class DialectLayer:
    """Translates between the emulator, which speaks as documented, and clients that expect a dialect."""

    def __init__(self, dialect: Dialect, seed: int = 0) -> None:
        """Create the layer; ``dialect`` may be replaced at any time."""
        self.dialect: Dialect = dialect
        self._ids: dict[int, str] = {}  # the ids that were sent as integers
        self._random = random.Random(f"{seed} ties")  # noqa: S311 - repeatable on purpose

    # Requests.

    def translate_request(self, route: Route, request: ReceivedRequest) -> None:
        """Change a request to what the handler expects, before it is validated.

        Raises:
            ApiError: The dialect rejects the request.
        """
        dialect = self.dialect
        if dialect == _DEFAULT:
            return
        if dialect.ids == "integers":
            request.params = {name: self._restore_id(value) for name, value in request.params.items()}
            request.content = self._restore_ids(request.content)
        if route.listing is not None:
            query = dict(request.query)
            if dialect.statuses != "documented" and "status" in query:
                status = str(query["status"]).lower()
                query["status"] = _DOCUMENTED_STATUSES.get(status, status)
            self._limit_page_size(query)
            request.query = query

    def view(self, state: State) -> State:
        """Return the state with the dialect's order of lists."""
        if (self.dialect.sort_order, self.dialect.ties) == (_DEFAULT.sort_order, _DEFAULT.ties):
            return state
        return state.view(order=self._sort)

    def _limit_page_size(self, query: dict[str, Any]) -> None:
        limit, size = self.dialect.page_size_limit, str(query.get("page_size", ""))
        if self.dialect.page_size_handling == "ignore":
            query.pop("page_size", None)
        elif limit is not None and _INTEGER.fullmatch(size) and int(size) > limit:
            if self.dialect.page_size_handling == "reject":
                raise ApiError(400, "ValidationError", f"page_size must be at most {limit}")
            query["page_size"] = str(limit)

    def _sort(self, rows: Sequence[Any]) -> list[Any]:
        shuffled = self._random.sample(rows, len(rows)) if self.dialect.ties == "random" else list(rows)
        descending = self.dialect.sort_order == "newest_first"
        if self.dialect.ties == "stable":
            return shuffled if descending else shuffled[::-1]
        unknown = datetime.min.replace(tzinfo=UTC)
        return sorted(shuffled, key=lambda row: row.created_at or unknown, reverse=descending)

    def _restore_id(self, value: Any) -> Any:
        text = str(value)
        return self._ids.get(int(text), value) if _INTEGER.fullmatch(text) else value

    def _restore_ids(self, content: bytes) -> bytes:
        try:
            body = orjson.loads(content)
        except orjson.JSONDecodeError:
            return content  # the handler reports it
        if not isinstance(body, dict):
            return content
        members = cast("dict[str, Any]", body)
        restored = {name: self._restore_id(value) if name in _IDS else value for name, value in members.items()}
        return orjson.dumps(restored)

    # Responses.

    def translate_response(self, route: Route | None, method: str, response: web.StreamResponse) -> web.StreamResponse:
        """Return a JSON response as the dialect has it; others are unchanged."""
        if self.dialect == _DEFAULT or not isinstance(response, web.Response):
            return response
        if response.status == 429:
            self._set_retry_after(response)
        if response.content_type != "application/json" or not isinstance(response.body, bytes) or not response.body:
            return response
        try:
            document = orjson.loads(response.body)
        except orjson.JSONDecodeError:
            return response  # made by a fault
        if response.status >= 400:
            return self._translate_error(response, document)
        if method == "POST" and response.status == 200:
            response.set_status(self.dialect.success_status)
        document = self.convert(document)
        if route is not None and route.listing is not None and route.listing.key in document:
            if self._is_beyond_end(document):
                return self.translate_response(route, method, error_response(self._beyond_end()))
            document = self._translate_page(document, route.listing.key)
        return self._encode(response, document)

    def _translate_error(self, response: web.Response, document: Any) -> web.Response:
        dialect = self.dialect
        if not (isinstance(document, dict) and {"error", "message"} <= document.keys()):
            return response  # made by a fault
        members = cast("dict[str, Any]", document)
        if response.status == 401:
            response.set_status(dialect.key_refusal_status)
            if dialect.key_refusal_body == "empty":
                return _replace(response, b"", "text/plain")
            if dialect.key_refusal_body == "html":
                return _replace(response, _HTML.encode(), "text/html")
            if dialect.key_refusal_body == "detail":
                return self._encode(response, {"detail": members["message"]})
        if members["message"] == KEY_REUSE:
            response.set_status(dialect.key_reuse_status)
        more = {name: value for name, value in members.items() if name not in {"error", "message"}}
        code, message = _CASES[dialect.error_case](members["error"]), members["message"]
        if dialect.error_body == "text":
            return _replace(response, str(message).encode(), "text/plain")
        bodies: Mapping[str, object] = {
            "documented": {"error": code, "message": message, **more},
            "errors": {"errors": [{"code": code, "message": message, **more}]},
            "code_detail": {"code": code, "detail": message, **more},
            "list": [message],
        }
        return self._encode(response, bodies[dialect.error_body])

    def _set_retry_after(self, response: web.Response) -> None:
        form, headers = self.dialect.retry_after, response.headers
        if form == "unchanged":
            return
        value = headers.popall("Retry-After", ["1"])[0]
        seconds = math.ceil(float(value)) if _SECONDS.fullmatch(value) else 1
        if form == "seconds":
            headers["Retry-After"] = str(seconds)
        elif form == "date":
            headers["Retry-After"] = formatdate(datetime.now(UTC).timestamp() + seconds, usegmt=True)
        elif form == "ratelimit":
            headers.update({"RateLimit-Limit": "100", "RateLimit-Remaining": "0", "RateLimit-Reset": str(seconds)})

    def _is_beyond_end(self, page: dict[str, Any]) -> bool:
        pagination = page["pagination"]
        return self.dialect.page_beyond_end != "empty" and pagination["current_page"] > pagination["last_page"]

    def _beyond_end(self) -> ApiError:
        if self.dialect.page_beyond_end == "not_found":
            return ApiError(404, "NotFound", "there is no such page")
        return ApiError(400, "ValidationError", "there is no such page")

    def _translate_page(self, page: dict[str, Any], key: str) -> dict[str, Any]:
        dialect, pagination = self.dialect, page["pagination"]
        if dialect.pagination == "partial":
            pagination = {name: pagination[name] for name in ("current_page", "page_size")}
        elif dialect.pagination == "strings":
            pagination = {name: str(value) for name, value in pagination.items()}
        names = _PAGINATION_NAMES[dialect.pagination_names]
        rows = {key if dialect.list_key == "documented" else dialect.list_key: page[key]}
        if dialect.pagination == "absent" or (dialect.pagination == "null" and dialect.null_members == "absent"):
            return rows
        if dialect.pagination == "null":
            return {**rows, "pagination": None}
        return {**rows, "pagination": {names.get(name, name): value for name, value in pagination.items()}}

    def _encode(self, response: web.Response, document: object) -> web.Response:
        content_type = self.dialect.content_type
        if content_type == "application/problem+json" and response.status < 400:
            content_type = "application/json"
        mark = _BYTE_ORDER_MARK if self.dialect.byte_order_mark else b""
        return _replace(response, mark + orjson.dumps(document), content_type)

    def convert(self, value: Json) -> Any:
        """Return a document of a response or webhook as the dialect has it."""
        return self._convert("", value)

    def _convert(self, name: str, value: Json) -> Any:
        if isinstance(value, dict):
            return {
                member: inner if member == "metadata" else self._convert(member, inner)
                for member, inner in value.items()
                if inner is not None or self.dialect.null_members == "null"
            }
        if isinstance(value, list):
            return [self._convert(name, inner) for inner in value]
        if isinstance(value, str):
            return self._convert_text(name, value)
        if name in _AMOUNTS and isinstance(value, (int, float)):
            return self._convert_amount(value)
        return value

    def _convert_text(self, name: str, value: str) -> object:
        if name in _IDS and self.dialect.ids == "integers":
            number = int.from_bytes(hashlib.sha256(value.encode()).digest()[:6], "big")
            self._ids[number] = value
            return number
        if name == "status":
            cases = {"documented": value, "upper": value.upper(), "capitalized": value.capitalize()}
            return cases.get(self.dialect.statuses) or _UNKNOWN_STATUSES.get(value, value)
        return _TIME_FORMATS[self.dialect.times](value) if _TIME.fullmatch(value) else value

    def _convert_amount(self, value: float) -> object:
        form = self.dialect.amounts
        if form == "double":
            return float(value)
        if form == "integer":
            return int(value) if value == int(value) else value
        if form == "decimal_string":
            return str(value) if isinstance(value, int) else f"{value:.2f}"
        return value


def _replace(response: web.Response, body: bytes, content_type: str) -> web.Response:
    response.body = body
    response.headers["Content-Type"] = content_type
    return response
