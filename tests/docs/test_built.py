"""The built documentation contains every endpoint and every public name. `nox -s docs` runs this."""

import html
import os
import re
from pathlib import Path

import pytest

import truemed_async
from tests.support.paths import ROOT
from truemed_async.endpoints import ENDPOINTS


@pytest.fixture(scope="session")
def built():
    """Return the directory into which the `docs` session built."""
    return Path(os.environ["TRUEMED_DOCS"])


def text_of(page):
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


def test_endpoint_table_lists_every_endpoint(built):
    table = re.search(r"<table.*?</table>", (built / "endpoints.html").read_text(encoding="utf-8"), re.DOTALL)
    rows = [html.unescape(re.sub(r"<[^>]+>", "", row)) for row in table[0].split("<tr")[2:]]
    assert len(rows) == len(ENDPOINTS)
    for row, endpoint in zip(rows, ENDPOINTS, strict=True):
        assert endpoint.name in row
        assert f"{endpoint.method} {endpoint.path}" in row


def test_every_public_name_is_in_the_reference(built):
    reference = "".join(page.read_text(encoding="utf-8") for page in (built / "reference").glob("*.html"))
    anchors = set(re.findall(r'id="((?:truemed_async|module-truemed_async)[\w.]*)"', reference))
    modules = {"diagnostics", "emulator", "errors", "webhooks"}
    for name in truemed_async.__all__:
        assert (f"module-truemed_async.{name}" if name in modules else f"truemed_async.{name}") in anchors, name


@pytest.mark.parametrize(
    "module",
    [truemed_async.diagnostics, truemed_async.errors, truemed_async.emulator],
    ids=lambda module: module.__name__,
)
def test_every_public_name_of_a_module_is_in_the_reference(module, built):
    reference = "".join(page.read_text(encoding="utf-8") for page in (built / "reference").glob("*.html"))
    own = [
        name
        for name in getattr(module, "__all__", dir(module))
        if not name.startswith("_") and getattr(getattr(module, name), "__module__", "").startswith(module.__name__)
    ]
    assert own
    for name in own:
        assert f'id="{module.__name__}.{name}"' in reference, name


def test_every_page_is_reachable(built):
    pages = {page.relative_to(ROOT / "docs").with_suffix(".html") for page in (ROOT / "docs").rglob("*.md")}
    for page in pages:
        assert (built / page).is_file()
