"""Where events go, and what became of each."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Final, Literal

import attrs

from truemed_async.emulator.webhooks.events import EVENTS

if TYPE_CHECKING:
    from collections.abc import Iterable

Mode = Literal["signed", "unsigned"]
DeliveryState = Literal["waiting", "delivered", "abandoned"]
MODES: Final[tuple[Mode, ...]] = ("signed", "unsigned")
# Nothing that two readers of URLs could understand in two ways: no user, no blank, no backslash before the path.
_URL: Final = re.compile(
    r"https?://(127\.0\.0\.1|localhost|\[::1\])(:(?P<port>[0-9]{1,5}))?([/?][\x21-\x7e]*)?", re.IGNORECASE
)


def _on_this_machine(_: object, __: object, url: str) -> None:
    found = _URL.fullmatch(url)
    if found is None or int(found["port"] or 0) > 65535:
        raise ValueError("a webhook of the emulator is an http or https URL of this machine")


def _one_of_both(_: object, __: object, mode: str) -> None:
    if mode not in MODES:
        raise ValueError(f"mode must be {' or '.join(MODES)}")


def _sendable(_: object, __: object, secrets: Iterable[str]) -> None:
    for secret in secrets:
        if not (secret and secret.isascii() and secret.isprintable() and secret == secret.strip()):
            raise ValueError("a secret is of printable ASCII, without blanks around it")


def _known(_: object, __: object, events: frozenset[str] | None) -> None:
    if events is not None and not events <= set(EVENTS):
        raise ValueError(f"events must be of {', '.join(EVENTS)}")


@attrs.frozen(kw_only=True)
class WebhookEndpoint:
    """A merchant's webhook, as the developer dashboard has it.

    secrets: the secret, and behind it the one before where both hold for a while. They belong to this emulator alone.
    events: the names of the events that it gets; None is all.
    """

    id: str
    url: str = attrs.field(validator=_on_this_machine)
    mode: Mode = attrs.field(default="signed", validator=_one_of_both)
    secrets: tuple[str, ...] = attrs.field(repr=False, validator=_sendable)
    events: frozenset[str] | None = attrs.field(default=None, validator=_known)

    def wants(self, name: str) -> bool:
        """Tell whether it gets events of this name."""
        return self.events is None or name in self.events


@attrs.frozen(kw_only=True)
class DeliveryAttempt:
    """One request of a delivery: when, by the emulator's clock, and the status of the answer or what failed.

    headers: what was sent, with the secret of an unsigned one masked. fault: what was meant to go wrong.
    """

    at: datetime
    seconds: float = 0.0
    status: int | None = None
    failure: str | None = None
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    fault: str | None = None

    @property
    def taken(self) -> bool:
        """Whether the merchant took it: 204 and nothing else, for no other answer is documented as a success."""
        return self.status == 204


@attrs.define(kw_only=True, eq=False)
class Delivery:
    """One event on its way to one endpoint. `id` and `body` are the same in each attempt."""

    id: str
    endpoint: str
    event: str
    resource: str
    resource_id: str
    created_at: datetime
    body: bytes = attrs.field(repr=False)
    due: datetime
    attempts: list[DeliveryAttempt] = attrs.Factory(list[DeliveryAttempt])
    state: DeliveryState = "waiting"
    copies: int = 0  # how often it is sent again although it was taken
    withheld: int = 0  # how many attempts are lost on their way

    @property
    def taken(self) -> bool:
        """Whether the merchant took it at least once: what is sent after that is not repeated."""
        return any(attempt.taken for attempt in self.attempts)
