"""All that the inspector looks at and acts on."""

import attrs

from truemed_async.emulator.faults import Faults
from truemed_async.emulator.state import State
from truemed_async.emulator.webhooks.outbox import Outbox
from truemed_async.emulator.wirelog import WireLog


@attrs.frozen(kw_only=True)
class Desk:
    """One emulator, from the inside."""

    state: State
    requests: WireLog
    faults: Faults
    webhooks: Outbox
    api_key: str = attrs.field(repr=False)
