"""The members of objects: their types, and the names and words among them that may be shown."""

from __future__ import annotations

import re
import typing
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from functools import cache
from types import NoneType
from typing import Any, cast, get_args, get_origin

import attrs

from truemed_async import endpoints
from truemed_async._core.endpoint import Endpoint
from truemed_async.diagnostics._report import FieldReport
from truemed_async.diagnostics._responses import MISSING, SESSION_ID
from truemed_async.models import OpenEnum

# Names and words from a server are shown only if they pass these, and are no word in the value of another member.
_NAME = re.compile(r"[A-Za-z][A-Za-z_]*[0-9]{0,2}\Z")
_WORD = re.compile(r"[a-z]+(_[a-z]+)*\Z")
_WORDS = re.compile(r"\w+")
MAX_NAME_LENGTH = 40
MAX_SHOWN_WORDS = 12
MIN_OBJECTS_WITH_NAME = 2
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(?::\d\d(?P<fraction>\.\d+)?)?(?P<zone>[Zz]|[+-]\d\d:?\d\d)?\Z")
_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?\Z")

TIME_FORMS = frozenset({"z", "lower_z", "utc_offset", "local_offset", "microseconds", "nanoseconds", "no_zone"})
_EXPECTED: Mapping[str, frozenset[str]] = {
    "string": frozenset({"string"}),
    "integer": frozenset({"integer"}),
    "double": frozenset({"double", "integer"}),
    "boolean": frozenset({"boolean"}),
    "time": frozenset({f"time {form}" for form in TIME_FORMS}),
    "word": frozenset({"word"}),
    "object": frozenset({"object"}),
    "array": frozenset({"array"}),
}


def _model_of(endpoint: Endpoint[Any]) -> Any:
    """Return the model of an object or of a row."""
    return (get_args(endpoint.result) or (endpoint.result,))[0]


MODELS: Mapping[str, Any] = {
    endpoint.name: model for endpoint in endpoints.ENDPOINTS if attrs.has(model := _model_of(endpoint))
}


@cache
def _kinds_of(name: str) -> Mapping[str, Any]:
    """Return the annotations of the fields of an endpoint's model, without ``None``."""
    model = MODELS[name]
    hints = typing.get_type_hints(model)
    names = [field.name for field in attrs.fields(model) if field.name != "extra"]
    return {each: next((kind for kind in get_args(hints[each]) if kind is not NoneType), hints[each])
            if NoneType in get_args(hints[each]) else hints[each] for each in names}  # fmt: skip


@cache
def declared_types(name: str) -> Mapping[str, str]:
    """Return the JSON types that this library expects in the fields of an endpoint."""
    return {field: _type_name(kind) for field, kind in _kinds_of(name).items()}


def _type_name(kind: Any) -> str:
    scalars = {str: "string", int: "integer", float: "double", bool: "boolean", datetime: "time", date: "string"}
    if kind in scalars:
        return scalars[kind]
    if isinstance(kind, type) and issubclass(kind, OpenEnum):
        return "word"
    return "array" if get_origin(kind) in (list, tuple) else "object"


STATUSES: Mapping[str, frozenset[str]] = {
    endpoint.name: frozenset(str(member) for member in _kinds_of(endpoint.name)["status"])
    for endpoint in (endpoints.LIST_QUALIFICATION_SESSIONS, endpoints.LIST_PAYMENT_SESSIONS)
}


