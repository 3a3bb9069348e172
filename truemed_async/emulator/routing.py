"""Routes and the router: one declaration per route, by which requests are validated and OpenAPI is generated."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias, TypeVar
from urllib.parse import unquote

import attrs
import orjson
from aiohttp import web

from truemed_async.emulator.request import ApiError, ReceivedRequest
from truemed_async.emulator.schema import Array, Integer, Nullable, Object, Schema, ValidationError

# A handler receives the ``State`` or the ``EmulatorContext``, as its group does, and returns what its group renders.
Handler: TypeAlias = Callable[[Any, ReceivedRequest], object]
_H = TypeVar("_H", bound=Handler)

_NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})
# Truemed does not document its last page; a larger number is invalid.
_PAGE_NUMBER: Final = Integer(1, 999_999_999)


@attrs.frozen
class QueryParameter:
    """A query parameter."""

    schema: Schema
    default: object = None
    required: bool = False


PAGE_PARAMS: Final[Mapping[str, QueryParameter]] = MappingProxyType(
    {"page": QueryParameter(_PAGE_NUMBER, 1), "page_size": QueryParameter(_PAGE_NUMBER, 30)}
)


_PAGINATION: Final = Object({name: Integer(0) for name in ("count", "current_page", "last_page", "page_size")})


def page_schema(key: str, row: Schema) -> Object:
    """Return the schema of a page: by Truemed's pages ``pagination`` may be null, though here it never is."""
    return Object({key: Array(row), "pagination": Nullable(_PAGINATION)})


@attrs.frozen
class RowSource:
    """What a route lists: the name of the store, the key of the rows in the response, and the field of a row's id."""

    store: str
    key: str
    id: str


def _compile(route: Route) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/]+)", re.escape(route.path)))


@attrs.frozen(kw_only=True)
class Route:
    """An endpoint: name, method, path template, and the handler, which returns the body of a success.

    query: the known parameters; others are ignored.
    body: the schema of the JSON body, None if there is none. response: that of a success; None: a 204 without a body.
    error: the ``error`` of an invalid body; ``member_errors`` those of members that have their own.
    errors: by status, the values of ``error`` besides those of every route.
    listing: what the route lists, if it does.
    """

    name: str
    method: str
    path: str
    handler: Handler | None = None
    summary: str = ""
    query: Mapping[str, QueryParameter] = _NOTHING
    body: Object | None = None
    response: Schema | None = None
    error: str = "ValidationError"
    member_errors: Mapping[str, str] = _NOTHING
    errors: Mapping[int, tuple[str, ...]] = _NOTHING
    listing: RowSource | None = None
    _pattern: re.Pattern[str] = attrs.field(
        init=False, repr=False, eq=False, default=attrs.Factory(_compile, takes_self=True)
    )

    @property
    def status(self) -> int:
        """The status of a success."""
        return 204 if self.response is None else 200

    def match(self, path: str) -> dict[str, str] | None:
        """Return the decoded parameters if the raw path is this route's, else ``None``."""
        found = self._pattern.fullmatch(path)
        return None if found is None else {name: unquote(value) for name, value in found.groupdict().items()}

    def handle(self, context: object, request: ReceivedRequest) -> object:
        """Call the handler; raise the ``ApiError`` of a route that has none yet."""
        if self.handler is None:
            raise ApiError(501, "NotImplemented", f"the emulator does not support {self.name} yet")
        return self.handler(context, request)

    def validate(self, request: ReceivedRequest) -> None:
        """Parse the query and the body of a request; raise the ``ApiError`` of an invalid one."""
        try:
            request.query = self._parse_query(request.query)
            request.body = self._parse_body(request.content)
        except ValidationError as invalid:
            error = self.error if invalid.missing else self.member_errors.get(invalid.path, self.error)
            raise ApiError(400, error, str(invalid)) from None

    def _parse_query(self, query: Mapping[str, str]) -> dict[str, Any]:
        parsed: dict[str, Any] = {}
        for name, parameter in self.query.items():
            if name in query:
                parsed[name] = parameter.schema.parse(query[name])
                parameter.schema.validate(parsed[name], name)
            elif parameter.required:
                raise ValidationError(name, f"{name} is required", missing=True)
            else:
                parsed[name] = parameter.default
        return parsed

    def _parse_body(self, content: bytes) -> dict[str, Any]:
        empty = content.strip() in {b"", b"{}"}
        if self.body is None:
            # A GET with an empty JSON body is what Truemed's own sample of the catalog listing sends.
            if self.method == "POST" and not empty:
                raise ValidationError("", "the body must be empty")
            return {}
        if empty and not self.body.required:
            return {}
        try:
            body: dict[str, Any] = orjson.loads(content)
        except orjson.JSONDecodeError:
            raise ValidationError("", "the body must be JSON") from None
        self.body.validate(body, "")
        return body


