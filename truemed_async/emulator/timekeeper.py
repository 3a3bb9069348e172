"""Lets time pass while the emulator serves: what becomes due happens within a minute."""

import asyncio
from collections.abc import Sequence

from truemed_async.emulator.clock import EmulatorClock
from truemed_async.emulator.resources.state import State

_INTERVAL = 60.0


class Timekeeper:
    """Looks at the clock each minute, by a timer of the running loop.

    What was already due at the start waits for the next event or ``advance``: generated rows stay as they were
    generated while a test reads them.
    """

    def __init__(self, clock: EmulatorClock, states: Sequence[State]) -> None:
        """Start the timer."""
        self._clock = clock
        self._states = states
        self._loop = asyncio.get_running_loop()
        self._seen = clock.now()
        self._timer = self._loop.call_later(_INTERVAL, self._tick)

    def stop(self) -> None:
        """Stop the timer."""
        self._timer.cancel()

    def _tick(self) -> None:
        self._timer = self._loop.call_later(_INTERVAL, self._tick)  # first: a listener of a transition may raise
        after, self._seen = self._seen, self._clock.now()
        if any(state.becomes_due(after, self._seen) for state in self._states):
            self._clock.apply()
