"""``truemed payments create``."""

from typing import TYPE_CHECKING, Annotated, Any

import attrs
from cyclopts import Parameter

import truemed_async
from truemed_async.cli.amounts import cents_of, order_items
from truemed_async.cli.moving import ASKING, FLAG, Care, Done, change
from truemed_async.cli.options import AS_GIVEN, CONTEXT, Text, given
from truemed_async.cli.target import Context
from truemed_async.errors import InvalidArgumentError
from truemed_async.money import format_dollars

if TYPE_CHECKING:
    from truemed_async import AmountDetails, AsyncTruemed, NextBillInfo, PaymentSessionCreation, Unset

NO_ITEMS: tuple[str, ...] = ()
ITEMS = Parameter(name="--item", negative="", show_default=False)


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Order:
    """What is paid for.

    Attributes:
        amount: What the customer pays, in dollars with both digits of the cents: 19.99 or 20.00.
        item: A line of the order, a JSON object; may be given more than once. Its price, of one, is dollars in quotes:
            {"name": "Mat", "price": "19.99", "quantity": 1, "sku": "MAT"}.
        charges: The sum of shipping, tax and other charges, in dollars. With it or --discounts, --amount has to be the
            sum of all parts.
        discounts: The sum of all discounts, in dollars; it is sent as a positive amount.
        next_bill_amount: For a free trial (--amount 0.00 --tokenize): the next bill's amount, in dollars.
        next_bill_date: The next bill's date, YYYY-MM-DD.
    """

    amount: Annotated[str, AS_GIVEN]
    item: Annotated[tuple[str, ...], ITEMS] = NO_ITEMS
    charges: Text = None
    discounts: Text = None
    next_bill_amount: Text = None
    next_bill_date: Text = None

    def given(self) -> dict[str, Any]:
        """Return them by the names that the client gives them."""
        return {
            "total_amount": cents_of("--amount", self.amount),
            "order_items": order_items(self.item),
            "amount_details": self._amount_details(),
            "display_next_bill_info": self._next_bill(),
        }

    def _amount_details(self) -> "AmountDetails | Unset":
        if self.charges is None and self.discounts is None:
            return truemed_async.UNSET
        return truemed_async.AmountDetails(
            total_additional_charges=None if self.charges is None else cents_of("--charges", self.charges),
            total_discounts=None if self.discounts is None else cents_of("--discounts", self.discounts),
        )

    def _next_bill(self) -> "NextBillInfo | Unset":
        if self.next_bill_amount is None and self.next_bill_date is None:
            return truemed_async.UNSET
        if self.next_bill_amount is None or self.next_bill_date is None:
            raise InvalidArgumentError("--next-bill-amount and --next-bill-date belong together")
        return truemed_async.NextBillInfo(
            total_amount=cents_of("--next-bill-amount", self.next_bill_amount), date=self.next_bill_date
        )


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class Checkout:
    """How it is paid, and by whom.

    Attributes:
        success_url: Where the customer returns after paying; https, or http on localhost.
        failure_url: Where the customer returns otherwise.
        customer_email: The customer's e-mail address.
        customer_name: The customer's name.
        customer_state: The customer's US state, two letters.
        metadata: Your own text, which comes back with the payment.
        kind: one_time_payment, or authorization: held until it is captured or voided.
        payment_token: A stored payment method to charge at once, without the customer.
    """

    success_url: Annotated[str, AS_GIVEN]
    failure_url: Text = None
    customer_email: Text = None
    customer_name: Text = None
    customer_state: Text = None
    metadata: Text = None
    kind: Text = None
    payment_token: Text = None

    def given(self) -> dict[str, Any]:
        """Return them by the names that the client gives them."""
        return {name: given(value) for name, value in attrs.asdict(self).items()}


def create_payment(
    *,
    order: Order,
    checkout: Checkout,
    tokenize: Annotated[bool, FLAG] = False,
    use_iframe: Annotated[bool, FLAG] = False,
    idempotency_key: Text = None,
    care: Care = ASKING,
    context: Annotated[Context, CONTEXT],
) -> Done:
    """Start a checkout and show the link for the customer, or charge a stored payment method.

    With --payment-token money moves at once: you are asked before, unless --yes is given.

    Args:
        order: What is paid for.
        checkout: How it is paid.
        tokenize: Store the payment method, too.
        use_iframe: The link is to be put into an iframe.
        idempotency_key: The same key with the same order is the same payment; by default a new one is made and shown.
        care: Look before you leap.
        context: Not an option.
    """
    sent: dict[str, Any] = {**order.given(), **checkout.given()}
    sent |= {name: True for name, wanted in {"tokenize": tokenize, "use_iframe": use_iframe}.items() if wanted}

    async def create(client: "AsyncTruemed", key: str | None) -> "PaymentSessionCreation":
        return await client.payment_sessions.create(**sent, idempotency_key=key)

    charged = f"Charge {format_dollars(sent['total_amount'])} to the stored payment method?"
    question = None if checkout.payment_token is None else charged
    return change(context, care, create, question=question, key=idempotency_key)
