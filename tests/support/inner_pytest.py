"""How the examples of tests run: in a pytest of their own, with the plugins that they need and no other."""

from __future__ import annotations

PLUGINS = (
    "-p",
    "truemed_async.emulator.pytest_plugin",
    "-p",
    "truemed_async.testing.pytest_plugin",
    "-p",
    "pytest_asyncio.plugin",
    "-p",
    "no:cacheprovider",
)
SETTINGS = "[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\nfilterwarnings = error\n"
