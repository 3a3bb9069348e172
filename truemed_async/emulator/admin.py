"""The emulator's own paths, ``/_emulator/…``: what a test does in its process, over HTTP, for one that runs elsewhere.

They are not part of the API: requests are not logged, and faults do not apply to them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, cast

import attrs
from aiohttp import web

from truemed_async.emulator.api import ROUTES as API_ROUTES
from truemed_async.emulator.clock import EmulatorClock, wire_datetime
from truemed_async.emulator.dialect import Dialect
from truemed_async.emulator.faults import FAULTS
from truemed_async.emulator.openapi import document
from truemed_async.emulator.request import ApiError, hosted_url, json_response, validation_error
from truemed_async.emulator.routing import Routes
from truemed_async.emulator.schema import Array, Boolean, Enum, Number, Object, String
from truemed_async.emulator.store import InvalidTransitionError
from truemed_async.emulator.webhooks.events import EVENTS
from truemed_async.emulator.webhooks.model import MODES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truemed_async.emulator.context import EmulatorContext
    from truemed_async.emulator.request import ReceivedRequest
    from truemed_async.emulator.request_log import LoggedRequest
    from truemed_async.emulator.routing import Route
    from truemed_async.emulator.webhooks.model import DeliveryAttempt, EmulatedDelivery, WebhookEndpoint

PREFIXES: Final = ("/_emulator/",)
STATE_PATH: Final = "/_emulator/state"
MAX_DELIVERIES: Final = 1_000
MAX_REQUESTS: Final = 1_000

# What an id or a word of a path looks like; something else may be a name or an e-mail address in its place.
_PATH_SEGMENT: Final = re.compile(r"[A-Za-z0-9_.~-]{0,100}")
_MASK: Final = "***"
_POSITION: Final = re.compile(r"[0-9]{1,15}")
_HOSTED: Final = frozenset({"payment_sessions", "provision_requests", "qualification_sessions"})

_ADVANCE: Final = Object({"advance": Number()}, additional_properties=False)
_REGISTER: Final = Object(
    {"url": String()},
    {"mode": Enum(MODES), "secret": String(1), "events": Array(Enum(EVENTS))},
    additional_properties=False,
)
_ROTATE: Final = Object(optional={"overlap": Boolean()}, additional_properties=False)

ROUTES: Final = Routes()


def call(route: Route, context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Return the response of a handler, or raise the ``ApiError`` for what it raised."""
    try:
        return cast("web.Response", route.handle(context, request))
    except InvalidTransitionError as error:
        raise ApiError(409, "InvalidTransition", str(error)) from error
    except KeyError as error:
        raise ApiError(404, "NotFound", "there is none with this id") from error
    except ValueError as error:
        raise validation_error(str(error)) from error


# --- state, clock and transitions -------------------------------------------------------------------------------------


