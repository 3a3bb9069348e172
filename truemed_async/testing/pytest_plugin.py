"""The fixtures for clients of the emulator, and its requests in the report of a failed test.

pytest imports this module in every run of an environment that has the SDK: what it needs is imported on first use.
"""

import sys
from collections.abc import AsyncIterator, Generator, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from truemed_async import AsyncTruemed, Truemed
    from truemed_async.emulator import Emulator

MAX_REPORTED_REQUESTS = 30


def pytest_configure(config: pytest.Config) -> None:
    """Register the asynchronous fixture with the plugin that runs it, once all plugins are loaded."""
    # Importing pytest-asyncio here would load it where a project has chosen another, such as that of anyio.
    decorate = getattr(sys.modules.get("pytest_asyncio"), "fixture", pytest.fixture)
    module = ModuleType(f"{__name__}.asynchronous")
    vars(module)["async_truemed_client"] = decorate(async_truemed_client)
    config.pluginmanager.register(module)


@pytest.fixture
def truemed_client_options() -> dict[str, Any]:
    """Return the options of the clients of the fixtures: none, unless a ``conftest.py`` overrides this fixture."""
    return {}


@pytest.fixture
def truemed_client(truemed_emulator: "Emulator", truemed_client_options: dict[str, Any]) -> Iterator["Truemed"]:
    """Return a synchronous client of ``truemed_emulator``, which continues at once where it would wait."""
    from truemed_async import Truemed  # noqa: PLC0415 - see the module docstring
    from truemed_async.testing import skip_waits  # noqa: PLC0415

    with Truemed(truemed_emulator.api_key, base_url=truemed_emulator.url, **truemed_client_options) as client:
        yield skip_waits(client)


async def async_truemed_client(
    truemed_emulator: "Emulator", truemed_client_options: dict[str, Any]
) -> AsyncIterator["AsyncTruemed"]:
    """Return an asynchronous client of ``truemed_emulator``, which continues at once where it would wait."""
    from truemed_async import AsyncTruemed  # noqa: PLC0415 - see the module docstring
    from truemed_async.testing import skip_waits  # noqa: PLC0415

    options = truemed_client_options
    async with AsyncTruemed(truemed_emulator.api_key, base_url=truemed_emulator.url, **options) as client:
        yield skip_waits(client)


@pytest.fixture
def truemed_environment(truemed_emulator: "Emulator", monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Point clients that read the environment to ``truemed_emulator``, during the test."""
    variables = {"TRUEMED_API_KEY": truemed_emulator.api_key, "TRUEMED_BASE_URL": truemed_emulator.url}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Add the requests that reached the emulator to the report of a failed test, without personal data."""
    outcome = yield
    report: pytest.TestReport = outcome.get_result()
    arguments: dict[str, Any] = getattr(item, "funcargs", {})
    for fixture in ("truemed_emulator", "truemed_emulator_session"):
        if report.failed and fixture in arguments:
            report.sections.append((f"requests to {fixture}", _describe_requests(arguments[fixture])))


def _describe_requests(emulator: "Emulator") -> str:
    requests = emulator.requests
    newest = requests.newest(MAX_REPORTED_REQUESTS)
    lines = [f"the last {len(newest)} of {len(requests)}:"] if len(newest) < len(requests) else []
    for request in reversed(newest):
        status = "no response" if request.status is None else request.status
        lines.append(f"{request.method:6} {request.route or 'unknown route'}: {status}")
    return "\n".join(lines) or "none"
