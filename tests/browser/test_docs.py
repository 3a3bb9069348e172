"""The built documentation in a browser: what the search finds, and how pages look narrow and wide, light and dark.

The `docs` session runs this over what it has built, if there is a Chromium.
"""

import os
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from tests.browser.conftest import WIDTHS

FOUND_FIRST = {
    "refund": "payments.html#refunds",
    "webhook": "webhooks.html",
    "retry": "retries.html",
    "idempotency": "concepts.html#idempotency",
    "export": "export.html",
    "letter": "letters.html",
    "emulator": "emulator.html",
}
NAMES_FOUND_FIRST = {
    "RetryPolicy": "reference/options.html#truemed_async.RetryPolicy",
    "qualification_sessions": "reference/client.html#truemed_async.AsyncTruemed.qualification_sessions",
}
PAGES = ["index", "payments", "reference/cli", "reference/resources"]
# What the theme and Sphinx themselves do wrong, wherever it is used:
NOT_OURS = [
    [".sidebar-tree .caption"],  # a heading without a level
    [".sidebar-drawer"],  # the two sidebars are landmarks without names
    [".content-icon-container"],  # the labels of two icons are outside of every landmark
    [".sig > dl"],  # a parameter a line: definitions without terms
]
# Entries of a reference look alike, and axe-core would take minutes for all of them.
KEEP_SOME_ENTRIES = """
    document.querySelectorAll("article section section").forEach((each, index) => index < 6 || each.remove());
    document.querySelectorAll("article dl.py").forEach((each, index) => index < 8 || each.remove());
"""


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a line for each on standard error."""

    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def site():
    """The address of the built documentation."""
    handler = partial(QuietHandler, directory=os.environ["TRUEMED_DOCS"])
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize(("query", "found"), [*FOUND_FIRST.items(), *NAMES_FOUND_FIRST.items()])
def test_search_finds_the_guide_of_a_word_and_the_reference_of_a_name_first(page, site, query, found):
    page.goto(f"{site}/search.html?q={query}")
    first = page.locator("#search-results li a").first
    page.get_by_text("Search finished").wait_for()
    page.wait_for_load_state("networkidle")  # each result fetches its page
    assert first.evaluate("link => link.href").split("?")[0].removeprefix(f"{site}/") == found


@pytest.mark.parametrize("name", PAGES)
def test_page_fits_and_has_no_barriers(page, find_barriers, site, name):
    page.goto(f"{site}/{name}.html")
    for width, height in WIDTHS.values():
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"scrolls sideways at {width}"
    if name.startswith("reference/"):
        page.evaluate(KEEP_SOME_ENTRIES)
    assert len([*find_barriers(NOT_OURS)]) == 4