@ROUTES.route("GET", "/_emulator/openapi.json")
def get_openapi(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Return the OpenAPI document of the API."""
    del context
    return json_response(200, document(API_ROUTES, request.origin))


@ROUTES.route("GET", "/_emulator/clock")
def get_clock(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Return the emulator's time, and how many seconds it is ahead of this machine's clock."""
    del request
    return _clock_response(context.state.clock)


@ROUTES.route("POST", "/_emulator/clock")
def advance_clock(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Advance the clock: ``{"advance": seconds}``."""
    context.state.clock.advance(request.json(_ADVANCE)["advance"])
    return _clock_response(context.state.clock)


@ROUTES.route("GET", "/_emulator/state")
def dump_state(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Return the whole state, as ``State.dump`` does."""
    del request
    return json_response(200, context.state.dump())


@ROUTES.route("PUT", "/_emulator/state")
def load_state(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Replace the whole state by one that was dumped."""
    context.state.load(request.json())
    return json_response(204, None)


@ROUTES.route("DELETE", "/_emulator/state")
def reset_state(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Delete rows, idempotency keys, requests, deliveries and faults; the webhooks stay registered."""
    del request
    context.reset()
    return json_response(204, None)


@ROUTES.route("POST", "/_emulator/transitions")
def apply_transition(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Apply a transition: ``{"resource", "id", "transition"}`` and its parameters."""
    body = request.json()
    row = context.state.apply(body)
    return json_response(200, {"resource": body["resource"], "id": row.id, "status": row.status})


def _clock_response(clock: EmulatorClock) -> web.Response:
    return json_response(200, {"now": wire_datetime(clock.now()), "ahead": clock.ahead})


# --- faults of the API ------------------------------------------------------------------------------------------------


@ROUTES.route("GET", "/_emulator/faults")
def list_faults(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Return the active faults, and the last of those that ended."""
    del request
    registry = context.faults
    known = [active.to_dict() for active in registry.known]
    return json_response(200, {"faults": known, "hits": registry.hits, "names": registry.names})


@ROUTES.route("POST", "/_emulator/faults")
def add_fault(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Activate a fault: ``{"name"}``, its scope and its parameters."""
    name, options = _read_fault(request)
    if "when" in options:
        raise validation_error("when is a function: it cannot be sent over HTTP")
    require_end(name, options)
    return json_response(201, context.faults.add(name, **options).to_dict())


def _read_fault(request: ReceivedRequest) -> tuple[str, dict[str, Any]]:
    """Return the name of the fault in the body, and its other members."""
    options = request.json()
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise validation_error("name must be a string")
    return name, options


def require_end(name: str, options: Mapping[str, Any]) -> None:
    """Raise ValueError if a fault without an end would also block the request that removes it."""
    ends = any(options.get(end) is not None for end in ("times", "nth", "duration"))
    if name in FAULTS and FAULTS[name].phase == "connect" and not ends:
        raise ValueError(f"{name} would also block the request that removes it: it needs times, nth or duration")


@ROUTES.route("DELETE", "/_emulator/faults")
def clear_faults(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Deactivate all faults."""
    del request
    context.faults.clear()
    return json_response(204, None)


@ROUTES.route("DELETE", "/_emulator/faults/{id}")
def remove_fault(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Deactivate one fault."""
    {str(active.id): active for active in context.faults.active}[request.params["id"]].remove()
    return json_response(204, None)


# --- dialect ----------------------------------------------------------------------------------------------------------


@ROUTES.route("GET", "/_emulator/dialect")
def get_dialect(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Return the dialect, and the values of each of its fields, the default first."""
    del request
    return json_response(200, {"dialect": context.dialects.dialect.to_dict(), "values": Dialect.axes()})


@ROUTES.route("PUT", "/_emulator/dialect")
def set_dialect(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Replace the dialect; missing fields have their defaults."""
    context.dialects.dialect = Dialect.from_dict(request.json())
    return json_response(200, {"dialect": context.dialects.dialect.to_dict()})


# --- requests and links -----------------------------------------------------------------------------------------------


@ROUTES.route("GET", "/_emulator/requests")
def list_requests(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Return finished requests without queries and bodies: ``after`` a position, or else the newest ``limit`` ones."""
    after = _parse_position(request, "after")
    limit = _parse_position(request, "limit")
    found, last = context.requests.finished(
        after=after, limit=MAX_REQUESTS if limit is None else min(limit, MAX_REQUESTS)
    )
    return json_response(200, {"requests": [_request_to_dict(each) for each in found], "last": last})


@ROUTES.route("GET", "/_emulator/links/{resource}/{id}")
def get_link(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Return the ``url`` of the page that waits for the customer of an object; ``null`` if none waits any more."""
    resource = request.params["resource"]
    if resource not in _HOSTED:
        raise KeyError(resource)
    with context.state.lock:
        row = context.state.stores[resource].get(request.params["id"])
        url = hosted_url(request.origin, resource, row.id) if row.status == "pending" else None
    return json_response(200, {"url": url})


def _parse_position(request: ReceivedRequest, name: str) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    if not _POSITION.fullmatch(text):
        raise validation_error(f"{name} must be a whole number of at most 15 digits")
    return int(text)


def _request_to_dict(request: LoggedRequest) -> dict[str, Any]:
    segments = (each if _PATH_SEGMENT.fullmatch(each) else _MASK for each in request.path.split("/"))
    return {
        "number": request.number,
        "at": None if request.at is None else wire_datetime(request.at),
        "method": request.method,
        "path": "/".join(segments),
        "route": request.route,
        "status": request.status,
        "seconds": None if request.seconds is None else round(request.seconds, 6),
        "authenticated": request.authenticated,
        "sales_channel": request.sales_channel,
    }


# --- webhooks, their deliveries and faults ----------------------------------------------------------------------------


@ROUTES.route("GET", "/_emulator/webhooks")
def list_webhooks(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Return the webhooks, oldest first."""
    del request
    return json_response(200, {"webhooks": [_endpoint_to_dict(each) for each in context.webhooks.endpoints]})


@ROUTES.route("POST", "/_emulator/webhooks")
def register_webhook(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Register a webhook: ``{"url", "mode"?, "secret"?, "events"?}``."""
    return json_response(201, _endpoint_to_dict(context.webhooks.register(**request.json(_REGISTER))))


@ROUTES.route("DELETE", "/_emulator/webhooks")
def unregister_webhooks(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Unregister all webhooks."""
    del request
    with context.state.lock:
        for endpoint in context.webhooks.endpoints:
            context.webhooks.unregister(endpoint.id)
    return json_response(204, None)


@ROUTES.route("DELETE", "/_emulator/webhooks/{id}")
def unregister_webhook(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Unregister a webhook."""
    context.webhooks.unregister(request.params["id"])
    return json_response(204, None)


@ROUTES.route("POST", "/_emulator/webhooks/{id}/unregister", name="post_unregister_webhook")
def unregister_webhook_by_post(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Unregister a webhook, for clients that only GET and POST, as those of Truemed's API do."""
    return unregister_webhook(context, request)


@ROUTES.route("POST", "/_emulator/webhooks/{id}/rotate")
def rotate_secret(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Rotate the secret of a webhook: ``{"overlap"?}``; both secrets sign unless ``overlap`` is false."""
    options = request.json(_ROTATE) if request.content else {}
    with context.state.lock:
        context.webhooks.rotate_secret(request.params["id"], **options)
        return json_response(
            200, next(_endpoint_to_dict(each) for each in context.webhooks.endpoints if each.id == request.params["id"])
        )


@ROUTES.route("GET", "/_emulator/deliveries")
def list_deliveries(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Return the newest 1,000 deliveries, and the numbers of all and of the waiting ones."""
    del request
    with context.state.lock:
        deliveries = context.webhooks.deliveries
        newest = [_delivery_to_dict(each) for each in deliveries[:MAX_DELIVERIES]]
        return json_response(200, {"deliveries": newest, "count": len(deliveries), "waiting": context.webhooks.waiting})


@ROUTES.route("GET", "/_emulator/deliveries/{id}")
def get_delivery(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Return one delivery."""
    with context.state.lock:
        return json_response(
            200, _delivery_to_dict({each.id: each for each in context.webhooks.deliveries}[request.params["id"]])
        )


@ROUTES.route("POST", "/_emulator/deliveries/{id}/resend")
def resend_delivery(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Send a delivery again."""
    context.webhooks.resend(request.params["id"])
    return json_response(202, {"id": request.params["id"]})


@ROUTES.route("GET", "/_emulator/webhook_faults")
def list_webhook_faults(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Return the active faults of webhooks, and the last of those that ended."""
    del request
    registry = context.webhooks.faults
    return json_response(200, {"faults": [fault.to_dict() for fault in registry.known], "names": registry.names})


@ROUTES.route("POST", "/_emulator/webhook_faults")
def add_webhook_fault(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Activate a fault: ``{"name", "event"?, "times"?, "probability"?}`` and its parameter."""
    name, options = _read_fault(request)
    return json_response(201, context.webhooks.faults.add(name, **options).to_dict())


@ROUTES.route("DELETE", "/_emulator/webhook_faults")
def clear_webhook_faults(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Deactivate all faults of webhooks."""
    del request
    context.webhooks.faults.clear()
    return json_response(204, None)


@ROUTES.route("DELETE", "/_emulator/webhook_faults/{id}")
def remove_webhook_fault(context: EmulatorContext, request: ReceivedRequest) -> web.Response:
    """Deactivate one fault of webhooks."""
    {str(fault.id): fault for fault in context.webhooks.faults.active}[request.params["id"]].remove()
    return json_response(204, None)


def _endpoint_to_dict(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {**attrs.asdict(endpoint), "events": endpoint.events and sorted(endpoint.events)}


def _delivery_to_dict(delivery: EmulatedDelivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "webhook": delivery.endpoint,
        "event": delivery.event,
        "resource": delivery.resource,
        "resource_id": delivery.resource_id,
        "created_at": wire_datetime(delivery.created_at),
        "due": wire_datetime(delivery.due),
        "state": delivery.state,
        "body": delivery.body.decode(),
        "attempts": [_attempt_to_dict(each) for each in delivery.attempts],
    }


def _attempt_to_dict(attempt: DeliveryAttempt) -> dict[str, Any]:
    body = attempt.response_body.decode("utf-8", "replace")
    return {**attrs.asdict(attempt), "at": wire_datetime(attempt.at), "response_body": body}
