"""Fields of forms, made from the types of what they set: parameters of faults and transitions, and the dialect."""

from __future__ import annotations

import types
from collections.abc import Mapping
from inspect import signature
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Union, get_args, get_origin

import attrs
import orjson

from truemed_async.emulator.dialect import Dialect
from truemed_async.emulator.faults.registry import Bound, keyword_parameters
from truemed_async.emulator.inspector.formats import parse_money
from truemed_async.emulator.pages.page import format_money
from truemed_async.emulator.schema import Enum, Integer
from truemed_async.emulator.webhooks.events import EVENTS

if TYPE_CHECKING:
    from inspect import Parameter

    from truemed_async.emulator.faults.registry import FaultDefinition, FaultRegistry
    from truemed_async.emulator.store import Action

_METHODS: Final = ("GET", "POST", "PUT", "DELETE")
_COMPARISONS: Final[Mapping[str, str]] = types.MappingProxyType(
    {">=": "at least", ">": "more than", "<=": "at most", "<": "less than"}
)
_BOOLEANS: Final[Mapping[str, bool]] = types.MappingProxyType({"true": True, "false": False})


@attrs.frozen(kw_only=True)
class Field:
    """A field of a form; ``step`` and ``low`` are those of a number, ``options`` those of a choice."""

    name: str
    label: str
    type: Literal["text", "number", "select", "textarea"] = "text"
    value: str = ""
    required: bool = False
    low: str = ""
    high: str = ""
    step: str = ""
    options: tuple[str, ...] = ()
    hint: str = ""


# --- faults -----------------------------------------------------------------------------------------------------------


def fault_fields(
    registry: FaultRegistry[Any], definition: FaultDefinition, routes: tuple[str, ...], form: Mapping[str, str]
) -> tuple[list[Field], list[Field]]:
    """Return the fields of a fault's parameters and of its scope, with what a form has in them."""
    parameters = [_typed_field(name, each, form) for name, each in definition.parameters.items()]
    scope = [
        _scope_field(name, each, routes, form)
        for name, each in keyword_parameters(registry.scope_type).items()
        if name in registry.restrictions(definition) and name != "when"  # a function
    ]
    return parameters, scope


def parse_fault(registry: FaultRegistry[Any], definition: FaultDefinition, form: Mapping[str, str]) -> dict[str, Any]:
    """Return the options of a fault from the fields of a form: those that are empty or at their default are left out.

    Their types are checked when the fault is added.
    """
    known = {**keyword_parameters(registry.scope_type), **definition.parameters}
    options: dict[str, Any] = {}
    for name, each in known.items():
        text = form.get(name, "").strip()
        if text and (each.default is each.empty or text != _format(each.default)):
            options[name] = parse_value(text, each.annotation)
    return options


def _typed_field(name: str, parameter: Parameter, form: Mapping[str, str]) -> Field:
    required = parameter.default is parameter.empty
    default = "" if required else _format(parameter.default)
    field = Field(name=name, label=_label(name), value=form.get(name, default), required=required)
    kinds = _basic_types(parameter.annotation)
    options = _options(parameter.annotation)
    if options:
        return attrs.evolve(field, type="select", options=options)
    if Mapping in kinds:
        return attrs.evolve(field, type="textarea", hint="one on each line, such as Name: value")
    if kinds <= {int, float}:
        bounds = _bounds(parameter.annotation)
        low = next((bound for bound in bounds if bound.comparison in {">=", ">"}), None)
        high = next((bound for bound in bounds if bound.comparison in {"<=", "<"}), None)
        return attrs.evolve(
            field,
            type="number",
            step="1" if kinds == {int} else "any",
            low="" if low is None else f"{low.limit:.17g}",
            high="" if high is None else f"{high.limit:.17g}",
            hint=" and ".join(f"{_COMPARISONS[bound.comparison]} {bound.limit:,.12g}" for bound in bounds),
        )
    return attrs.evolve(field, hint=_HINTS.get(frozenset(kinds), ""))


_HINTS: Final[Mapping[frozenset[Any], str]] = types.MappingProxyType(
    {
        frozenset({Any}): "JSON",
        frozenset({float, str}): "a number of seconds, or any text",
        frozenset({bool, str}): "true, false, or any text",
    }
)


def _scope_field(name: str, parameter: Parameter, routes: tuple[str, ...], form: Mapping[str, str]) -> Field:
    options: Mapping[str, tuple[str, ...]] = {"method": _METHODS, "route": routes, "event": EVENTS}
    field = _typed_field(name, parameter, form)
    if name in options:
        return attrs.evolve(field, type="select", options=("", *options[name]), hint="empty for all")
    hints = {
        "nth": "not before the nth",
        "times": "how often it acts",
        "probability": "the share to act on, above 0 to 1",
    }
    return attrs.evolve(field, hint=hints[name])


