"""The catalog of the emulator's faults, generated from their registries."""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator, Mapping
from inspect import Parameter

from truemed_async.emulator import FAULTS
from truemed_async.emulator.faults.registry import Bound, FaultDefinition
from truemed_async.emulator.webhooks.faults import WebhookFaults

# The heading of each module that defines faults, in the order of the page.
HEADINGS = {
    "truemed_async.emulator.faults.connection": "Connections",
    "truemed_async.emulator.faults.latency": "Slow responses",
    "truemed_async.emulator.faults.status": "Error responses",
    "truemed_async.emulator.faults.consistency": "Conflicts, and lists that change",
    "truemed_async.emulator.faults.json_fields": "JSON members",
    "truemed_async.emulator.faults.body": "Bodies and headers",
    "truemed_async.emulator.faults.framing": "Broken framing",
    "truemed_async.emulator.faults.decompression_bomb": "Oversized bodies",
    "truemed_async.emulator.webhooks.faults": "Webhook deliveries",
}
INTRODUCTIONS = {
    "JSON members": (
        "A `path` is steps separated by dots: the names of members and the positions in lists. `*` is each of them, and "
        "`**`, only as the first step, any number of steps."
    ),
    "Webhook deliveries": (
        "Faults of `emulator.webhooks.faults`. They can be restricted by `event`, `nth`, `times` and `probability`."
    ),
}
PHASES = {
    "connect": "Acts when a connection opens.",
    "before": "Acts before the request is handled.",
    "after": "Acts after the request was handled.",
    "enqueue": "Acts when a delivery is created.",
    "send": "Acts on each request of a delivery.",
}
TYPES = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "`True` or `False`",
    type(None): "`None`",
    typing.Any: "any JSON",
}
# Arguments of the examples; a fault without any here is shown as it acts once.
EXAMPLES: Mapping[str, Mapping[str, object]] = {
    "refuse_connection": {"duration": 2},
    "accept_then_close": {"reset": True, "times": 1},
    "tls_bad_certificate": {"certificate": "certificate.pem"},
    "stale_keepalive": {"after": 0.5, "times": 1},
    "applied_then_reset": {"method": "POST", "nth": 1},
    "applied_then_hang": {"method": "POST", "nth": 1},
    "applied_then_500": {"method": "POST", "nth": 1},
    "applied_then_400_server_error": {"method": "POST", "nth": 1},
    "latency": {"distribution": "uniform", "seconds": 0.2, "spread": 0.1},
    "dribble": {"bytes": 16, "delay": 0.01, "times": 1},
    "bandwidth": {"kbps": 256},
    "slow_close": {"delay": 0.5, "times": 1},
    "garbage_then_close": {"size": 128, "times": 1},
    "truncate_body": {"fraction": 0.9, "times": 1},
    "truncate_chunked": {"fraction": 0.9, "times": 1},
    "truncate_gzip_clean": {"fraction": 0.9, "times": 1},
    "truncate_close_delimited": {"fraction": 0.9, "times": 1},
    "reset_in_body": {"fraction": 0.9, "times": 1},
    "duplicate_content_length": {"difference": -1, "times": 1},
    "extra_bytes_after_body": {"extra": "HTTP/1.1 200 OK", "times": 1},
    "header_flood": {"count": 500, "times": 1},
    "huge_header": {"size": 100_000, "times": 1},
    "informational_flood": {"count": 100, "times": 1},
    "wrong_content_type": {"content_type": "text/html", "times": 1},
    "html_error_page": {"status": 502, "times": 1},
    "deep_json": {"depth": 1000, "times": 1},
    "clock_skew": {"seconds": -3600},
    "bomb": {"encoding": "gzip", "size": 2**30, "times": 1},
    "oversize_error_body": {"size": 2**20, "code": 503, "times": 1},
    "missing_field": {"path": "status", "route": "qualification_sessions.get"},
    "null_field": {"path": "qualification_sessions.0.status", "route": "qualification_sessions.list"},
    "null_pagination": {"route": "qualification_sessions.list"},
    "wrong_type": {"path": "pagination.count", "value": "many"},
    "unknown_enum": {"path": "**.status", "value": "archived"},
    "huge_number": {"path": "total_amount", "digits": 400},
    "nan": {"path": "total_amount", "value": "Infinity"},
    "status": {"code": 503, "retry_after": 2, "times": 2},
    "should_retry": {"value": False, "code": 503},
    "redirect": {"target": "https://example.com/", "status": 301},
    "maintenance_page": {"retry_after": 30, "times": 1},
    "rate_limit": {"n": 10, "per": 1, "burst": 5},
    "outage": {"duration": 3, "after": 1, "code": 502},
    "fail_first": {"n": 2},
    "flaky": {"p": 0.2, "code": 500},
    "conflict_409": {"error": "user_id_already_set", "times": 1},
    "declined_422": {"route": "payment_sessions.create", "times": 1},
    "replica_lag": {"n": 2},
    "unstable_ties": {"route": "qualification_sessions.list"},
    "clamp_page_size": {"n": 25},
    "delete_between_pages": {"n": 1, "times": 3},
    "insert_between_pages": {"n": 1, "times": 3},
    "duplicate_delivery": {"n": 2, "times": 1},
    "delay": {"seconds": 600, "times": 1},
    "drop_until_retry": {"n": 2, "times": 1},
    "rotate_secret": {"nth": 3},
    "stale_timestamp": {"seconds": 600, "times": 1},
    "oversize_body": {"size": 2**20, "times": 1},
}


