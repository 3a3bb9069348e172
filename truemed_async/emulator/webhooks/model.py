"""Where events go, and what became of each."""

from datetime import datetime
from typing import Literal

import attrs

Mode = Literal["signed", "unsigned"]
DeliveryState = Literal["waiting", "delivered", "given_up"]


@attrs.frozen(kw_only=True)
class Endpoint:
    """A merchant's webhook, as the developer dashboard has it.

    secrets: the secret, and behind it the one before where both hold for a while. They belong to this emulator alone.
    events: the names of the events that it gets; None is all.
    """

    id: str
    url: str
    mode: Mode = "signed"
    secrets: tuple[str, ...] = attrs.field(repr=False)
    events: frozenset[str] | None = None

    def wants(self, name: str) -> bool:
        """Tell whether it gets events of this name."""
        return self.events is None or name in self.events


@attrs.frozen(kw_only=True)
class Attempt:
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
    attempts: list[Attempt] = attrs.field(factory=list)
    state: DeliveryState = "waiting"
    copies: int = 0  # how often it is sent again although it was taken
    withheld: int = 0  # how many attempts are lost on their way
