"""The fixtures ``truemed_emulator``, one emulator per test, and ``truemed_emulator_session``, one per test run.

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
    """Run an emulator in its own thread, for synchronous and asynchronous tests alike.

    ``@pytest.mark.truemed_emulator(sessions=50, latency=0.1)`` sets its options: those of ``Emulator``. Markers are
    merged, the nearest takes precedence: a class or module can set what its tests share.
    """
    from truemed_async.emulator import Emulator  # noqa: PLC0415 - see the module docstring

    options: dict[str, Any] = {}
    for marker in request.node.iter_markers("truemed_emulator"):
        options = {**marker.kwargs, **options}
    with Emulator(**options) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def truemed_emulator_options() -> dict[str, Any]:
    """Return the options of ``truemed_emulator_session``: none, unless a ``conftest.py`` overrides this fixture."""
    return {}


@pytest.fixture(scope="session")
def truemed_emulator_session(truemed_emulator_options: dict[str, Any]) -> Iterator["Emulator"]:
    """Run one emulator for the whole test run, for fixtures of a wider scope than a test.

    Its state is shared between tests: ``emulator.state.reset()`` deletes it. With pytest-xdist each worker has one.
    """
    from truemed_async.emulator import Emulator  # noqa: PLC0415 - see the module docstring

    with Emulator(**truemed_emulator_options) as emulator:
        yield emulator
