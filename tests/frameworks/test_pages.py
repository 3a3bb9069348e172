"""The pages: their tests pass as their readers would run them, and what they show is what is run."""

import re

import pytest

from tests.support.inner_pytest import PLUGINS, SETTINGS
from tests.support.paths import ROOT
from tests.support.processes import EXAMPLES

TESTS = sorted(EXAMPLES.glob("*/test_*.py"))
PAGES = sorted(EXAMPLES.glob("*.md"))
INCLUDED = re.compile(r"^```\{literalinclude\} (\S+)$", re.MULTILINE)


@pytest.mark.parametrize("file", TESTS, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_pages_own_tests_pass(file, start, environment, tmp_path):
    ini = tmp_path / "pytest.ini"
    ini.write_text(SETTINGS, encoding="utf-8")
    for name in (
        "TRUEMED_API_KEY",
        "TRUEMED_BASE_URL",
        "TRUEMED_WEBHOOK_SECRET",
    ):  # the tests have an emulator of their own
        del environment[name]
    # An installed package registers the plugin by itself, and one plugin cannot be registered twice.
    more = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    run = start("-m", "pytest", "-q", "-c", ini, "--rootdir", tmp_path, *PLUGINS, file, example=file.parent, more=more)
    assert run.wait() == 0, run.output
    assert f"{len(re.findall(r'def test_', file.read_text(encoding='utf-8')))} passed" in run.output


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page_shows_what_is_run(page):
    """Every file that a page shows lies in the folder of its name, which the test of its name runs."""
    files = INCLUDED.findall(page.read_text(encoding="utf-8"))
    assert files
    for name in files:
        assert name.startswith(f"{page.stem}/")
        assert (EXAMPLES / name).is_file()
    runs = ROOT / "tests" / "frameworks" / f"test_{page.stem}.py"
    assert re.search(rf'example="{page.stem}"', runs.read_text(encoding="utf-8"))
