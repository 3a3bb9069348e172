"""Generates, for each model, the function that builds it from JSON. One of the clever files, for speed.

Generated code validates each scalar inline, because a call per field would cost more than the check. Frozen attrs
classes are slow to build, because each field goes through ``object.__setattr__``; the function therefore fills a
mutable subclass with the same slots and then changes its class, which takes a third of the time. The tests compare the
results with those of plain cattrs. For a class with the fields ``id: str`` and ``created_at: datetime | None = None``
the generated code is::

    def structure(data, _):
        if data.__class__ is not dict: raise StructureError('an object')
        whole = len(data) == 2
        filled = data if len(data) >= 2 else completed(data)
        try: v0, v1, = all_of(filled)
        except KeyError:
            v0, v1, = all_of(completed(data))
            whole = False
        if v0.__class__ is not str: raise StructureError('a string', 'id')
        if v1 is not None:
            try: v1 = datetime_from(v1)
            except (ValueError, TypeError): raise StructureError('an ISO 8601 date and time', 'created_at') from None
            if v1.tzinfo is None: v1 = v1.replace(tzinfo=UTC)
        self = new(mutable)
        self.id = v0
        self.created_at = v1
        self.extra = {} if whole or known.issuperset(data) else {k: v for k, v in data.items() if k not in known}
        self.__class__ = cls
        return self

The lenient function, which is generated only when it is needed, wraps the check of each optional field::

        try: …
        except StructureError: mismatched['created_at'], v1 = v1, default_v1()
"""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import attrs
import orjson

from truemed_async._frozen import mutable_subclass
from truemed_async.models._enums import OpenEnum

if TYPE_CHECKING:
    import cattrs

Structure = Callable[[Any, Any], Any]

Strictness = Literal["strict", "lenient", "salvage"]
"""Which values of the wrong type are an error: all, those of required fields, or none (the field is then ``None``)."""

_FACTORY: type[Any] = typing.cast("Any", attrs.Factory)  # a class, although it is annotated as a function


class StructureError(Exception):  # never leaves the library: it becomes a DecodeError or a PayloadError
    """A value of the wrong shape: its path and the expected type, without the value."""

    def __init__(self, expected: str, *path: str) -> None:
        super().__init__(expected)
        self.expected = expected
        self._path = list(path)

    def with_prefix(self, step: str) -> StructureError:
        """Add an outer step to the path."""
        self._path.append(step)
        return self

    @property
    def path(self) -> str:
        """The path from the outermost value, for example ``items[3].created_at``."""
        return "".join(step if step.startswith("[") else f".{step}" for step in reversed(self._path)).removeprefix(".")


class MismatchedExtra(dict[str, Any]):
    """The ``extra`` of a model some fields of which had values of the wrong type: it also holds these values.

    Attributes:
        names: The names of these fields.
    """

    __slots__ = ("names",)

    def __init__(self, extra: Mapping[str, Any], mismatched: Mapping[str, Any]) -> None:
        super().__init__({**extra, **mismatched})
        self.names = tuple(mismatched)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), ({}, {}), (None, {"names": self.names}), None, iter(self.items())


def standard_type(kind: Any) -> Any:
    """Return the class of the ``datetime`` module from which ``kind`` is derived, else ``kind``.

    Tools that freeze the time, such as freezegun, replace ``date`` and ``datetime`` by derived classes in all modules.
    A function that is compiled meanwhile must be right after they are restored.
    """
    return next((base for base in getattr(kind, "__mro__", ()) if base.__module__ == "datetime"), kind)


# Not the classes themselves: these names are not replaced.
parse_date = standard_type(date).fromisoformat
datetime_from = standard_type(datetime).fromisoformat

EXPECTED: Mapping[Any, str] = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    standard_type(datetime): "an ISO 8601 date and time",
    standard_type(date): "a date (YYYY-MM-DD)",
}