def markdown() -> str:
    """Return all faults as MyST Markdown: a section for each module, and one below it for each of its faults."""
    faults = [*FAULTS.values(), *WebhookFaults.catalog.values()]
    lines: list[str] = []
    for module, heading in HEADINGS.items():
        lines += [f"## {heading}", "", INTRODUCTIONS.get(heading, ""), ""]
        for fault in faults:
            if fault.implementation.__module__ == module:
                lines += _section(fault)
    return "\n".join(lines)


def _section(fault: FaultDefinition) -> Iterator[str]:
    yield from (f"### {fault.name}", "", fault.description, "", PHASES[fault.phase], "")
    if fault.parameters:
        yield from ("| parameter | value | default |", "| --- | --- | --- |")
        yield from (
            f"| `{name}` | {_value(each.annotation)} | {_default(each)} |" for name, each in fault.parameters.items()
        )
        yield ""
    yield from ("```python", example(fault), "```", "")


def example(fault: FaultDefinition) -> str:
    """Return the call that adds a fault."""
    registry = "emulator.webhooks.faults" if fault.name in WebhookFaults.catalog else "emulator.faults"
    arguments = EXAMPLES.get(fault.name, {"times": 1})
    texts = [_literal(fault.name), *(f"{name}={_literal(value)}" for name, value in arguments.items())]
    return f"{registry}.add({', '.join(texts)})"


def _literal(value: object) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _value(annotation: typing.Any) -> str:
    """Describe the values of an annotation of a parameter, with their limits."""
    if annotation in TYPES:
        return TYPES[annotation]
    arguments = typing.get_args(annotation)
    match typing.get_origin(annotation):
        case typing.Annotated:
            bounds = (
                f", {each.comparison} {each.limit:,}" for each in annotation.__metadata__ if isinstance(each, Bound)
            )
            return _value(annotation.__origin__) + "".join(bounds)
        case typing.Literal:
            return ", ".join(f"`{_literal(each)}`" for each in arguments)
        case origin if origin is Mapping:
            return "mapping of texts"
        case None:
            return f"`{annotation.__module__}.{annotation.__qualname__}`"
        case _:
            return " or ".join(_value(each) for each in arguments)


def _default(parameter: Parameter) -> str:
    return "required" if parameter.default is parameter.empty else f"`{_literal(parameter.default)}`"