class Routes(list[Route]):
    """Routes, added by decorating their handlers. The first line of a handler's docstring is the route's summary."""

    def route(self, method: str, path: str, name: str = "", **options: Any) -> Callable[[_H], _H]:
        """Add a route with these options of ``Route``; its name is that of the handler by default."""

        def add(handler: _H) -> _H:
            summary = (handler.__doc__ or "").partition("\n")[0].rstrip(".")
            route = Route(
                name=name or handler.__name__, method=method, path=path, handler=handler, summary=summary, **options
            )
            self.append(route)
            return handler

        return add


@attrs.frozen
class Match:
    """The route of a request and its path parameters, or the error of a request that has none."""

    route: Route | None
    params: Mapping[str, str] = _NOTHING
    error: ApiError | None = None


class Group:
    """Routes that are treated alike.

    call: runs a route's handler and renders its result.
    prefixes: the beginnings of all paths of the group, those without a route included.
    authenticated: the API key is required. is_api: requests are logged, and faults apply to them.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        call: Callable[[Route, Any, ReceivedRequest], web.StreamResponse],
        *,
        prefixes: tuple[str, ...] = ("",),
        authenticated: bool = False,
        is_api: bool = False,
    ) -> None:
        """Index the routes by their paths."""
        self.call = call
        self.prefixes = prefixes
        self.authenticated = authenticated
        self.is_api = is_api
        self._static: dict[str, dict[str, Route]] = {}
        self._templates: dict[str, dict[str, Route]] = {}
        for route in routes:
            by_path = self._templates if "{" in route.path else self._static
            by_path.setdefault(route.path, {})[route.method] = route

    @property
    def static_paths(self) -> Iterable[str]:
        """The paths without parameters."""
        return self._static

    def owns(self, path: str) -> bool:
        """Return whether a raw path belongs to the group, with a route or without one."""
        return path in self._static or path.startswith(self.prefixes) or bool(self._find(path)[0])

    def match(self, method: str, path: str) -> Match:
        """Return the route of a method and raw path, or the error: 404 or 405.

        A static path takes precedence over a template: ``create`` is not a payment token.
        """
        methods, params = self._find(path)
        if not methods:
            return Match(None, error=ApiError(404, "NotFound", "no such path"))
        if method not in methods:
            allow = ", ".join(sorted(methods))
            return Match(None, error=ApiError(405, "MethodNotAllowed", f"this path supports {allow}", allow=allow))
        return Match(methods[method], params)

    def _find(self, path: str) -> tuple[Mapping[str, Route], Mapping[str, str]]:
        if path in self._static:
            return self._static[path], _NOTHING
        for methods in self._templates.values():
            params = next(iter(methods.values())).match(path)
            if params is not None:
                return methods, params
        return _NOTHING, _NOTHING


class Router:
    """Chooses the group of a request by its path."""

    def __init__(self, *groups: Group) -> None:
        """Keep the groups; the first one that owns a path is chosen."""
        self._groups = groups
        # To ask every group again for each request would take as long as a small response.
        self._by_static_path = {path: self._first_owner(path) for group in groups for path in group.static_paths}

    def group(self, path: str) -> Group:
        """Return the group of a raw path."""
        return self._by_static_path.get(path) or self._first_owner(path)

    def _first_owner(self, path: str) -> Group:
        return next(group for group in self._groups if group.owns(path))
