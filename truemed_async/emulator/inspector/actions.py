"""What the buttons of the inspector do. Each raises ValueError or KeyError if it is not possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from truemed_async.emulator.admin import require_end
from truemed_async.emulator.inspector.fields import parse_dialect, parse_fault, parse_transition
from truemed_async.emulator.inspector.views import amount_limit, registry_of

if TYPE_CHECKING:
    from truemed_async.emulator.context import EmulatorContext
    from truemed_async.emulator.webhooks.model import Mode

Form: TypeAlias = Mapping[str, str]


def apply(context: EmulatorContext, form: Form) -> None:
    """Apply a transition to a row, or to a store as a whole; amounts are in dollars."""
    request: dict[str, Any] = dict(form)
    if "apply" in form:  # the button of a row in a list
        request["transition"], _, request["id"] = form["apply"].partition(" ")
    store = context.state.stores.get(request.get("resource", ""))
    id, transition = request.get("id", ""), request.get("transition", "")
    action = None if store is None else store.actions().get(transition)
    if store is not None and action is not None and id in store:
        parameters = parse_transition(action, amount_limit(store.get(id), transition), form)
        request = {name: value for name, value in request.items() if name not in action.params.properties}
        request |= parameters
    context.state.apply(request)


def advance(context: EmulatorContext, form: Form) -> None:
    """Advance the clock."""
    context.state.clock.advance(float(form["amount"]) * float(form["unit"]))


def set_dialect(context: EmulatorContext, form: Form) -> None:
    """Replace the dialect."""
    context.dialects.dialect = parse_dialect(form)


def reset(context: EmulatorContext, form: Form) -> None:
    """Reset everything except the webhooks."""
    del form
    context.reset()


def register(context: EmulatorContext, form: Form) -> None:
    """Register a webhook."""
    context.webhooks.register(form["url"], mode=cast("Mode", form["mode"]), secret=form.get("secret") or None)


def unregister(context: EmulatorContext, form: Form) -> None:
    """Remove a webhook."""
    context.webhooks.unregister(form["id"])


def rotate(context: EmulatorContext, form: Form) -> None:
    """Give a webhook a new secret; the old one signs too, until the next rotation."""
    context.webhooks.rotate_secret(form["id"])


def resend(context: EmulatorContext, form: Form) -> None:
    """Send a delivery again."""
    context.webhooks.resend(form["id"])


def add_fault(context: EmulatorContext, form: Form) -> None:
    """Add a fault of the API or of webhooks, with its parameters and its scope."""
    registry, name = registry_of(context, form["side"]), form["name"]
    definition = registry.catalog.get(name)
    if definition is None:
        raise ValueError(f"there is no fault {name!r}")
    options = parse_fault(registry, definition, form)
    if form["side"] == "api":
        require_end(name, options)
    cast("Any", registry).add(name, **options)


def remove_fault(context: EmulatorContext, form: Form) -> None:
    """Remove a fault, unless it has ended."""
    for fault in registry_of(context, form["side"]).active:
        if str(fault.id) == form["id"]:
            fault.remove()


def clear_faults(context: EmulatorContext, form: Form) -> None:
    """Remove all faults."""
    del form
    context.faults.clear()
    context.webhooks.faults.clear()


ACTIONS: Final[Mapping[str, Callable[[EmulatorContext, Form], None]]] = MappingProxyType(
    {
        action.__name__.replace("_", "-"): action
        for action in (
            apply,
            advance,
            set_dialect,
            reset,
            register,
            unregister,
            rotate,
            resend,
            add_fault,
            remove_fault,
            clear_faults,
        )
    }
)
