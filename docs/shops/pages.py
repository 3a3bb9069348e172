"""The HTML of both shops: plain functions that return a page. Nothing here is about Truemed."""

from collections.abc import Mapping
from html import escape
from pathlib import Path

from truemed_async import OrderItem

SHOP = "Example Wellness"
STYLE = Path(__file__).with_name("shop.css").read_text(encoding="utf-8")
STATES = {  # heading, explanation, and whether the page refreshes because the order can still change
    "unpaid": ("Not paid yet", "You have left the checkout. Nothing was charged.", True),
    "open": ("Thank you", "We are waiting for the confirmation of your payment.", True),
    "review": ("Under review", "You will be charged only if a clinician approves the order.", True),
    "fulfilled": ("Paid", "Your payment has arrived, and your order is on its way.", False),
    "rejected": ("Not approved", "The order was not approved for HSA or FSA funds. Nothing was charged.", False),
    "canceled": ("Canceled", "The order was canceled before it was paid. Nothing was charged.", False),
}
# A page without scripts reloads as a whole; otherwise it reloads only when the state has changed.
REFRESH = """<noscript><meta http-equiv="refresh" content="3"></noscript><script type="module">
const {state} = document.querySelector("#state").dataset;
setInterval(async () => {
    const response = await fetch(location.href).catch(() => null);
    if (response?.ok && !(await response.text()).includes(`data-state="${state}"`)) location.reload();
}, 1000);
</script>"""
# Truemed posts a message with the next URL at the end of a checkout in an iframe.
FOLLOW = """<script>addEventListener("message", (event) => {
    const frame = document.querySelector("iframe");
    const isOfTruemed = event.source === frame.contentWindow && event.origin === new URL(frame.src).origin;
    const next = isOfTruemed && event.data?.redirect_url;
    if (next && new URL(next).origin === location.origin) location.href = next;
});</script>"""


def product(item: OrderItem) -> str:
    body = f"""<div class="product"><div class="picture" role="img" aria-label="A mat with many small points"></div>
        <div><h1>{escape(item.name)}</h1><p class="price">{money(item.price)}</p>
        <p>Eligible for HSA and FSA funds with a Letter of Medical Necessity.</p>
        <form action="/cart"><button>Add to cart</button></form></div></div>"""
    return page(item.name, body)


def cart(item: OrderItem, order_id: object, csrf: str = "") -> str:
    fields = f'{csrf}<input type="hidden" name="order_id" value="{order_id}">'
    buttons = """<button name="how" value="">Pay with HSA or FSA</button>
        <button name="how" value="iframe" class="secondary">Pay without leaving the shop</button>
        <button name="how" value="subscribe" class="secondary">Pay, and save the card for next month</button>"""
    body = f"""<h1>Your cart</h1>
        <table><thead><tr><th scope="col">Item</th><th scope="col">Quantity</th><th scope="col">Price</th></tr></thead>
        <tbody><tr><td>{escape(item.name)}</td><td>{item.quantity}</td><td>{money(item.price)}</td></tr></tbody>
        <tfoot><tr><th scope="row" colspan="2">Total</th><td>{money(item.price * item.quantity)}</td></tr></tfoot></table>
        <form method="post" action="/buy">{fields}{buttons}</form>"""
    return page("Your cart", body)


def checkout(url: str) -> str:
    return page("Checkout", f'<h1>Checkout</h1><iframe title="Checkout" src="{escape(url)}"></iframe>{FOLLOW}')


def order(order: Mapping[str, str | None], *, submitted: bool, csrf: str = "") -> str:
    """`submitted` chooses between two wordings for an open order: the state itself comes from webhooks only."""
    path, link = f"/orders/{order['id']}", order["redirect_url"]
    unpaid = order["state"] == "open" and link is not None and not submitted
    heading, explanation, changes = STATES["unpaid" if unpaid else order["state"] or ""]
    body = f'<h1>{heading}</h1><p id="state" data-state="{order["state"]}">{explanation}</p>'
    if changes:
        body += f'<p class="hint">This page refreshes by itself.</p>{REFRESH}'
    if unpaid:
        body += f'<p><a class="button" href="{escape(link or "")}">Continue to payment</a></p>'
        body += form(f"{path}/cancel", "Cancel the order", csrf)
    if order["payment_token"]:
        body += form(f"{path}/again", "Buy again now", csrf)
    return page(f"Your order: {heading}", f'<div class="order {order["state"]}">{body}</div>')


def form(action: str, label: str, csrf: str) -> str:
    return f'<form method="post" action="{action}">{csrf}<button class="secondary">{label}</button></form>'


def money(cents: int) -> str:
    return f"${cents // 100:,}.{cents % 100:02}"


def page(title: str, body: str) -> str:
    return f"""<!doctype html><html lang="en"><head><meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1"><title>{escape(title)} · {SHOP}</title>
        <link rel="icon" href="data:,"><style>{STYLE}</style></head>
        <body><header><a href="/">{SHOP}</a></header><main>{body}</main></body></html>"""
