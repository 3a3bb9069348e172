"""Webhooks over HTTP: endpoints, deliveries, and what goes wrong with them.

GET    /_emulator/webhooks                {"webhooks": […]}, the oldest first
POST   /_emulator/webhooks                {"url", "mode"?, "secret"?, "events"?}: register one
DELETE /_emulator/webhooks                forget all
DELETE /_emulator/webhooks/{id}           forget one
POST   /_emulator/webhooks/{id}/rotate    {"overlap"?}: give it a new secret; both sign unless overlap is false
GET    /_emulator/deliveries              {"deliveries": […], "count", "waiting"}, the newest 1,000
GET    /_emulator/deliveries/{id}         one of them
POST   /_emulator/deliveries/{id}/resend  send it once more
GET    /_emulator/webhook_faults          those in force, and the last of those that no longer are
POST   /_emulator/webhook_faults          {"name", "event"?, "times"?, "probability"?, its parameter}
DELETE /_emulator/webhook_faults          take all out of force
DELETE /_emulator/webhook_faults/{id}     take one out of force
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import attrs
from aiohttp import web

from truemed_async.emulator.call import invalid
from truemed_async.emulator.clock import wire_datetime
from truemed_async.emulator.kinds import Choice, Flag, Many, Members, Text
from truemed_async.emulator.responses import answer
from truemed_async.emulator.webhooks.events import EVENTS
from truemed_async.emulator.webhooks.model import MODES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truemed_async.emulator.admin.asked import Act, Asked
    from truemed_async.emulator.inspector.desk import Desk
    from truemed_async.emulator.webhooks.faults import WebhookFault
    from truemed_async.emulator.webhooks.model import Delivery, WebhookEndpoint

_REGISTER: Final = Members({"url": Text()}, {"mode": Choice(MODES), "secret": Text(1), "events": Many(Choice(EVENTS))})
_ROTATE: Final = Members(optional={"overlap": Flag()})
_MOST: Final = 1_000


def listed(desk: Desk, asked: Asked) -> web.Response:
    """GET /_emulator/webhooks."""
    del asked
    return answer(200, {"webhooks": [_endpoint(each) for each in desk.webhooks.endpoints]})


def register(desk: Desk, asked: Asked) -> web.Response:
    """POST /_emulator/webhooks."""
    return answer(201, _endpoint(desk.webhooks.register(**asked.declared(_REGISTER))))


def clear(desk: Desk, asked: Asked) -> web.Response:
    """DELETE /_emulator/webhooks."""
    del asked
    with desk.state.lock:
        for endpoint in desk.webhooks.endpoints:
            desk.webhooks.unregister(endpoint.id)
    return web.Response(status=204)


def unregister(desk: Desk, asked: Asked) -> web.Response:
    """DELETE /_emulator/webhooks/{id}."""
    desk.webhooks.unregister(asked.id)
    return web.Response(status=204)


def rotate(desk: Desk, asked: Asked) -> web.Response:
    """POST /_emulator/webhooks/{id}/rotate."""
    options = asked.declared(_ROTATE) if asked.body else {}
    with desk.state.lock:
        desk.webhooks.rotate_secret(asked.id, **options)
        return answer(200, next(_endpoint(each) for each in desk.webhooks.endpoints if each.id == asked.id))


def deliveries(desk: Desk, asked: Asked) -> web.Response:
    """GET /_emulator/deliveries."""
    del asked
    with desk.state.lock:
        kept = desk.webhooks.deliveries
        shown = [_delivery(each) for each in kept[:_MOST]]
        return answer(200, {"deliveries": shown, "count": len(kept), "waiting": desk.webhooks.waiting})


def delivery(desk: Desk, asked: Asked) -> web.Response:
    """GET /_emulator/deliveries/{id}."""
    with desk.state.lock:
        return answer(200, _delivery({each.id: each for each in desk.webhooks.deliveries}[asked.id]))


def resend(desk: Desk, asked: Asked) -> web.Response:
    """POST /_emulator/deliveries/{id}/resend."""
    desk.webhooks.resend(asked.id)
    return answer(202, {"id": asked.id})


def faults(desk: Desk, asked: Asked) -> web.Response:
    """GET /_emulator/webhook_faults."""
    del asked
    kept = desk.webhooks.faults
    known = sorted((*kept.ended, *kept.active), key=lambda fault: fault.id)
    return answer(200, {"faults": [_fault(fault) for fault in known], "names": kept.names})


def add_fault(desk: Desk, asked: Asked) -> web.Response:
    """POST /_emulator/webhook_faults."""
    options = asked.members()
    name = options.pop("name", None)
    if not isinstance(name, str):
        raise invalid("name must be text")
    return answer(201, _fault(desk.webhooks.faults.add(name, **options)))


def clear_faults(desk: Desk, asked: Asked) -> web.Response:
    """DELETE /_emulator/webhook_faults."""
    del asked
    desk.webhooks.faults.clear()
    return web.Response(status=204)


def remove_fault(desk: Desk, asked: Asked) -> web.Response:
    """DELETE /_emulator/webhook_faults/{id}."""
    {str(fault.id): fault for fault in desk.webhooks.faults.active}[asked.id].remove()
    return web.Response(status=204)


def _endpoint(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {**attrs.asdict(endpoint), "events": endpoint.events and sorted(endpoint.events)}


def _delivery(delivery: Delivery) -> dict[str, Any]:
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
        "attempts": [{**attrs.asdict(each), "at": wire_datetime(each.at)} for each in delivery.attempts],
    }


def _fault(fault: WebhookFault) -> dict[str, Any]:
    narrowed = {"event": fault.event, "times": fault.times, "probability": fault.probability}
    return {
        "id": fault.id,
        "name": fault.name,
        "active": fault.active,
        "hits": fault.hits,
        **narrowed,
        **fault.parameters,
    }


PATHS: Final[Mapping[str, Mapping[str, Act]]] = MappingProxyType(
    {
        "webhooks": MappingProxyType({"GET": listed, "POST": register, "DELETE": clear}),
        "webhooks/{id}": MappingProxyType({"DELETE": unregister}),
        "webhooks/{id}/rotate": MappingProxyType({"POST": rotate}),
        "deliveries": MappingProxyType({"GET": deliveries}),
        "deliveries/{id}": MappingProxyType({"GET": delivery}),
        "deliveries/{id}/resend": MappingProxyType({"POST": resend}),
        "webhook_faults": MappingProxyType({"GET": faults, "POST": add_fault, "DELETE": clear_faults}),
        "webhook_faults/{id}": MappingProxyType({"DELETE": remove_fault}),
    }
)
