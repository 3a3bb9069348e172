"""Webhook faults: what can go wrong with deliveries, each with a name, a scope and a count.

Faults of the phase ``enqueue`` act once on a new delivery, those of the phase ``send`` on each of its requests.
"""

import sys
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any, ClassVar, TypeAlias

import attrs

from truemed_async.emulator.faults.registry import (
    ActiveFault,
    Bound,
    FaultDefinition,
    FaultRegistry,
    Scope,
    collect,
    fault,
)
from truemed_async.emulator.webhooks.events import EVENTS
from truemed_async.emulator.webhooks.model import EmulatedDelivery, WebhookEndpoint

WebhookFault: TypeAlias = "Callable[[Any], None]"

Copies = Annotated[int, Bound(">=", 0), Bound("<=", 1000)]
Seconds = Annotated[float, Bound(">=", 0), Bound("<=", 365 * 24 * 3600)]
Size = Annotated[int, Bound(">=", 0), Bound("<=", 64 * 1024 * 1024)]


@attrs.define
class NewDelivery:
    """A delivery that was just made, and what the outbox has to do with it."""

    delivery: EmulatedDelivery
    reorder: bool = False
    rotate_secret: bool = False


@attrs.define
class OutgoingRequest:
    """A request that is about to be sent."""

    endpoint: WebhookEndpoint
    body: bytes
    signed_at: datetime
    forged: bool = False  # wrong authentication only
    doubled: bool = False  # wrong authentication before the right one


@fault("enqueue")
def duplicate_delivery(new: NewDelivery, *, n: Copies = 1) -> None:
    """The endpoint receives the delivery ``n`` more times although it was acknowledged.

    Happens when the endpoint's response is lost on the way.
    """
    new.delivery.copies = n


@fault("enqueue")
def reorder(new: NewDelivery) -> None:
    """The delivery arrives after the next one.

    Happens when a sender works in parallel, or tries the earlier one again.
    """
    new.reorder = True


@fault("enqueue")
def delay(new: NewDelivery, *, seconds: Seconds = 60) -> None:
    """The delivery arrives ``seconds`` later, by the emulator's clock.

    Happens when the sender's queue is long, as after an outage.
    """
    new.delivery.due += timedelta(seconds=seconds)


@fault("enqueue")
def drop_until_retry(new: NewDelivery, *, n: Copies = 1) -> None:
    """The first ``n`` attempts are lost, and the delivery arrives with a later one.

    Happens when the network, the name server or the proxy before the endpoint fails.
    """
    new.delivery.attempts_to_drop = n


@fault("enqueue")
def rotate_secret(new: NewDelivery) -> None:
    """From this delivery on, everything is signed with a new secret only, which the endpoint does not know.

    Happens when the secret is replaced before the endpoint accepts both.
    """
    new.rotate_secret = True


@fault("send")
def bad_signature(request: OutgoingRequest) -> None:
    """The request is signed with another secret, and the endpoint must refuse it.

    Happens when somebody forges a delivery, or the endpoint has the secret of another environment.
    """
    request.forged = True


@fault("send")
def double_header(request: OutgoingRequest) -> None:
    """A second, wrong header precedes the right one.

    Happens when somebody tries to make the receiver and a proxy before it read different signatures.
    """
    request.doubled = True


@fault("send")
def stale_timestamp(request: OutgoingRequest, *, seconds: Seconds = 8 * 24 * 3600) -> None:
    """The request is signed as if it were sent ``seconds`` ago.

    Happens when somebody sends a recorded delivery again, or a clock is wrong.
    """
    request.signed_at -= timedelta(seconds=seconds)


@fault("send")
def oversize_body(request: OutgoingRequest, *, size: Size = 2 * 1024 * 1024) -> None:
    """The body has ``size`` more bytes, of white space.

    Happens when somebody tries to fill the endpoint's memory.
    """
    request.body += b" " * size


def _validate_event(name: str) -> None:
    if name not in EVENTS:
        raise ValueError(f"must name an event: {', '.join(EVENTS)}")


@attrs.frozen(kw_only=True)
class DeliveryScope(Scope):
    """Which deliveries a webhook fault acts on; None does not restrict.

    Attributes:
        event: The name of the event.
    """

    event: Annotated[str, _validate_event] | None = None

    def matches(self, subject: EmulatedDelivery) -> bool:
        """Return whether the fault may act on this delivery."""
        return self.event in {None, subject.event}


class WebhookFaults(FaultRegistry[WebhookFault]):
    """The active webhook faults, in the order in which they were added. May be changed from any thread."""

    catalog: ClassVar[Mapping[str, FaultDefinition]] = collect(sys.modules[__name__])
    kind: ClassVar[str] = "webhook fault"
    scope_type: ClassVar[type[Scope]] = DeliveryScope

    def __repr__(self) -> str:
        return f"<WebhookFaults {list(self.active)}>"

    def add(
        self,
        name: str,
        /,
        *,
        event: str | None = None,
        nth: int | None = None,
        times: int | None = None,
        probability: float | None = None,
        **parameters: float,
    ) -> ActiveFault[WebhookFault]:
        """Add a fault: one of ``catalog``, which describes them.

        Args:
            name: The name of the fault.
            event: Restricts the fault to deliveries of this event.
            nth: Not before the nth delivery (or request); only on that one unless ``times`` is given.
            times: How often the fault acts.
            probability: The share to act on.
            parameters: The fault's parameters.

        Raises:
            ValueError: There is no such fault, event or parameter.
        """
        scope = {"event": event, "nth": nth, "times": times, "probability": probability}
        return self._add(name, {**parameters, **{key: value for key, value in scope.items() if value is not None}})

    def apply_on_enqueue(self, new: NewDelivery, *, may_reorder: bool) -> None:
        """Apply the faults to a new delivery; one that overtakes another must not be overtaken itself."""
        for active in self.active:
            if self.catalog[active.name].phase == "enqueue" and (may_reorder or active.name != reorder.name):
                self._apply(active, new.delivery, new)

    def apply_on_send(self, delivery: EmulatedDelivery, request: OutgoingRequest) -> str | None:
        """Apply the faults to a request, and return the names of those that acted."""
        acted = [
            active.name
            for active in self.active
            if self.catalog[active.name].phase == "send" and self._apply(active, delivery, request)
        ]
        return ", ".join(acted) or None

    def _apply(self, active: ActiveFault[WebhookFault], delivery: EmulatedDelivery, subject: object) -> bool:
        acts = active.scope.matches(delivery) and active.hit()
        if acts:
            active.fault(subject)
        return acts

    def _create(self, definition: FaultDefinition, parameters: Mapping[str, Any]) -> WebhookFault:
        return partial(definition.implementation, **parameters)