def decode_datetime(value: str) -> datetime:
    """Parse ISO 8601, also with ``t`` and ``z`` as RFC 3339 allows; without a zone it is read as UTC."""
    moment: datetime = datetime_from(value.upper())
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def scalar_lines(kind: Any, v: str, wrong: str, *, nullable: bool = False) -> list[str] | None:
    """Return the lines that check and convert the variable ``v`` in place, or ``None`` if ``kind`` is not a scalar.

    The common case comes first, because each check counts for a page of values.
    """
    unless_null = f" and {v} is not None" if nullable else ""
    if kind in (str, int, bool):
        return [f"if {v}.__class__ is not {kind.__name__}{unless_null}: {wrong}"]
    if kind is float:  # JSON writes a whole number without a point
        return [
            f"if {v}.__class__ is not float{unless_null}:",
            f"    if {v}.__class__ is not int: {wrong}",
            f"    {v} = float({v})",
        ]
    standard = standard_type(kind)
    if standard in (standard_type(date), standard_type(datetime)):
        lines = [f"try: {v} = {standard.__name__}_from({v})"]
        if standard is standard_type(datetime):
            lines += [
                "except ValueError:",
                f"    try: {v} = decode_datetime({v})",
                f"    except ValueError: {wrong} from None",
            ]
        lines.append(f"except (ValueError, TypeError): {wrong} from None")  # TypeError: not a string
        if standard is standard_type(datetime):
            lines.append(f"if {v}.tzinfo is None: {v} = {v}.replace(tzinfo=UTC)")
    elif is_open_enum(kind):  # a lookup is several times faster than calling the enum
        lines = [
            f"try: {v} = members_{v}[{v}]",
            "except (KeyError, TypeError):",
            f"    if {v}.__class__ is not str: {wrong} from None",
            f"    {v} = type_{v}({v})",
        ]
    else:
        return None
    return [f"if {v} is not None:", *(f"    {line}" for line in lines)] if nullable else lines


def is_open_enum(kind: Any) -> bool:
    """Whether ``kind`` is an :class:`OpenEnum`."""
    return isinstance(kind, type) and issubclass(kind, OpenEnum)


def describe_kind(kind: Any) -> str:
    """Describe how ``kind`` looks in JSON."""
    return "a string" if is_open_enum(kind) else EXPECTED.get(standard_type(kind), "a value of another shape")


def compile_structure(cls: Any, converter: cattrs.Converter, strictness: Strictness = "strict") -> Structure:
    """Return ``(data, _) -> instance`` for the attrs class ``cls``, which may be a parametrized generic."""
    origin: type[Any] = typing.get_origin(cls) or cls
    hints = field_types(cls, origin)
    fields = attrs.fields_dict(origin)
    names = [name for name in fields if name != "extra"]
    variables = [f"v{number}" for number in range(len(names))]
    defaults: dict[str, Any] = {name: fields[name].default for name in names}
    if strictness == "salvage":
        defaults = {name: None if default is attrs.NOTHING else default for name, default in defaults.items()}
    required = [name for name, default in defaults.items() if default is attrs.NOTHING]
    scope: dict[str, Any] = {
        "StructureError": StructureError,
        "MismatchedExtra": MismatchedExtra,
        "UTC": UTC,
        "date_from": parse_date,
        "datetime_from": datetime_from,
        "decode_datetime": decode_datetime,
        "new": object.__new__,
        "cls": origin,
        "mutable": mutable_subclass(origin),
        "known": frozenset(names),
        "all_of": _emit_getter(names),
        "completed": _emit_defaults(required, defaults),
    }
    unpacked = "".join(f"{variable}, " for variable in variables) or "()"
    body = [
        "if data.__class__ is not dict: raise StructureError('an object')",
        f"whole = len(data) == {len(names)}",
        f"filled = data if len(data) >= {len(names)} else completed(data)",  # an exception would cost more than this check
        f"try: {unpacked} = all_of(filled)",
        "except KeyError:",
        f"    {unpacked} = all_of(completed(data))",
        "    whole = False",
    ]
    if strictness != "strict":
        body.append("mismatched = {}")
    for name, variable in zip(names, variables, strict=True):
        lines = _check_lines(hints[name], name, variable, scope, converter)
        body += (
            lines if strictness == "strict" else _tolerate(lines, hints[name], name, variable, defaults[name], scope)
        )
    body += [
        "self = new(mutable)",
        *(f"self.{name} = {variable}" for name, variable in zip(names, variables, strict=True)),
        "self.extra = {} if whole or known.issuperset(data) else {k: v for k, v in data.items() if k not in known}",
        *(() if strictness == "strict" else ("if mismatched: self.extra = MismatchedExtra(self.extra, mismatched)",)),
        "self.__class__ = cls",
        "return self",
    ]
    source = "def structure(data, _):\n" + "\n".join(f"    {line}" for line in body)
    exec(compile(source, f"<structure {origin.__qualname__}>", "exec"), scope)  # noqa: S102  # generated from this package's classes only
    return typing.cast("Structure", scope["structure"])


