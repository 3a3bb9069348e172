"""What the buttons of the inspector do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

from truemed_async.emulator.moves import make

if TYPE_CHECKING:
    from truemed_async.emulator.inspector.desk import Desk
    from truemed_async.emulator.webhooks.model import Mode

Form = Mapping[str, str]


def move(desk: Desk, form: Form) -> None:
    """Let a row make a move that its status allows."""
    make(desk.state, form)


def advance(desk: Desk, form: Form) -> None:
    """Let time pass."""
    desk.state.clock.advance(float(form["amount"]) * float(form["unit"]))


def reset(desk: Desk, form: Form) -> None:
    """Begin anew, but for the webhooks."""
    del form
    desk.reset()


def register(desk: Desk, form: Form) -> None:
    """Register a webhook."""
    desk.webhooks.register(form["url"], mode=cast("Mode", form["mode"]), secret=form.get("secret") or None)


def unregister(desk: Desk, form: Form) -> None:
    """Forget a webhook."""
    desk.webhooks.unregister(form["id"])


def rotate(desk: Desk, form: Form) -> None:
    """Give a webhook a new secret; the old one signs, too, until the next rotation."""
    desk.webhooks.rotate_secret(form["id"])


def resend(desk: Desk, form: Form) -> None:
    """Send a delivery once more."""
    desk.webhooks.resend(form["id"])


def add_fault(desk: Desk, form: Form) -> None:
    """Put a fault of the API in force for some requests."""
    desk.faults.add(form["name"], times=int(form["times"]))


def remove_fault(desk: Desk, form: Form) -> None:
    """Take a fault of the API out of force."""
    for fault in desk.faults.active:
        if str(fault.id) == form["id"]:
            fault.remove()


def add_webhook_fault(desk: Desk, form: Form) -> None:
    """Put a fault of webhooks in force for some deliveries."""
    desk.webhooks.faults.add(form["name"], times=int(form["times"]))


def clear_webhook_faults(desk: Desk, form: Form) -> None:
    """Take the faults of webhooks out of force."""
    del form
    desk.webhooks.faults.clear()


ACTIONS: Final[Mapping[str, Callable[[Desk, Form], None]]] = MappingProxyType(
    {
        action.__name__.replace("_", "-"): action
        for action in (
            move,
            advance,
            reset,
            register,
            unregister,
            rotate,
            resend,
            add_fault,
            remove_fault,
            add_webhook_fault,
            clear_webhook_faults,
        )
    }
)
