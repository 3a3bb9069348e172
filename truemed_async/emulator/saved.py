"""The whole state as JSON and back: rows, idempotency keys, and how far the clock is ahead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cattrs.preconf.json import make_converter

from truemed_async.emulator.replays import Replay

if TYPE_CHECKING:
    from collections.abc import Mapping

    from truemed_async.emulator.state import State

_VERSION: Final = 1
_CONVERTER: Final = make_converter(detailed_validation=False)


def dump(state: State) -> dict[str, Any]:
    """Return everything that the state holds, made of what JSON can say; the emulator's key is not part of it."""
    with state.lock:
        return {
            "version": _VERSION,
            "clock": {"ahead": state.clock.ahead},
            "replays": _CONVERTER.unstructure(list(state.replays)),
            **{name: _CONVERTER.unstructure(list(store.rows)) for name, store in state.stores.items()},
        }


def load(state: State, saved: Mapping[str, Any]) -> None:
    """Put what was saved in place of everything that the state holds.

    ValueError when it is not of this version, or is broken: then nothing is changed.
    """
    if saved.get("version") != _VERSION:
        raise ValueError(f"a saved state of version {_VERSION} is needed")
    try:
        replays = _CONVERTER.structure(saved["replays"], list[Replay])
        rows = {
            name: [_CONVERTER.structure(row, store.kind) for row in saved[name]] for name, store in state.stores.items()
        }
        ahead = float(saved["clock"]["ahead"])
    except Exception as error:  # the library raises just that where a word is none of those there are
        raise ValueError("this is no saved state") from error
    with state.lock:
        state.clock.restore(ahead)
        state.replays.clear()
        for replay in replays:
            state.replays.put(replay)
        for name, store in state.stores.items():
            store.load(rows[name])
