"""``truemed tokens``: stored payment methods, and requests for them."""

from typing import TYPE_CHECKING, Annotated

import attrs
from cyclopts import App, Parameter

from truemed_async.cli.connection import Context
from truemed_async.cli.mutations import (
    DEFAULT_SAFETY,
    CommandResult,
    SafetyOptions,
    confirm_and_run,
    execute,
    prepare_response,
)
from truemed_async.cli.options import CONTEXT, NO_VALUES, Flag, Items, Text, or_unset, parse_items, parse_return_url
from truemed_async.cli.resources import Filters, ResourceCommands
from truemed_async.cli.rows import ROW_OUTPUT, RowOutput

if TYPE_CHECKING:
    from truemed_async import AsyncTruemed, PaymentTokenCreation, PaymentTokenUpdate


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class TokenFilters(Filters):
    """Filters of tokens.

    Attributes:
        email: Only tokens of customers whose e-mail address contains this text.
        name: Only tokens of customers whose name contains this text.
        card_expires_before: Only tokens with a card that expires in this month or earlier, YYYY-MM.
        lmn_expires_before: Only tokens with a Letter of Medical Necessity that expires on this day in UTC or earlier, \
YYYY-MM-DD.
    """

    email: Text = None
    name: Text = None
    card_expires_before: Text = None
    lmn_expires_before: Text = None


RESOURCE = ResourceCommands(
    resource="payment_tokens",
    model="PaymentToken",
    has_letters=True,
    noun="token",
    id="payment_token",
    ids="Payment tokens",
    columns=("payment_token", "created_at", "lmn_expires_at", "customer_name", "customer_email"),
    filters=TokenFilters,
)


def make_app() -> App:
    """Return ``truemed tokens``."""
    app = App(name="tokens", help="Payment tokens: stored payment methods, for subscriptions.")
    RESOURCE.add_to(app)
    app.command(create_token, name="create")
    app.command(update_token, name="update")
    app.command(delete_token, name="delete")
    app.command(get_provision_request, name="provision-request")
    return app


async def create_token(
    *,
    items: Items = NO_VALUES,
    success_url: Text = None,
    deep_links: Flag = False,
    metadata: Text = None,
    output: RowOutput = ROW_OUTPUT,
    context: Annotated[Context, CONTEXT],
) -> None:
    """Request to store a payment method, and show the link for the customer; the token is created afterwards.

    Args:
        items: An item of the subscription, a JSON object; may be repeated. Its price is dollars in quotes: \
{"name": "Box", "price": "29.99", "quantity": 1, "sku": "BOX"}.
        success_url: Where the customer returns; https, or http on localhost.
        deep_links: Accept a link into an app, such as myapp://done, in --success-url.
        metadata: Your own text, which is returned with the request.
    """
    order_items = parse_items(items)
    return_url = parse_return_url("--success-url", success_url, deep_links=deep_links)
    target = prepare_response(context, output, "PaymentTokenCreation")

    async def create(client: "AsyncTruemed", _: str | None) -> "PaymentTokenCreation":
        return await client.payment_tokens.create(
            order_items=or_unset(order_items or None), success_url=return_url, metadata=or_unset(metadata)
        )

    await execute(context, create, target=target, hint="the same command creates another link, which is harmless")


async def update_token(
    token: str,
    /,
    *,
    update_card_info: Flag = False,
    items: Items = NO_VALUES,
    output: RowOutput = ROW_OUTPUT,
    context: Annotated[Context, CONTEXT],
) -> None:
    """Update the cards or the items of a token; if the customer has to act, the response has a link.

    Args:
        token: The payment token.
        update_card_info: Ask the customer for new cards.
        items: An item of the subscription from now on, as in create; may be repeated.
    """
    order_items = parse_items(items)
    target = prepare_response(context, output, "PaymentTokenUpdate")

    async def update(client: "AsyncTruemed", _: str | None) -> "PaymentTokenUpdate":
        return await client.payment_tokens.update(
            token, update_card_info=or_unset(update_card_info or None), order_items=or_unset(order_items or None)
        )

    await execute(context, update, target=target, hint="the same command requests the same update")


def delete_token(
    token: str, /, *, safety: SafetyOptions = DEFAULT_SAFETY, context: Annotated[Context, CONTEXT]
) -> CommandResult:
    """Delete a token permanently. The command asks for confirmation, unless --yes is given.

    Args:
        token: The payment token.
    """

    async def delete(client: "AsyncTruemed", _: str | None) -> None:
        await client.payment_tokens.delete(token)

    hint = "run the same command again: if the token is not found, the first one deleted it"
    return confirm_and_run(context, safety, delete, question="Delete the payment token permanently?", hint=hint)


async def get_provision_request(
    id: str, /, *, output: RowOutput = ROW_OUTPUT, context: Annotated[Context, CONTEXT]
) -> None:
    """Show the state of a request to create or update a token.

    Args:
        id: The id of the request, which create and update show.
    """
    target = prepare_response(context, output, "ProvisionTokenRequest")
    async with context.target.connect() as client:
        request = await client.payment_tokens.get_provision_request(id)
    target.write_object(request)