def describe_fields(endpoint: Endpoint[Any], rows: Sequence[dict[str, Any]]) -> tuple[list[FieldReport], int]:
    """Return a report of each known field and of each other name that may be shown, and the number of other names."""
    kinds = _kinds_of(endpoint.name)
    declared = declared_types(endpoint.name)
    words = {name for name, kind in declared.items() if kind == "word"}
    personal = {
        word
        for row in rows
        for name, value in row.items()
        if name not in words
        for text in _texts(value)
        for word in (text.casefold(), *_WORDS.findall(text.casefold()))
    }
    unknown = Counter(name for row in rows for name in row if name not in declared)
    reported_names = [
        name
        for name in sorted(unknown)
        if _is_name(name) and unknown[name] >= MIN_OBJECTS_WITH_NAME and name.casefold() not in personal
    ]
    reports: list[FieldReport] = []
    for name in (*declared, *reported_names):
        values = [row.get(name, MISSING) for row in rows]
        expected = declared.get(name)
        types = Counter("absent" if value is MISSING else _kind_of_value(value, expected) for value in values)
        counts, hidden = _describe_words(values, kinds[name], personal) if name in words else ({}, 0)
        reports.append(
            FieldReport(
                endpoint=endpoint.name,
                name=name,
                is_known=name in declared,
                is_expected=expected is None or types.keys() <= _EXPECTED[expected] | {"null", "absent"},
                types=dict(sorted(types.items())),
                words=dict(sorted(counts.items())),
                unnamed_words=hidden,
            )
        )
    return reports, len(unknown) - len(reported_names)


def _describe_words(values: Sequence[Any], kind: Any, personal: set[str]) -> tuple[dict[str, int], int]:
    """Count the words of an enumeration; those that are not documented and could be personal are not shown."""
    documented = {str(member) for member in kind}
    folded = {member.casefold(): member for member in documented}
    counts: Counter[str] = Counter()
    hidden: set[str] = set()
    for value in values:
        if not isinstance(value, str):
            continue
        if value in documented:
            counts[value] += 1
        elif value.casefold() in folded:
            counts[f"{folded[value.casefold()]} (in another case)"] += 1
        elif (
            _WORD.match(value)
            and len(value) <= MAX_NAME_LENGTH
            and value not in personal
            and len(counts) < MAX_SHOWN_WORDS
        ):
            counts[value] += 1
        else:
            hidden.add(value)
    return dict(counts), len(hidden)


def _texts(value: Any) -> Iterator[str]:
    """Yield all texts and whole numbers inside a value."""
    rest: list[object] = [value]
    while rest:
        each = rest.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            rest.extend(cast("dict[str, Any]", each).values())
        elif isinstance(each, list):
            rest.extend(cast("list[object]", each))
        elif type(each) is int:
            yield str(each)


def _is_name(name: str) -> bool:
    return len(name) <= MAX_NAME_LENGTH and _NAME.match(name) is not None


def _kind_of_value(value: object, expected: str | None) -> str:
    """Return the JSON type of a value; of a text, its form if the field is expected to have one."""
    if value is None:
        return "null"
    if isinstance(value, str):
        return _form_of_text(value, expected)
    names: dict[type[Any], str] = {bool: "boolean", int: "integer", float: "double", list: "array", dict: "object"}
    return names[type(value)]


def _form_of_text(text: str, expected: str | None) -> str:
    if expected == "word":
        return "word"
    if expected in ("integer", "double"):
        return "decimal string" if _DECIMAL.match(text) else "string"
    form = _form_of_time(text) if expected in ("time", None) else None
    return "string" if form is None else f"time {form}"


def _form_of_time(text: str) -> str | None:
    found = _TIME.match(text)
    if found is None:
        return None
    zone, digits = found["zone"], len(found["fraction"] or ".") - 1
    if zone is None:
        return "no_zone"
    if zone == "z":
        return "lower_z"
    if zone != "Z":
        return "utc_offset" if zone.replace(":", "") in ("+0000", "-0000") else "local_offset"
    return "nanoseconds" if digits > 6 else "microseconds" if digits > 3 else "z"


def read_time(value: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value.upper())
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None


def tied_ids(rows: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return time and id of the rows that share their time with another one, in their order."""
    times = Counter(str(row.get("created_at")) for row in rows if row.get("created_at") is not None)
    pairs = [(str(row.get("created_at")), str(row.get(SESSION_ID))) for row in rows]
    return [pair for pair in pairs if times[pair[0]] > 1]
