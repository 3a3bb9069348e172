"""The `truemed_emulator` fixture: an emulator of its own for each test that asks for one.

pytest imports this module in every run of an environment that has the SDK: what it needs is imported on first use.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from truemed_async.emulator import Emulator


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker, so that `--strict-markers` knows it."""
    config.addinivalue_line(
        "markers",
        "truemed_emulator(**options): options of the Emulator behind the truemed_emulator fixture, e.g. sessions=50",
    )


@pytest.fixture
def truemed_emulator(request: pytest.FixtureRequest) -> Iterator["Emulator"]:
    """Run an emulator in a thread of its own, for synchronous and asynchronous tests alike.

    `@pytest.mark.truemed_emulator(sessions=50, latency=0.1)` sets its options: those of `Emulator`. Markers add up,
    the nearest wins: a class or module can set what its tests share.
    """
    from truemed_async.emulator import Emulator  # noqa: PLC0415 - see the module docstring

    options: dict[str, Any] = {}
    for marker in request.node.iter_markers("truemed_emulator"):
        options = {**marker.kwargs, **options}
    with Emulator(**options) as emulator:
        yield emulator
