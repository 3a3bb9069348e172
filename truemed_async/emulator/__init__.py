"""The Truemed merchant API on loopback: seeded data, the documented rules, and a log of what was really sent.

    with Emulator(sessions=50) as emulator:
        ...  # talk to emulator.url with emulator.api_key

It shares no code with the SDK, so the two cannot share one mistake. It is a double for tests, not a safe place for
real data.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from truemed_async.emulator.faults import (
        FAULTS,
        ConnectionFault,
        Cut,
        Exchange,
        Fault,
        Faults,
        Handle,
        Scope,
        Wire,
    )
    from truemed_async.emulator.qualification_sessions.model import QualificationSession
    from truemed_async.emulator.route import Route
    from truemed_async.emulator.routes import ROUTES
    from truemed_async.emulator.server import Emulator
    from truemed_async.emulator.state import State
    from truemed_async.emulator.transition import InvalidTransitionError, Transition
    from truemed_async.emulator.wirelog import WireLog, WireRequest

__all__ = [
    "FAULTS",
    "ROUTES",
    "ConnectionFault",
    "Cut",
    "Emulator",
    "Exchange",
    "Fault",
    "Faults",
    "Handle",
    "InvalidTransitionError",
    "QualificationSession",
    "Route",
    "Scope",
    "State",
    "Transition",
    "Wire",
    "WireLog",
    "WireRequest",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for.

    The pytest plugin lives in this package and is imported by every pytest run of an environment that has the SDK:
    those that never use the emulator must not pay for aiohttp.
    """
    match name:
        case "FAULTS" | "ConnectionFault" | "Cut" | "Exchange" | "Fault" | "Faults" | "Handle" | "Scope" | "Wire":
            home = "faults"
        case "QualificationSession":
            home = "qualification_sessions.model"
        case "Route":
            home = "route"
        case "ROUTES":
            home = "routes"
        case "Emulator":
            home = "server"
        case "InvalidTransitionError" | "Transition":
            home = "transition"
        case "State":
            home = "state"
        case "WireLog" | "WireRequest":
            home = "wirelog"
        case _:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{home}"), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
