"""What a route is: one declaration that requests are checked by and that the OpenAPI document is printed from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import unquote

import attrs
import orjson

from truemed_async.emulator.call import Call, Problem
from truemed_async.emulator.kinds import Kind, Members, Unfit

if TYPE_CHECKING:
    from truemed_async.emulator.state import State

Handler: TypeAlias = "Callable[[State, Call], object]"

_NOTHING: Final[Mapping[Any, Any]] = MappingProxyType({})


@attrs.frozen
class Parameter:
    """A query parameter, which has to be given when it is required."""

    kind: Kind
    default: object = None
    required: bool = False


@attrs.frozen
class Listing:
    """What a route lists: the name of the store, the key of the rows in the answer, and the field of a row's id."""

    store: str
    key: str
    id: str


def _pattern_of(route: Route) -> re.Pattern[str]:
    return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", route.path))


@attrs.frozen(kw_only=True)
class Route:
    """A documented endpoint: name, verb, path template, and the handler, which returns the body of a success.

    query: the parameters that it knows; others are ignored.
    body: what its JSON body is; None: it takes none. answer: what its success is; None: nothing, with a 204.
    faulty: the `error` of a body that is not as declared; `faulty_members` those of members that have one of their own.
    errors: by status, the values of `error` that it may answer besides those of every route.
    listing: what it lists, if it does.
    """

    name: str
    method: str
    path: str
    handler: Handler | None = None
    summary: str = ""
    query: Mapping[str, Parameter] = _NOTHING
    body: Members | None = None
    answer: Kind | None = None
    faulty: str = "ValidationError"
    faulty_members: Mapping[str, str] = _NOTHING
    errors: Mapping[int, tuple[str, ...]] = _NOTHING
    listing: Listing | None = None
    _pattern: re.Pattern[str] = attrs.field(
        init=False, repr=False, eq=False, default=attrs.Factory(_pattern_of, takes_self=True)
    )

    @property
    def status(self) -> int:
        """That of a success."""
        return 204 if self.answer is None else 200

    def match(self, path: str) -> dict[str, str] | None:
        """Return the decoded parameters when the raw path is this route's, else None."""
        found = self._pattern.fullmatch(path)
        return None if found is None else {name: unquote(value) for name, value in found.groupdict().items()}

    def call(self, params: Mapping[str, str], query: Mapping[str, str], body: bytes, origin: str) -> Call:
        """Return the request as the handler gets it, or raise the `Problem` of one that is not as declared."""
        try:
            return Call(params, self._parsed(query), self._payload(body), origin)
        except Unfit as unfit:
            error = self.faulty if unfit.missing else self.faulty_members.get(unfit.path, self.faulty)
            raise Problem(400, error, str(unfit)) from None

    def _parsed(self, query: Mapping[str, str]) -> dict[str, Any]:
        parsed: dict[str, Any] = {}
        for name, parameter in self.query.items():
            if name in query:
                parsed[name] = parameter.kind.parse(query[name])
                parameter.kind.check(parsed[name], name)
            elif parameter.required:
                raise Unfit(name, f"{name} is required", missing=True)
            else:
                parsed[name] = parameter.default
        return parsed

    def _payload(self, body: bytes) -> dict[str, Any]:
        empty = body.strip() in {b"", b"{}"}
        if self.body is None:
            # A GET with an empty JSON body is what Truemed's own sample of the catalog listing sends.
            if self.method == "POST" and not empty:
                raise Unfit("", "the body must be empty")
            return {}
        if empty and not self.body.required:
            return {}
        try:
            payload: dict[str, Any] = orjson.loads(body)
        except orjson.JSONDecodeError:
            raise Unfit("", "the body must be JSON") from None
        self.body.check(payload, "")
        return payload
