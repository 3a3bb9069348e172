"""Take the pictures of the inspector that docs/emulator.md shows: python -m tests.browser.pictures.

It needs a Chromium; TRUEMED_CHROMIUM names one that is not on the path.
"""

from __future__ import annotations

import os
import shutil

from playwright.sync_api import sync_playwright

from tests.browser.conftest import QUIET
from tests.support.paths import ROOT
from tests.support.webhook_endpoint import Merchant
from truemed_async.emulator import Emulator

FOLDER = ROOT / "docs" / "pictures"
MAX_BYTES = 120_000
ERROR = b"HTTP/1.1 500 Error\r\nContent-Length: 29\r\n\r\nthe database is not available"


def fill(emulator: Emulator, merchant: Merchant) -> str:
    """Sell a standing desk, fail to be notified of it once, and refund a part; return the id of the session."""
    emulator.webhooks.register(merchant.url)
    sessions = emulator.state.payment_sessions
    merchant.plan = [ERROR]
    desk = {"name": "Standing desk mat", "price": 59_99, "quantity": 2, "sku": "SB-1"}
    id = sessions.add(
        total_amount=119_98, order_items=[desk], customer_email="sam@example.com", metadata='{"cart": "17"}'
    )
    for step in (sessions.submit, sessions.approve):
        emulator.clock.advance(90)
        step(id)
        assert emulator.webhooks.wait_until_idle(10)
    emulator.clock.advance(300)
    assert emulator.webhooks.wait_until_idle(10)
    sessions.refund(id, 20_00)
    emulator.clock.advance(200)
    sessions.submit(sessions.add(total_amount=45_00))
    sessions.add(total_amount=230_50)
    return id


def main() -> None:
    """Take the pictures."""
    merchant = Merchant()
    seeded = {"sessions": 40, "payment_sessions": 2000, "payment_tokens": 20, "catalog_items": 20}
    with Emulator(**seeded, examples=True) as emulator, sync_playwright() as playwright:
        id = fill(emulator, merchant)
        executable = os.environ.get("TRUEMED_CHROMIUM") or shutil.which("chromium")
        browser = playwright.chromium.launch(executable_path=executable, args=QUIET)
        FOLDER.mkdir(exist_ok=True)
        for name, path, width, height, scheme in (
            ("inspector-list", "payments", 1200, 600, "light"),
            ("inspector-object", f"payments/{id}", 1200, 560, "light"),
            ("inspector-fault-dark", "faults/api/rate_limit", 1080, 640, "dark"),
        ):
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
            page.goto(f"{emulator.url}/_emulator/inspector/{path}")
            picture = page.screenshot(path=FOLDER / f"{name}.png")
            assert len(picture) < MAX_BYTES, f"{name} has {len(picture):,} bytes"
            page.close()
        browser.close()
    merchant.close()


if __name__ == "__main__":
    main()
