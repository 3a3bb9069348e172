"""What the buttons of the inspector do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, cast

from truemed_async.emulator.moves import make

if TYPE_CHECKING:
    from truemed_async.emulator.context import EmulatorContext
    from truemed_async.emulator.webhooks.model import Mode

Form = Mapping[str, str]


def move(context: EmulatorContext, form: Form) -> None:
    """Let a row make a move that its status allows."""
    make(context.state, form)


def advance(context: EmulatorContext, form: Form) -> None:
    """Let time pass."""
    context.state.clock.advance(float(form["amount"]) * float(form["unit"]))


def reset(context: EmulatorContext, form: Form) -> None:
    """Begin anew, but for the webhooks."""
    del form
    context.reset()


def register(context: EmulatorContext, form: Form) -> None:
    """Register a webhook."""
    context.webhooks.register(form["url"], mode=cast("Mode", form["mode"]), secret=form.get("secret") or None)


def unregister(context: EmulatorContext, form: Form) -> None:
    """Forget a webhook."""
    context.webhooks.unregister(form["id"])


def rotate(context: EmulatorContext, form: Form) -> None:
    """Give a webhook a new secret; the old one signs, too, until the next rotation."""
    context.webhooks.rotate_secret(form["id"])


def resend(context: EmulatorContext, form: Form) -> None:
    """Send a delivery once more."""
    context.webhooks.resend(form["id"])


def add_fault(context: EmulatorContext, form: Form) -> None:
    """Put a fault of the API in force for some requests."""
    context.faults.add(form["name"], times=int(form["times"]))


def remove_fault(context: EmulatorContext, form: Form) -> None:
    """Take a fault of the API out of force."""
    for fault in context.faults.active:
        if str(fault.id) == form["id"]:
            fault.remove()


def add_webhook_fault(context: EmulatorContext, form: Form) -> None:
    """Put a fault of webhooks in force for some deliveries."""
    context.webhooks.faults.add(form["name"], times=int(form["times"]))


def clear_webhook_faults(context: EmulatorContext, form: Form) -> None:
    """Take the faults of webhooks out of force."""
    del form
    context.webhooks.faults.clear()


ACTIONS: Final[Mapping[str, Callable[[EmulatorContext, Form], None]]] = MappingProxyType(
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
