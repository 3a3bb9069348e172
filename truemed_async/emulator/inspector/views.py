"""The pages of the inspector: for each, the values of its template."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import attrs
import orjson
from cattrs.preconf.json import make_converter

from truemed_async.emulator.api import ROUTES as API_ROUTES
from truemed_async.emulator.inspector.fields import dialect_fields, fault_fields, transition_fields
from truemed_async.emulator.inspector.formats import (
    PageBudget,
    field_names,
    format_seconds,
    mark_code,
    response_tone,
    shorten,
    show,
    tone,
)
from truemed_async.emulator.inspector.kinds import (
    DESTRUCTIVE,
    INSPECTOR,
    KIND_OF,
    Kind,
    buttons_of,
    find_action,
    find_reference,
)
from truemed_async.emulator.inspector.listing import (
    DEFAULT_SIZE,
    SIZES,
    ListQuery,
    cells_of,
    columns_of,
    describe_delivery,
    describe_request,
    event_name,
    format_channel,
    read_deliveries,
    read_requests,
    read_rows,
    summary_of,
)
from truemed_async.emulator.inspector.timeline import read_timeline
from truemed_async.emulator.resources.payment_sessions import EmulatedPaymentSession
from truemed_async.emulator.webhooks.model import MODES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from truemed_async.emulator.context import EmulatorContext
    from truemed_async.emulator.faults.registry import ActiveFault, FaultDefinition, FaultRegistry
    from truemed_async.emulator.store import Row
    from truemed_async.emulator.webhooks.model import DeliveryAttempt, EmulatedDelivery

MAX_ATTEMPTS: Final = 10  # of a delivery, the newest
MAX_ENDPOINTS: Final = 20
MAX_FAULTS: Final = 30
_DATA_BYTES: Final = 15_000
_JSON_BYTES: Final = 5_000
_BODY_BYTES: Final = 28_000
_CONVERTER: Final = make_converter(detailed_validation=False)
# How many rows a list may show in full before its cells are cut: so many bytes.
MAX_LIST_BYTES: Final = 32_000


@attrs.frozen(kw_only=True)
class View:
    """A page.

    section: the part of the navigation that it belongs to. parent: the name and the path of the page above it.
    top: the template of what stays while the page updates itself. template: that of the rest.
    compact: returns values that replace others if the page is too large. live: whether the page updates itself.
    """

    heading: str
    section: str
    template: str
    top: str = ""
    parent: tuple[str, str] = ("", "")
    values: Mapping[str, object] = attrs.field(factory=dict[str, object])
    compact: Callable[[], Mapping[str, object]] | None = None
    live: bool = True
    status: int = 200


# --- objects ----------------------------------------------------------------------------------------------------------


def list_view(context: EmulatorContext, kind: Kind, query: Mapping[str, str]) -> View:
    """Return the list of a kind of objects."""
    page = read_rows(context, kind, ListQuery.parse(query))
    columns = columns_of(context, kind)
    store_actions = [action for action in kind.store(context).actions().values() if not action.on_row]

    def shorten_rows() -> Mapping[str, object]:
        return {"rows": [cells_of(context, kind, row, columns, small=True) for row in page.items], "is_cut": True}

    return View(
        heading=kind.title,
        section=kind.slug,
        top="inspector/search.html",
        template="inspector/list.html",
        values={
            "kind": kind,
            "list": page,
            "columns": columns,
            "rows": [cells_of(context, kind, row, columns) for row in page.items],
            "is_cut": False,
            "store_actions": [action.name for action in store_actions if not action.params.properties],
            "statuses": kind.statuses,
            "sizes": SIZES,
            "search_label": "Search ids, names and other texts",
        },
        compact=shorten_rows if page.query.size == DEFAULT_SIZE else None,
    )


def object_view(context: EmulatorContext, kind: Kind, id: str) -> View:
    """Return the page of an object; KeyError if there is none with this id."""
    row = kind.store(context).get(id)
    now = context.state.clock.now()
    budget = PageBudget(_DATA_BYTES, context.api_key)

    def link(name: str, value: object) -> str:
        return "" if value == row.id else find_reference(context, name, value)

    data = {name: getattr(row, name) for name in _member_names(row)}
    amount = next((data[name] for name in ("total_amount", "amount") if name in data), None)
    return View(
        heading=shorten(row.id, 80),
        section=kind.slug,
        parent=(kind.title, kind.path),
        template="inspector/object.html",
        values={
            "kind": kind,
            "id": row.id,
            "path": kind.object_path(row.id),
            "status": shorten(row.status, 40),
            "status_tone": tone(row.status),
            "summary": summary_of(row),
            "amount": None if amount is None else show("amount", amount, now),
            "created": show("created_at", row.created_at, now),
            "buttons": buttons_of(context, kind, row),
            "hosted": kind.hosted_path(row),
            "data": budget.tree("", data, now, link),
            "json": PageBudget(_JSON_BYTES, context.api_key).body(orjson.dumps(_CONVERTER.unstructure(row))),
            "timeline": read_timeline(context, kind, row),
            "related": _related(kind, row),
        },
    )


def _member_names(row: Row) -> list[str]:
    names = field_names(row)
    if isinstance(row, EmulatedPaymentSession):
        names += ["status_summary", "refund_amount", "refundable"]
    return names


def _related(kind: Kind, row: Row) -> list[tuple[str, str]]:
    """Return the names and addresses of the lists of what belongs to an object."""
    if kind.resource not in {"payment_sessions", "payouts"}:
        return []
    found = ListQuery(search=row.id[:200])
    return [("Transactions", found.url(KIND_OF["transactions"].path))]


def amount_limit(row: Row, transition: str) -> int:
    """Return the largest amount of a transition in cents: what is left to refund, or what is held."""
    if not isinstance(row, EmulatedPaymentSession):
        return 0
    return row.refundable if transition == "refund" else row.total_amount


def transition_view(
    context: EmulatorContext,
    kind: Kind,
    id: str,
    name: str,
    *,
    form: Mapping[str, str] | None = None,
    problem: str = "",
) -> View:
    """Return the page that asks before a transition, and for its parameters; KeyError if there is none."""
    row = kind.store(context).get(id)
    action, description = find_action(context, kind, name)
    limit = amount_limit(row, name)
    is_allowed = not action.statuses or row.status in action.statuses
    fields = transition_fields(action, getattr(kind.store(context), name), limit, form or {})
    has_amount = any(field.type == "number" for field in fields)
    if not is_allowed or (has_amount and limit <= 0):
        allowed = " or ".join(action.statuses)
        reason = "nothing is left to refund" if is_allowed else f"it is {row.status}, not {allowed}"
        problem = problem or f"This is not possible: {reason}."
        is_allowed = False
    label = name.replace("_", " ")
    return View(
        heading=f"{label.capitalize()} this {kind.singular}" if name != "review" else f"Review this {kind.singular}",
        section=kind.slug,
        parent=(shorten(row.id, 40), kind.object_path(row.id)),
        template="inspector/form.html",
        live=False,
        status=409 if problem and form is not None else 200,
        values={
            "problem": problem,
            "explanation": mark_code(description),
            "facts": [("Id", row.id), ("Status", row.status.replace("_", " "))],
            "fields": fields if is_allowed else [],
            "more_fields": [],
            "hidden": {
                "resource": kind.resource,
                "id": row.id,
                "transition": name,
                "back": kind.object_path(row.id),
            },
            "action": "apply",
            "is_destructive": name in DESTRUCTIVE,
            "is_allowed": is_allowed,
            "button": label.capitalize(),
            "cancel": kind.object_path(row.id),
        },
    )


# --- requests and deliveries ------------------------------------------------------------------------------------------


def requests_view(context: EmulatorContext, query: Mapping[str, str]) -> View:
    """Return the list of requests."""
    page, now = read_requests(context, ListQuery.parse(query)), context.state.clock.now()
    return View(
        heading="Requests",
        section="requests",
        top="inspector/search.html",
        template="inspector/requests.html",
        values={
            "list": page,
            "lines": [describe_request(request, now) for request in page.items],
            "several_channels": context.channels > 1,
            "statuses": (),
            "sizes": SIZES,
            "search_label": "Search in path, query, route and body",
        },
    )


def request_view(context: EmulatorContext, number: str) -> View:
    """Return the page of a request; KeyError if it is not stored."""
    if not (number.isdecimal() and len(number) < 16):
        raise KeyError(number)
    request, now = context.requests.get(int(number)), context.state.clock.now()
    budget = PageBudget(_BODY_BYTES, context.api_key)
    changes = [
        {
            "kind": KIND_OF[change.resource].singular,
            "id": shorten(change.id, 60),
            "href": KIND_OF[change.resource].object_path(change.id),
            "name": change.name.replace("_", " "),
            "after": change.after.replace("_", " "),
            "tone": tone(change.after),
        }
        for change in context.history.of_request(request.number)[:MAX_FAULTS]
    ]
    return View(
        heading=f"{shorten(request.method, 10)} {shorten(request.path, 120)}",
        section="requests",
        parent=("Requests", f"{INSPECTOR}/requests"),
        template="inspector/request.html",
        values={
            "number": request.number,
            "status": str(request.status or "no response"),
            "status_tone": response_tone(request.status),
            "route": request.route or "none",
            "query": budget.shorten(request.query, 500),
            "at": show("at", request.at, now),
            "duration": format_seconds(request.seconds),
            "authenticated": request.authenticated,
            "several_channels": context.channels > 1,
            "sales_channel": format_channel(request),
            "other_channel": request.sales_channel if request.sales_channel not in {None, context.number} else None,
            "headers": budget.headers(request.headers),
            "body": budget.body(request.body),
            "response": budget.body(request.response_body),
            "changes": changes,
        },
    )


def deliveries_view(context: EmulatorContext, query: Mapping[str, str]) -> View:
    """Return the webhooks and their deliveries."""
    page, now = read_deliveries(context, ListQuery.parse(query)), context.state.clock.now()
    endpoints = [
        {
            "id": each.id,
            "url": shorten(each.url, 120),
            "mode": each.mode,
            "events": ", ".join(sorted(each.events)) if each.events is not None else "all events",
            "secret": shorten(each.secrets[0], 120),
        }
        for each in context.webhooks.endpoints
    ]
    return View(
        heading="Webhooks",
        section="webhooks",
        top="inspector/webhooks.html",
        template="inspector/deliveries.html",
        values={
            "list": page,
            "lines": [describe_delivery(each, _subject_path(context, each), now) for each in page.items],
            "endpoints": endpoints[:MAX_ENDPOINTS],
            "registered": len(endpoints),
            "modes": MODES,
            "statuses": ("waiting", "delivered", "abandoned"),
            "sizes": SIZES,
            "search_label": "Search in ids and events",
        },
    )


def _subject_path(context: EmulatorContext, delivery: EmulatedDelivery) -> str:
    """Return the path of the object that a delivery is about; empty if it no longer exists."""
    kind = KIND_OF[delivery.resource]
    return kind.object_path(delivery.resource_id) if delivery.resource_id in kind.store(context) else ""


def delivery_view(context: EmulatorContext, id: str) -> View:
    """Return the page of a delivery; KeyError if there is none with this id."""
    delivery = {each.id: each for each in context.webhooks.deliveries}[id]
    now = context.state.clock.now()
    budget = PageBudget(_BODY_BYTES, context.api_key)
    endpoint = {each.id: each for each in context.webhooks.endpoints}.get(delivery.endpoint)
    numbered = list(enumerate(delivery.attempts, 1))
    return View(
        heading=shorten(event_name(delivery), 60),
        section="webhooks",
        parent=("Webhooks", f"{INSPECTOR}/webhooks"),
        template="inspector/delivery.html",
        values={
            "line": describe_delivery(delivery, _subject_path(context, delivery), now),
            "name": delivery.event,
            "url": None if endpoint is None else shorten(endpoint.url, 120),
            "body": budget.body(delivery.body),
            "attempts": [_attempt(number, each, budget, context) for number, each in numbered[-MAX_ATTEMPTS:]],
        },
    )


def _attempt(
    number: int, attempt: DeliveryAttempt, budget: PageBudget, context: EmulatorContext
) -> Mapping[str, object]:
    return {
        "number": number,
        "at": show("at", attempt.at, context.state.clock.now()),
        "outcome": str(attempt.status or attempt.failure),
        "tone": "good" if attempt.acknowledged else "bad",
        "duration": format_seconds(attempt.seconds),
        "fault": attempt.fault,
        "headers": budget.headers(attempt.headers),
        "response": budget.body(attempt.response_body),
    }


# --- faults -----------------------------------------------------------------------------------------------------------


def registry_of(context: EmulatorContext, side: str) -> FaultRegistry[Any]:
    """Return the faults of the API, or of ``webhooks``; KeyError for anything else."""
    registries: dict[str, FaultRegistry[Any]] = {"api": context.faults, "webhooks": context.webhooks.faults}
    return registries[side]


def faults_view(context: EmulatorContext) -> View:
    """Return the active faults, and all that can be added."""
    sides = ("api", "webhooks")
    active = [(side, fault) for side in sides for fault in registry_of(context, side).active]
    ended = [(side, fault) for side in sides for fault in registry_of(context, side).known if not fault.active]
    return View(
        heading="Faults",
        section="faults",
        template="inspector/faults.html",
        values={
            "active": [_active_fault(side, fault) for side, fault in active[:MAX_FAULTS]],
            "count": len(active),
            "ended": [_active_fault(side, fault) for side, fault in ended[-5:]],
            "groups": [group for side in sides for group in _catalog(side, registry_of(context, side))],
        },
    )


def _active_fault(side: str, fault: ActiveFault[Any]) -> Mapping[str, object]:
    options = {name: value for name, value in fault.to_dict().items() if name not in {"id", "name", "active", "hits"}}
    return {
        "side": side,
        "id": fault.id,
        "name": shorten(fault.name, 60),
        "hits": fault.hits,
        "options": [(name, shorten(value, 60)) for name, value in options.items()],
    }


def _catalog(side: str, registry: FaultRegistry[Any]) -> list[tuple[str, list[Mapping[str, object]]]]:
    """Return the faults of a registry by the module that defines them, whose docstring is the heading."""
    groups: dict[str, list[Mapping[str, object]]] = {}
    for name, definition in registry.catalog.items():
        module = sys.modules[definition.implementation.__module__].__doc__ or ""
        entry = {
            "name": name,
            "href": f"{INSPECTOR}/faults/{side}/{name}",
            "description": mark_code(_first_paragraph(definition)),
            "is_active": any(each.name == name for each in registry.active),
        }
        groups.setdefault(module.partition("\n")[0].partition(":")[0].rstrip("."), []).append(entry)
    return list(groups.items())


def _first_paragraph(definition: FaultDefinition) -> str:
    return definition.description.partition("\n\n")[0].replace("\n", " ")


def fault_view(
    context: EmulatorContext, side: str, name: str, *, form: Mapping[str, str] | None = None, problem: str = ""
) -> View:
    """Return the form that adds a fault; KeyError if there is none of this name."""
    registry = registry_of(context, side)
    definition = registry.catalog[name]
    routes = tuple(sorted(route.name for route in API_ROUTES))
    parameters, scope = fault_fields(registry, definition, routes, {} if form is None else form)
    return View(
        heading=name,
        section="faults",
        parent=("Faults", f"{INSPECTOR}/faults"),
        template="inspector/form.html",
        live=False,
        status=409 if problem else 200,
        values={
            "problem": problem,
            "explanation": mark_code(definition.description),
            "facts": [],
            "fields": parameters,
            "more_fields": scope,
            "hidden": {"side": side, "name": name, "back": f"{INSPECTOR}/faults"},
            "action": "add-fault",
            "is_destructive": False,
            "is_allowed": True,
            "button": "Add this fault",
            "cancel": f"{INSPECTOR}/faults",
        },
    )


# --- settings and confirmations ---------------------------------------------------------------------------------------


def settings_view(context: EmulatorContext) -> View:
    """Return the clock, the dialect, the API key, and the reset."""
    clock, defaults = context.state.clock, type(context.dialects.dialect)()
    fields = dialect_fields(context.dialects.dialect)
    return View(
        heading="Clock and dialect",
        section="settings",
        template="inspector/settings.html",
        live=False,
        values={
            "now_text": f"{clock.now():%A, %B} {clock.now().day}, {clock.now():%Y, %H:%M:%S} UTC",
            "ahead": format_ahead(clock.ahead),
            "api_key": context.api_key,
            "fields": fields,
            "changed": [
                field.name
                for field in fields
                if getattr(defaults, field.name) != getattr(context.dialects.dialect, field.name)
            ],
        },
    )


def format_ahead(seconds: float) -> str:
    """Return how far the clock is ahead in days, hours, minutes and seconds; empty if it is not."""
    whole = int(seconds)
    parts = (
        (whole // 86400, "day"),
        (whole // 3600 % 24, "hour"),
        (whole // 60 % 60, "minute"),
        (whole % 60, "second"),
    )
    return " ".join(f"{number:,} {unit}{'' if number == 1 else 's'}" for number, unit in parts if number)


def confirm_reset_view(context: EmulatorContext) -> View:
    """Return the page that asks before everything is deleted."""
    stores = [(kind.title, f"{kind.store(context).count:,}") for kind in KIND_OF.values()]
    deleted = "All objects, idempotency keys, requests, deliveries and faults are deleted"
    if context.channels > 1:
        own = f"All objects, idempotency keys and deliveries of sales channel {context.number} are deleted"
        deleted = f"{own}, and the requests and faults of all sales channels"
    return _confirm(
        "Delete everything?",
        "settings",
        f"{deleted}. The webhooks stay registered, and the clock stays where it is.",
        facts=[*stores, ("Requests", f"{len(context.requests):,}")],
        action="reset",
        hidden={"back": f"{INSPECTOR}/settings"},
        button="Delete everything",
    )


def confirm_unregister_view(context: EmulatorContext, id: str) -> View:
    """Return the page that asks before a webhook is removed; KeyError if there is none with this id."""
    endpoint = {each.id: each for each in context.webhooks.endpoints}[id]
    return _confirm(
        "Remove this webhook?",
        "webhooks",
        "Its waiting deliveries are abandoned, and its secret is lost.",
        facts=[("URL", shorten(endpoint.url, 120))],
        action="unregister",
        hidden={"id": id, "back": f"{INSPECTOR}/webhooks"},
        button="Remove the webhook",
    )


def _confirm(
    heading: str,
    section: str,
    explanation: str,
    *,
    facts: list[tuple[str, str]],
    action: str,
    hidden: Mapping[str, str],
    button: str,
) -> View:
    back = hidden["back"]
    return View(
        heading=heading,
        section=section,
        parent=(section.capitalize(), back),
        template="inspector/form.html",
        live=False,
        values={
            "problem": "",
            "explanation": explanation,
            "facts": facts,
            "fields": [],
            "more_fields": [],
            "hidden": hidden,
            "action": action,
            "is_destructive": True,
            "is_allowed": True,
            "button": button,
            "cancel": back,
        },
    )


def problem_view(heading: str, reason: str, back: str, status: int) -> View:
    """Return a page that tells why something did not work."""
    return View(
        heading=heading,
        section="",
        template="inspector/problem.html",
        live=False,
        status=status,
        values={"reason": reason, "back": back},
    )
