"""The page of the guide on the iframe, as it is printed, around the emulator's checkout."""

import contextlib
import re

import pytest
from aiohttp import web

from tests.support.framework_servers import serve_aiohttp
from tests.support.paths import ROOT
from truemed_async import AsyncTruemed
from truemed_async.emulator import Emulator

FORGERIES = {
    "own_window": ("shop", "{success: true, redirect_url: location.origin + '/cart'}"),
    "other_site": ("checkout", "{success: true, redirect_url: 'https://shop.example/'}"),
    "script": ("checkout", "{success: true, redirect_url: 'javascript:alert(1)'}"),
    "no_success": ("checkout", "{redirect_url: '/cart'}"),
    "text": ("checkout", "'done'"),
    "null": ("checkout", "null"),
}


@pytest.fixture(scope="module")
def shop():
    """The address of the guide's shop."""
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "iframe.md").read_text(encoding="utf-8"), re.DOTALL)
    guide = {}
    exec(compile(code, "iframe.md", "exec"), guide)

    async def show(request):
        return web.Response(text="a page of the shop")

    with contextlib.ExitStack() as stack:
        emulator = stack.enter_context(Emulator(sessions=0))
        client = AsyncTruemed(emulator.api_key, base_url=emulator.url)
        app = guide["shop_app"](client)
        app.router.add_get("/orders/{order}", show)
        app.router.add_get("/cart", show)
        app.on_cleanup.append(lambda app: client.aclose())
        yield f"http://127.0.0.1:{stack.enter_context(serve_aiohttp(app))}"


def test_payment_in_the_iframe_leads_to_success_url(page, shop):
    page.goto(f"{shop}/orders/17/checkout")
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name="Continue to payment").click()
    frame.get_by_role("button", name="Pay $").click()
    page.wait_for_url(f"{shop}/orders/17")


def test_leaving_the_iframe_leads_to_failure_url(page, shop):
    page.goto(f"{shop}/orders/18/checkout")
    page.frame_locator("iframe").get_by_role("link", name="Leave without paying").click()
    page.wait_for_url(f"{shop}/cart")


@pytest.mark.parametrize("forgery", FORGERIES)
def test_forged_message_is_ignored(page, shop, forgery):
    sender, message = FORGERIES[forgery]
    page.goto(f"{shop}/orders/19/checkout")
    page.frame_locator("iframe").get_by_role("button", name="Continue to payment").wait_for()
    page.evaluate("addEventListener('message', () => { window.arrived = true; })")  # after the listener of the page
    if sender == "shop":
        page.evaluate(f"postMessage({message}, '*')")
    else:
        page.frames[1].evaluate(f"parent.postMessage({message}, '*')")
    page.wait_for_function("window.arrived")
    assert page.url == f"{shop}/orders/19/checkout"
    assert page.locator("iframe").count() == 1