def _tolerate(lines: list[str], hint: Any, name: str, variable: str, default: Any, scope: dict[str, Any]) -> list[str]:
    """Return the check of a field so that a wrong value is noted, and the field has its default instead.

    A whole number instead of a text is noted, too, but its meaning is certain: an id, for example. So the field has its
    digits.
    """
    digits: list[str] = []
    if omit_none(hint)[0] is str:
        digits = [f"if {variable}.__class__ is int: mismatched[{name!r}], {variable} = {variable}, str({variable})"]
    if default is attrs.NOTHING:
        return digits + lines
    scope[f"default_{variable}"] = default.factory if isinstance(default, _FACTORY) else lambda: default
    return [
        *digits,
        "try:",
        *(f"    {line}" for line in lines),
        f"except StructureError: mismatched[{name!r}], {variable} = {variable}, default_{variable}()",
    ]


def _emit_getter(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Return a function that gets the values of all names from a dict, or raises KeyError if one is missing."""
    if len(names) > 1:
        # Several times faster than single lookups. The parser uses the same key strings for all objects, and strings
        # that are identical are found in half the time.
        return itemgetter(*orjson.loads(orjson.dumps(dict.fromkeys(names))))
    return lambda data: tuple(data[name] for name in names)


def _emit_defaults(required: list[str], defaults: Mapping[str, Any]) -> Callable[[Any], dict[str, Any]]:
    """Return a function that adds the defaults of missing names to a dict."""
    plain = {name: default for name, default in defaults.items() if not isinstance(default, _FACTORY)}
    factories = {name: default.factory for name, default in defaults.items() if isinstance(default, _FACTORY)}

    def complete(data: dict[str, Any]) -> dict[str, Any]:
        for name in required:
            if name not in data:
                raise StructureError("a value, but it is missing", name)
        return (plain | {name: make() for name, make in factories.items()} | data) if factories else plain | data

    return complete


def _check_lines(hint: Any, name: str, variable: str, scope: dict[str, Any], converter: cattrs.Converter) -> list[str]:
    kind, nullable = omit_none(hint)
    scope[f"type_{variable}"] = kind
    if is_open_enum(kind):
        scope[f"members_{variable}"] = kind._value2member_map_
    lines = scalar_lines(kind, variable, f"raise StructureError({describe_kind(kind)!r}, {name!r})", nullable=nullable)
    if lines is not None:
        return lines
    scope[f"hook_{variable}"] = converter.get_structure_hook(kind)
    lines = [
        f"try: {variable} = hook_{variable}({variable}, type_{variable})",
        f"except StructureError as error: raise error.with_prefix({name!r})",
    ]
    return [f"if {variable} is not None:", *(f"    {line}" for line in lines)] if nullable else lines


def field_types(cls: Any, origin: type[Any]) -> dict[str, Any]:
    """Return each field's type, with the type variables of a generic filled in."""
    filled = dict(zip(getattr(origin, "__parameters__", ()), typing.get_args(cls), strict=False))
    hints = typing.get_type_hints(origin)
    return {name: _fill(hints[name], filled) for name in attrs.fields_dict(origin)}


@cache
def open_enum_fields(cls: type[Any]) -> Mapping[str, type[OpenEnum]]:
    """Return the fields of a model whose type is an :class:`OpenEnum`, or that or ``None``."""
    kinds = {name: omit_none(hint)[0] for name, hint in field_types(cls, cls).items()}
    return {name: kind for name, kind in kinds.items() if is_open_enum(kind)}


def _fill(hint: Any, filled: Mapping[Any, Any]) -> Any:
    if isinstance(hint, TypeVar):
        return filled.get(hint, Any)
    parameters = getattr(hint, "__parameters__", ())
    return hint[tuple(filled.get(parameter, Any) for parameter in parameters)] if parameters else hint


def omit_none(hint: Any) -> tuple[Any, bool]:
    """Return the type without ``None``, and whether ``None`` was allowed."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        kinds = [kind for kind in typing.get_args(hint) if kind is not type(None)]
        if len(kinds) == 1:
            return kinds[0], True
    return hint, False
