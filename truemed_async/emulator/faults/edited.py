"""Faults of single members: the answer is JSON of another shape than promised."""

# ruff: noqa: D102 - `Fault` says what each method is for, the class what the fault does

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from typing import Any, Literal, TypeAlias

import attrs
import orjson
from aiohttp import web
from attrs.validators import and_, ge, le

from truemed_async.emulator.faults.base import Exchange, Fault, body, plain
from truemed_async.emulator.request import ApiError, error_response

Json: TypeAlias = "dict[str, Json] | list[Json] | str | float | bool | None"

_PLACEHOLDER = "@@fault@@"  # stands where JSON cannot say what is wanted, until it is text


def _children(node: Json) -> Iterable[tuple[str | int, Json]]:
    if isinstance(node, dict):
        return node.items()
    return enumerate(node) if isinstance(node, list) else ()


def places(node: Any, path: list[str]) -> Iterator[tuple[Any, Any]]:
    """Yield the container and key of each place that the path names.

    Its steps are names of members and positions in lists; `*` is every one of them, `**` any number of steps.
    """
    step, *rest = path
    if step == "**":
        yield from places(node, rest)
        for _, child in _children(node):
            yield from places(child, path)
        return
    for key, child in _children(node):
        if step in {"*", str(key)}:
            if rest:
                yield from places(child, rest)
            else:
                yield node, key


class Edited(Fault, ABC):
    """Changes the JSON of a successful answer; an error answer passes as it is."""

    @abstractmethod
    def edit(self, document: Any) -> bool:
        """Change the document in place and tell whether there was anything to change."""

    def finish(self, content: bytes) -> bytes:
        """Return the text that is sent."""
        return content

    async def after(self, exchange: Exchange, response: web.StreamResponse) -> web.StreamResponse:
        del exchange
        answer = plain(response)
        if not 200 <= answer.status < 300:
            return answer
        content = body(answer)
        document = orjson.loads(content) if content else None
        if document is None or not self.edit(document):
            # A test whose fault quietly does nothing proves nothing: better that it fails.
            return error_response(ApiError(500, "FaultNotApplicable", f"the answer has no place for {self}"))
        answer.body = self.finish(orjson.dumps(document))
        return answer


def _is_path(_: object, __: object, path: str) -> None:
    first, *rest = path.split(".")
    if "" in {first, *rest} or "**" in rest or path == "**":
        raise ValueError("path must be steps with dots between them, ** only before all others")


@attrs.define(eq=False)
class AtPath(Edited, ABC):
    """Changes what is at a path."""

    path: str = attrs.field(validator=_is_path)

    def edit(self, document: Any) -> bool:
        found = list(places(document, self.path.split(".")))
        for node, key in reversed(found):  # from the end, so that the positions before a deleted one stay
            self.change(node, key)
        return bool(found)

    @abstractmethod
    def change(self, node: Any, key: Any) -> None:
        """Change one place."""


class MissingField(AtPath):
    """The member at `path` is not there."""

    def change(self, node: Any, key: Any) -> None:
        del node[key]


class NullField(AtPath):
    """The member at `path` is null."""

    def change(self, node: Any, key: Any) -> None:
        node[key] = None


@attrs.define(eq=False)
class NullPagination(NullField):
    """A listing whose `pagination` is null."""

    path: str = attrs.field(default="pagination", init=False)


@attrs.define(eq=False)
class WrongType(AtPath):
    """The member at `path` is `value`; without one it is of another type than it was."""

    value: Any = None

    def change(self, node: Any, key: Any) -> None:
        other = 12345 if isinstance(node[key], str) else "text"
        node[key] = other if self.value is None else self.value


@attrs.define(eq=False)
class UnknownEnum(AtPath):
    """The member at `path`, by default every status, is a `value` that nobody has heard of."""

    path: str = attrs.field(default="**.status", validator=_is_path)
    value: str = "brand_new"

    def change(self, node: Any, key: Any) -> None:
        node[key] = self.value


class UnknownFields(Edited):
    """Every object has members that nobody has heard of."""

    def edit(self, document: Any) -> bool:
        objects = [document, *(node[key] for node, key in places(document, ["**", "*"]) if isinstance(node[key], dict))]
        for node in objects:
            node.update(x_unknown={"list": [1, None, "é"]}, x_null=None)
        return True


@attrs.define(eq=False)
class Unspeakable(Edited, ABC):
    """Puts a number that JSON libraries do not write: at a path, or in one more member when there is no path."""

    path: str | None = attrs.field(default=None, validator=attrs.validators.optional(_is_path))

    def edit(self, document: Any) -> bool:
        found = [(document, "x_number")] if self.path is None else list(places(document, self.path.split(".")))
        for node, key in found:
            node[key] = _PLACEHOLDER
        return bool(found)

    def finish(self, content: bytes) -> bytes:
        return content.replace(f'"{_PLACEHOLDER}"'.encode(), self.number().encode())

    @abstractmethod
    def number(self) -> str:
        """Return it as text."""


@attrs.define(eq=False)
class HugeNumber(Unspeakable):
    """The member at `path`, or a new one, is an integer of so many `digits`."""

    digits: int = attrs.field(default=5000, validator=and_(ge(1), le(10_000_000)))

    def number(self) -> str:
        return "9" * self.digits


@attrs.define(eq=False)
class Nan(Unspeakable):
    """The member at `path`, or a new one, is a `value` that is no number and no JSON."""

    value: Literal["NaN", "Infinity", "-Infinity"] = "NaN"

    def number(self) -> str:
        return self.value
