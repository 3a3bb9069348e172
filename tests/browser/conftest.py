"""A headless Chromium, the example shops and the emulator as processes, and axe-core to look for barriers."""

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import sync_playwright

from tests.support.paths import ROOT

# The documentation is tested where it is built: in the `docs` session.
collect_ignore = [] if "TRUEMED_DOCS" in os.environ else ["test_docs.py"]

SHOPS = ROOT / "docs" / "shops"
PICTURES = os.environ.get("TRUEMED_SCREENSHOTS")  # where to put the documentation's pictures of pages, if anywhere
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = {"wide": (1440, 900), "narrow": (390, 844)}
# What axe-core looks for in each color scheme: a scheme changes colors alone.
RULES = {"light": {}, "dark": {"runOnly": ["color-contrast", "link-in-text-block"]}}
PAGE_LIMIT = 50_000
PICTURE_LIMIT = 120_000


@pytest.fixture(scope="session")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=os.environ["TRUEMED_CHROMIUM"], args=QUIET)
        yield chromium
        chromium.close()


@pytest.fixture(scope="session")
def axe():
    return Path(os.environ["TRUEMED_AXE"]).read_text(encoding="utf-8")


@pytest.fixture
def page(browser):
    """A page that may only talk to this machine, and of which no complaint goes unseen."""
    context = browser.new_context(bypass_csp=True, viewport={"width": 1440, "height": 900})  # axe is a script of ours
    page = context.new_page()
    page.set_default_timeout(30_000)
    complaints, elsewhere = [], []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: elsewhere.append(request.url) if not is_local(request.url) else None)
    yield page
    context.close()
    assert (complaints, elsewhere) == ([], [])


def is_local(url):
    parts = urlsplit(url)
    return parts.scheme in ("data", "about", "blob") or parts.hostname == "127.0.0.1"


@contextmanager
def running(*command):
    """A process that says where it is on its first lines; it ends with the block, whatever happens."""
    environment = {**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, *command], stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture(scope="session", params=["fastapi", "django"])
def shop(request):
    """The addresses of a shop and of its emulator's inspector."""
    with running(SHOPS / "run.py", request.param) as process:
        lines = [process.stdout.readline().split() for _ in range(2)]
        assert [line[0] for line in lines] == ["url", "inspector"]
        yield tuple(line[1].rstrip("/") for line in lines)


@contextmanager
def emulating(payment_sessions, *more):
    """An emulator with something of everything in it, and further options; its address."""
    counts = {"sessions": 40, "payment-sessions": payment_sessions, "payment-tokens": 10, "catalog-items": 10}
    seeded = [part for name, count in counts.items() for part in (f"--{name}", str(count))]
    options = ("--port", "0", "--webhook", "http://127.0.0.1:9/", "--quiet", *seeded, *more)
    with running("-m", "truemed_async", "emulator", *options) as process:
        yield process.stdout.readline().split()[1]


@pytest.fixture(scope="session")
def emulator():
    """The address of an emulator that the tests share: each action finds an object, whichever test was before."""
    with emulating(80) as address:
        yield address


@pytest.fixture
def own_emulator():
    """The address of an emulator of one test, which may reset it."""
    with emulating(40) as address:
        yield address


@pytest.fixture
def two_channels():
    """The address of an emulator with a second sales channel, which is empty."""
    with emulating(40, "--sales-channel", "key-of-the-second") as address:
        yield address


@pytest.fixture(scope="session")
def many():
    """The address of an emulator with 2,000 payment sessions."""
    with emulating(2000) as address:
        yield address


@pytest.fixture
def find_barriers(page, axe):
    """Look for barriers on the page as it stands, wide and narrow, light and dark; yield the name of each look."""

    def find_barriers(exclude=()):
        page.evaluate(axe)
        for scheme, rules in RULES.items():
            page.emulate_media(color_scheme=scheme)
            for width, (x, y) in WIDTHS.items():
                page.set_viewport_size({"width": x, "height": y})
                page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
                found = page.evaluate("([exclude, rules]) => axe.run({exclude}, rules)", [exclude, rules])["violations"]
                assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found] == []
                yield f"{scheme}-{width}"
        page.emulate_media(color_scheme="light")
        page.set_viewport_size(dict(zip(("width", "height"), WIDTHS["wide"], strict=True)))

    return find_barriers


@pytest.fixture
def examine(page, find_barriers):
    """Look at the page as it stands: barriers, weight, and whether it fits a phone."""

    pictures = set(re.findall(r"shops/pictures/([\w-]+)\.png", (ROOT / "docs" / "checkout.md").read_text("utf-8")))

    def examine(name, *, full_page=False):
        for look in find_barriers():
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} scrolls sideways"
            if PICTURES and f"{name}-{look}" in pictures:
                size = page.viewport_size
                height = (
                    page.evaluate("Math.ceil(document.querySelector('main').getBoundingClientRect().bottom + scrollY)")
                    + 8
                )
                clip = {
                    "x": 0, "y": 0, "width": size["width"],
                    "height": height if full_page else min(height, size["height"]),
                }  # fmt: skip
                picture = page.screenshot(path=Path(PICTURES, f"{name}-{look}.png"), full_page=True, clip=clip)
                assert len(picture) < PICTURE_LIMIT, f"the picture {name}-{look} has {len(picture)} bytes"
        weight = page.evaluate(
            "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
            ".filter((each) => each.initiatorType !== 'fetch').reduce((sum, each) => sum + each.decodedBodySize, 0)"
        )
        assert 0 < weight < PAGE_LIMIT, f"{name} weighs {weight} bytes"

    return examine