def parse_value(text: str, annotation: Any) -> object:
    """Return the text of a field as the best value for an annotation; another type is refused when it is used."""
    kinds = _basic_types(annotation)
    if Mapping in kinds:
        lines = [line.partition(":") for line in text.splitlines() if line.strip()]
        return {name.strip(): value.strip() for name, _, value in lines}
    if Any in kinds:
        try:
            decoded: object = orjson.loads(text)
        except orjson.JSONDecodeError:
            return text
        return decoded
    if bool in kinds and text in _BOOLEANS:
        return _BOOLEANS[text]
    return _parse_number(text, kinds)


def _parse_number(text: str, kinds: set[Any]) -> object:
    """Return the text as a number, a whole one if it is one; unchanged if no number is allowed, or it is none."""
    for kind in (int, float):
        if kinds & {kind, float}:
            try:
                return kind(text)
            except ValueError:
                continue
    return text


def _basic_types(annotation: Any) -> set[Any]:
    """Return the types of an annotation, without None and the restrictions."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _basic_types(annotation.__origin__)
    if origin in {Union, types.UnionType}:
        return {kind for part in get_args(annotation) for kind in _basic_types(part)} - {types.NoneType}
    if origin is Literal:
        return {type(value) for value in get_args(annotation)}
    return {origin or annotation}


def _parts(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if get_origin(annotation) in {Union, types.UnionType} else (annotation,)


def _options(annotation: Any) -> tuple[str, ...]:
    """Return the values of a choice; none if the annotation leaves more than a choice."""
    values: list[str] = []
    for part in _parts(annotation):
        plain = part.__origin__ if get_origin(part) is Annotated else part
        if get_origin(plain) is Literal:
            values.extend(map(_format, get_args(plain)))
        elif plain is bool:
            values.extend(_BOOLEANS)
        else:
            return ()
    return tuple(values)


def _bounds(annotation: Any) -> list[Bound]:
    return [
        check
        for part in _parts(annotation)
        if get_origin(part) is Annotated
        for check in part.__metadata__
        if isinstance(check, Bound)
    ]


def _label(name: str) -> str:
    words = name.replace("_", " ")
    return f"{words[:1].upper()}{words[1:]}"


def _format(value: object) -> str:
    """Return a default as the text of a field."""
    return "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


# --- transitions ------------------------------------------------------------------------------------------------------


def transition_fields(action: Action, method: Any, limit: int, form: Mapping[str, str]) -> list[Field]:
    """Return the fields of a transition's parameters.

    Args:
        action: The transition.
        method: What applies it; it has the defaults.
        limit: The largest amount, in cents.
        form: What a form that failed has in the fields.
    """
    defaults = signature(method).parameters
    fields: list[Field] = []
    for name, schema in action.params.properties.items():
        label = _label(name)
        if isinstance(schema, Enum):
            default = defaults[name].default
            value = form.get(name, default if isinstance(default, str) else "")
            fields.append(Field(name=name, label=label, type="select", options=schema.values, value=value))
        else:
            assert isinstance(schema, Integer)
            dollars = format_money(limit).removeprefix("$").replace(",", "")
            fields.append(
                Field(
                    name=name,
                    label=f"{label} in dollars",
                    type="number",
                    value=form.get(name, dollars),
                    low="0.01",
                    high=dollars,
                    step="0.01",
                    hint=f"at most {format_money(limit)}",
                )
            )
    return fields


def parse_transition(action: Action, limit: int, form: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters of a transition from the fields of a form, amounts in cents.

    Raises:
        ValueError: An amount is not in dollars, or not between a cent and the limit.
    """
    parameters: dict[str, Any] = {}
    for name, schema in action.params.properties.items():
        text = form.get(name, "").strip()
        if not text:
            continue
        if isinstance(schema, Integer):
            cents = parse_money(text, name)
            if not 0 < cents <= limit:
                raise ValueError(f"{name} must be between $0.01 and {format_money(limit)}, not {format_money(cents)}")
            parameters[name] = cents
        else:
            parameters[name] = text
    return parameters


# --- dialect ----------------------------------------------------------------------------------------------------------


def dialect_fields(dialect: Dialect) -> list[Field]:
    """Return a field for each choice of a dialect, the default first."""
    return [
        Field(
            name=name,
            label=_label(name),
            type="select",
            options=tuple(map(_format_choice, values)),
            value=_format_choice(getattr(dialect, name)),
        )
        for name, values in Dialect.axes().items()
    ]


def parse_dialect(form: Mapping[str, str]) -> Dialect:
    """Return the dialect of a form; missing fields have their defaults.

    Raises:
        ValueError: A field has no such value.
    """
    chosen: dict[str, Any] = {}
    for name, values in Dialect.axes().items():
        by_text = {_format_choice(value): value for value in values}
        text = form.get(name, _format_choice(values[0]))
        if text not in by_text:
            raise ValueError(f"{name} must be one of {', '.join(by_text)}")
        chosen[name] = by_text[text]
    return Dialect(**chosen)


def _format_choice(value: object) -> str:
    return "none" if value is None else _format(value)
