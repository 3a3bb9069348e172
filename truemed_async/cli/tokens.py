"""``truemed tokens``: stored payment methods, and requests for them."""

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

import truemed_async
from truemed_async.cli.amounts import order_items
from truemed_async.cli.moving import ASKING, FLAG, Care, Done, carry_out, change
from truemed_async.cli.options import CONTEXT, Text, given
from truemed_async.cli.payments_create import ITEMS, NO_ITEMS
from truemed_async.cli.showing import ListFormat, show, show_each, show_page
from truemed_async.cli.target import Context

if TYPE_CHECKING:
    from truemed_async import AsyncTruemed, PaymentTokenCreation, PaymentTokenUpdate

COLUMNS = ("payment_token", "created_at", "lmn_expires_at", "customer_name", "customer_email")
Items = Annotated[tuple[str, ...], ITEMS]


def make_app() -> App:
    """Return ``truemed tokens``."""
    app = App(name="tokens", help="Payment tokens: stored payment methods, for subscriptions.")
    app.command(create_token, name="create")
    app.command(get_tokens, name="get")
    app.command(list_tokens, name="list")
    app.command(update_token, name="update")
    app.command(delete_token, name="delete")
    app.command(get_provision_request, name="provision-request")
    return app


async def create_token(
    *,
    items: Items = NO_ITEMS,
    success_url: Text = None,
    metadata: Text = None,
    context: Annotated[Context, CONTEXT],
) -> None:
    """Begin to store a payment method, and show the link for the customer; the token comes afterwards.

    Args:
        items: What is subscribed to, a JSON object; may be given more than once. Its price is dollars in quotes:
            {"name": "Box", "price": "29.99", "quantity": 1, "sku": "BOX"}.
        success_url: Where the customer returns; https, or http on localhost.
        metadata: Your own text, which comes back with the request.
        context: Not an option.
    """
    lines = order_items(items)

    async def create(client: "AsyncTruemed", _: str | None) -> "PaymentTokenCreation":
        return await client.payment_tokens.create(
            order_items=given(lines or None), success_url=given(success_url), metadata=given(metadata)
        )

    await carry_out(context, create, settle="the same command makes another link, which does no harm")


async def get_tokens(
    tokens: Annotated[list[str], Parameter(negative="")], /, *, context: Annotated[Context, CONTEXT]
) -> int:
    """Show tokens: all fields of each on a terminal, else one JSON document a token.

    One that cannot be read does not hide the others; the exit code is then 1.

    Args:
        tokens: Payment tokens.
        context: Not an option.
    """
    async with context.target.connect() as client:
        return await show_each(context.streams, client.payment_tokens.get_many(tokens, ordered=True))


async def list_tokens(
    *,
    email: Text = None,
    name: Text = None,
    card_expires_before: Text = None,
    lmn_expires_before: Text = None,
    page: int = 1,
    page_size: int = 30,
    format: ListFormat = None,
    context: Annotated[Context, CONTEXT],
) -> None:
    """List one page of tokens, newest first.

    Args:
        email: Only tokens of customers whose e-mail address holds this text.
        name: Only tokens of customers whose name holds this text.
        card_expires_before: Only tokens with a card that expires in this month or before, YYYY-MM.
        lmn_expires_before: Only tokens with a Letter of Medical Necessity that expires on this day in UTC or before,
            YYYY-MM-DD.
        page: The page, from 1.
        page_size: Tokens on a page, at least 1; the server may give less.
        format: table, json (one array), jsonl (one object a line) or csv. Default: table on a terminal, else jsonl.
        context: Not an option.
    """
    filters: dict[str, Any] = {"email": email, "name": name}
    filters |= {"card_expires_before": card_expires_before, "lmn_expires_before": lmn_expires_before}
    async with context.target.connect() as client:
        found = await client.payment_tokens.list(**filters, page=page, page_size=page_size)
    show_page(context.streams, found, format, model=truemed_async.PaymentToken, columns=COLUMNS, noun="token")


async def update_token(
    token: str,
    /,
    *,
    update_card_info: Annotated[bool, FLAG] = False,
    items: Items = NO_ITEMS,
    context: Annotated[Context, CONTEXT],
) -> None:
    """Change the cards or the items of a token; where the customer has to act, the answer has the link.

    Args:
        token: The payment token.
        update_card_info: The customer is to enter new cards.
        items: What is subscribed to from now on, as in create; may be given more than once.
        context: Not an option.
    """
    lines = order_items(items)

    async def update(client: "AsyncTruemed", _: str | None) -> "PaymentTokenUpdate":
        return await client.payment_tokens.update(
            token, update_card_info=given(update_card_info or None), order_items=given(lines or None)
        )

    await carry_out(context, update, settle="the same command asks for the same change")


def delete_token(token: str, /, *, care: Care = ASKING, context: Annotated[Context, CONTEXT]) -> Done:
    """Delete a token for good. You are asked before, unless --yes is given.

    Args:
        token: The payment token.
        care: Look before you leap.
        context: Not an option.
    """

    async def delete(client: "AsyncTruemed", _: str | None) -> None:
        await client.payment_tokens.delete(token)

    settle = "the same command settles it: if it says that there is no such token, the first one did it"
    return change(context, care, delete, question="Delete the payment token for good?", settle=settle)


async def get_provision_request(id: str, /, *, context: Annotated[Context, CONTEXT]) -> None:
    """Show what became of a request to make or change a token.

    Args:
        id: The request's id, which create and update show.
        context: Not an option.
    """
    async with context.target.connect() as client:
        found = await client.payment_tokens.get_provision_request(id)
    show(context.streams, found)
