"""Wrong members in the JSON of a successful response. Error responses pass unchanged."""

from collections.abc import Callable, Iterable, Iterator
from typing import Annotated, Any, Literal, TypeAlias

import orjson
from aiohttp import web

from truemed_async.emulator.faults.registry import Bound, fault
from truemed_async.emulator.faults.responses import body_of
from truemed_async.emulator.request import ApiError, error_response

Json: TypeAlias = "dict[str, Json] | list[Json] | str | float | bool | None"

_PLACEHOLDER = "@@fault@@"  # replaced in the text by what a JSON library cannot write


def _validate_path(path: str) -> None:
    first, *rest = path.split(".")
    if "" in {first, *rest} or "**" in rest or path == "**":
        raise ValueError("must be steps separated by dots, with ** only as the first")


Path = Annotated[str, _validate_path]


def _children(node: Json) -> Iterable[tuple[str | int, Json]]:
    if isinstance(node, dict):
        return node.items()
    return enumerate(node) if isinstance(node, list) else ()


def _find(node: Any, steps: list[str]) -> Iterator[tuple[Any, Any]]:
    """Yield the container and key of each place that a path names.

    Steps are names of members and positions in lists; ``*`` is each of them, ``**`` any number of steps.
    """
    step, *rest = steps
    if step == "**":
        yield from _find(node, rest)
        for _, child in _children(node):
            yield from _find(child, steps)
        return
    for key, child in _children(node):
        if step in {"*", str(key)}:
            if rest:
                yield from _find(child, rest)
            else:
                yield node, key


def _edit(name: str, response: web.Response, edit: Callable[[Any], bool], literal: str = "") -> web.Response:
    """Change the JSON of a response.

    Args:
        name: The fault, for the error if it does not apply.
        response: The handler's response.
        edit: Changes the parsed document in place, and returns whether there was something to change.
        literal: The text that replaces the placeholder.
    """
    if not 200 <= response.status < 300:
        return response
    body = body_of(response)
    document = orjson.loads(body) if body else None
    if document is None or not edit(document):
        # A fault that silently does nothing would let a test pass that proves nothing.
        return error_response(ApiError(500, "FaultNotApplicable", f"the response has no place for {name}"))
    response.body = orjson.dumps(document).replace(f'"{_PLACEHOLDER}"'.encode(), literal.encode())
    return response


def _edit_at(name: str, response: web.Response, path: str, change: Callable[[Any, Any], None]) -> web.Response:
    """Change each place at a path; ``change`` gets its container and key."""

    def edit(document: Any) -> bool:
        found = list(_find(document, path.split(".")))
        for node, key in reversed(found):  # from the end: deleting keeps the positions before it
            change(node, key)
        return bool(found)

    return _edit(f"{name} at {path}", response, edit)


def _set_null(node: Any, key: Any) -> None:
    node[key] = None


@fault("after")
def missing_field(response: web.Response, *, path: Path) -> web.Response:
    """The JSON has no member at ``path``.

    Happens when an API changes, or an old record has no value.
    """

    def delete(node: Any, key: Any) -> None:
        del node[key]

    return _edit_at("missing_field", response, path, delete)


@fault("after")
def null_field(response: web.Response, *, path: Path) -> web.Response:
    """The member at ``path`` is null.

    Happens when a value is not known yet, although the documentation promises it.
    """
    return _edit_at("null_field", response, path, _set_null)


@fault("after")
def null_pagination(response: web.Response) -> web.Response:
    """The ``pagination`` of a list is null, so that the client does not learn how many pages there are.

    Happens when a server omits what is expensive to count.
    """
    return _edit_at("null_pagination", response, "pagination", _set_null)


@fault("after")
def wrong_type(response: web.Response, *, path: Path, value: Any = None) -> web.Response:
    """The member at ``path`` is ``value``, or has another type than documented if no value is given.

    Happens when an API changes, or passes on what another system has stored.
    """

    def replace(node: Any, key: Any) -> None:
        other = 12345 if isinstance(node[key], str) else "text"
        node[key] = other if value is None else value

    return _edit_at("wrong_type", response, path, replace)


@fault("after")
def unknown_enum(response: web.Response, *, path: Path = "**.status", value: str = "brand_new") -> web.Response:
    """The member at ``path``, by default every status, is an undocumented ``value``.

    Happens when an API has a new status, and the client is older.
    """

    def replace(node: Any, key: Any) -> None:
        node[key] = value

    return _edit_at("unknown_enum", response, path, replace)


@fault("after")
def unknown_fields(response: web.Response) -> web.Response:
    """Every object has more members, which are undocumented.

    Happens when an API has new fields, and the client is older.
    """

    def add(document: Any) -> bool:
        values: list[Any] = [document, *(node[key] for node, key in _find(document, ["**", "*"]))]
        objects: list[dict[str, Any]] = [value for value in values if isinstance(value, dict)]
        for node in objects:
            node.update(x_unknown={"list": [1, None, "é"]}, x_null=None)
        return True

    return _edit("unknown_fields", response, add)


def _set_number(name: str, response: web.Response, path: str | None, literal: str) -> web.Response:
    """Write a number that JSON libraries do not write: at a path, or in a new member if there is none."""

    def edit(document: Any) -> bool:
        found = [(document, "x_number")] if path is None else list(_find(document, path.split(".")))
        for node, key in found:
            node[key] = _PLACEHOLDER
        return bool(found)

    return _edit(f"{name} at {path}", response, edit, literal)


@fault("after")
def huge_number(
    response: web.Response,
    *,
    path: Path | None = None,
    digits: Annotated[int, Bound(">=", 1), Bound("<=", 10_000_000)] = 5000,
) -> web.Response:
    """The member at ``path``, or a new one, is an integer of ``digits`` digits, which takes some parsers very long.

    Happens with errors of a calculation, and with hostile servers.
    """
    return _set_number("huge_number", response, path, "9" * digits)


@fault("after")
def nan(
    response: web.Response, *, path: Path | None = None, value: Literal["NaN", "Infinity", "-Infinity"] = "NaN"
) -> web.Response:
    """The member at ``path``, or a new one, is a ``value`` that is neither a number nor JSON.

    Happens when a server divides by zero, and its JSON library writes the result.
    """
    return _set_number("nan", response, path, value)
