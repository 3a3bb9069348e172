"""The cattrs converter between JSON and models: strict scalars, open enums, unknown fields kept."""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from functools import cache
from itertools import repeat
from operator import length_hint
from typing import Any

import attrs
import cattrs
import orjson

from truemed_async.models._compile import (
    EXPECTED,
    Strictness,
    Structure,
    StructureError,
    compile_structure,
    decode_datetime,
    parse_date,
    standard_type,
)
from truemed_async.models._enums import OpenEnum

JSONDecodeError = orjson.JSONDecodeError


def _scalar_hook(kind: Any) -> Structure:
    def check(value: Any, _: Any) -> Any:
        if value.__class__ is kind:
            return value
        if kind is float and value.__class__ is int:
            return float(value)
        raise StructureError(EXPECTED[kind])

    return check


def _text_hook(kind: Any, parse: Callable[[str], Any]) -> Structure:
    def check(value: Any, _: Any) -> Any:
        if value.__class__ is str:
            try:
                return parse(value)
            except ValueError:
                pass  # raise outside the handler, so that the value is not chained
        raise StructureError(EXPECTED[kind])

    return check


def _structure_enum(value: Any, kind: Any) -> Any:
    if value.__class__ is str:
        return kind(value)
    raise StructureError("a string")


def _object_hook(value: Any, _: Any) -> dict[str, Any]:
    if value.__class__ is dict:
        return typing.cast("dict[str, Any]", value)
    raise StructureError("an object")


def _sequence_hook(kind: Any, converter: cattrs.Converter) -> Structure:
    container: Callable[[Iterable[Any]], Any] = typing.get_origin(kind) or kind
    item: Any = (*typing.get_args(kind), Any)[0]
    hook = converter.get_structure_hook(item)

    def structure(values: Any, _: Any) -> Any:
        if values.__class__ is not list:
            raise StructureError("a list")
        rest = iter(values)
        try:
            return container(map(hook, rest, repeat(item)))
        except StructureError as error:
            at = len(values) - length_hint(rest) - 1
            raise error.with_prefix(f"[{at}]")  # noqa: B904  # the same exception with a longer path

    return structure


_JSON_SCALARS = frozenset({str, int, float, bool, type(None)})
_standard_datetime: Any = standard_type(datetime)


def _unstructure_function(cls: Any, converter: cattrs.Converter) -> Callable[[Any], dict[str, Any]]:
    """Return the function for a model. Most values need no function of their own, whose lookup would cost the most."""
    names = [field.name for field in attrs.fields(cls) if field.name != "extra"]

    def unstructure(model: Any) -> dict[str, Any]:
        known = {name: getattr(model, name) for name in names}
        for name, value in known.items():
            kind = value.__class__
            if kind in _JSON_SCALARS:
                continue
            known[name] = iso(value) if kind is _standard_datetime else converter.unstructure(value)
        if model.extra:
            return known | {name: value for name, value in model.extra.items() if name not in known}
        return known

    return unstructure


def iso(moment: datetime) -> str:
    """Format a time as Truemed does: ISO 8601 with ``Z`` for UTC."""
    # As all times from Truemed are; ``isoformat`` takes several times as long.
    if moment.tzinfo is UTC and moment.__class__ is _standard_datetime:
        return orjson.dumps(moment, option=orjson.OPT_UTC_Z)[1:-1].decode()
    text = (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).isoformat()
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


def _is_sequence(kind: Any) -> bool:
    return kind in (list, tuple) or typing.get_origin(kind) in (list, tuple)


def _is_object(kind: Any) -> bool:
    return kind is dict or typing.get_origin(kind) in (dict, Mapping)


def _make(strictness: Strictness = "strict") -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=False)

    def sequence(kind: Any) -> Structure:
        return _sequence_hook(kind, converter)

    def model(kind: Any) -> Structure:
        structure = compile_structure(kind, converter, strictness)
        adapt = getattr(typing.get_origin(kind) or kind, "_adapt_structure", None)
        return structure if adapt is None else typing.cast("Structure", adapt(structure))

    def plain(kind: Any) -> Callable[[Any], dict[str, Any]]:
        return _unstructure_function(kind, converter)

    def plain_list(values: Any) -> list[Any]:
        return [converter.unstructure(value) for value in values]

    for scalar in (str, int, float, bool):
        converter.register_structure_hook(scalar, _scalar_hook(scalar))
    converter.register_structure_hook(OpenEnum, _structure_enum)  # a subclass of str, so it needs its own hook
    standard_date = standard_type(date)
    converter.register_structure_hook(_standard_datetime, _text_hook(_standard_datetime, decode_datetime))
    converter.register_structure_hook(standard_date, _text_hook(standard_date, parse_date))
    converter.register_structure_hook_func(_is_object, _object_hook)
    converter.register_structure_hook_factory(_is_sequence, sequence)
    converter.register_structure_hook_factory(attrs.has, model)
    converter.register_unstructure_hook_factory(attrs.has, plain)
    converter.register_unstructure_hook(_standard_datetime, iso)
    converter.register_unstructure_hook(standard_date, standard_date.isoformat)
    converter.register_unstructure_hook(OpenEnum, str)
    converter.register_unstructure_hook_func(_is_sequence, plain_list)
    return converter


converter = _make()


@cache
def tolerant_converter(strictness: Strictness) -> cattrs.Converter:
    """Return a converter that accepts values of the wrong type; it is made when it is first needed."""
    return _make(strictness)


loads: Callable[[bytes], Any] = orjson.loads
