"""What the admin paths and the inspector of one emulator read and change."""

import attrs

from truemed_async.emulator.dialect_layer import DialectLayer
from truemed_async.emulator.faults import Faults
from truemed_async.emulator.history import History
from truemed_async.emulator.request_log import RequestLog
from truemed_async.emulator.resources.state import State
from truemed_async.emulator.webhooks.outbox import Outbox


@attrs.frozen(kw_only=True)
class EmulatorContext:
    """One sales channel of an emulator, from the inside; ``requests``, ``faults`` and ``dialects`` are those of all.

    ``number`` is its position among all ``channels``, from 1.
    """

    state: State
    history: History
    requests: RequestLog
    faults: Faults
    webhooks: Outbox
    dialects: DialectLayer
    api_key: str = attrs.field(repr=False)
    merchant_name: str
    number: int = 1
    channels: int = 1

    def reset(self) -> None:
        """Forget all rows, idempotency keys, requests, deliveries and faults; the webhooks stay registered."""
        self.state.reset()
        self.history.clear()
        self.requests.clear()
        self.webhooks.clear()
        self.webhooks.faults.clear()
        self.faults.clear()
