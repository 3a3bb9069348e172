"""Payment tokens: create, get, list, update, delete, and what became of a request for one."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from yarl import URL

from truemed_async._core.bulk import Outcome
from truemed_async._core.pagination import SortOrder
from truemed_async._core.request import Query
from truemed_async._core.stream import Stream
from truemed_async._validation import payments, scalars
from truemed_async.endpoints import (
    CREATE_PAYMENT_TOKEN,
    DELETE_PAYMENT_TOKEN,
    GET_PAYMENT_TOKEN,
    GET_PROVISION_REQUEST,
    LIST_PAYMENT_TOKENS,
    UPDATE_PAYMENT_TOKEN,
)
from truemed_async.models import (
    OrderItem,
    Page,
    PaymentToken,
    PaymentTokenCreation,
    PaymentTokenUpdate,
    ProvisionTokenRequest,
)
from truemed_async.options import UNSET, RequestOptions, Unset
from truemed_async.resources._base import Resource
from truemed_async.resources._bulk import get_many
from truemed_async.resources._payment_fields import TOKEN, TOKEN_CHANGE, body, changes

SORT_ORDER = SortOrder[PaymentToken](id=lambda token: token.payment_token, key=lambda token: token.created_at)


class PaymentTokens(Resource):
    """Stored payment methods, for subscriptions; to charge one, give it to ``payment_sessions.create``."""

    __slots__ = ()

    async def create(
        self,
        *,
        order_items: Sequence[OrderItem] | Unset = UNSET,
        success_url: str | URL | Unset = UNSET,
        metadata: Mapping[str, Any] | str | Unset = UNSET,
        extra: Mapping[str, Any] | None = None,
        options: RequestOptions | None = None,
    ) -> PaymentTokenCreation:
        """Begin to store a payment method of a customer who is present. It returns no token.

        Send the customer to ``redirect_url``. The token comes by the webhook ``payment_token_updated``, or from
        :meth:`get_provision_request`. (For a new customer, create a payment session with ``tokenize=True`` instead.)

        Truemed's table of this request is not at hand: which fields it requires, and which it has besides these, give
        in ``extra``. No idempotency key is known for it, so it is never repeated by itself once it may have had its
        effect; a second request does no harm but for a second link.

        Args:
            order_items: What the customer subscribes to. The name is a guess, by :meth:`update`.
            success_url: Where the customer returns; https, or http on localhost.
            metadata: Your own text, which comes back with the request and its webhook. A mapping is sent as JSON.
            extra: Further fields of the body that this library does not know.
            options: Time-outs, retry policy and headers of this call.

        Returns:
            The request's id, and where to send the customer.

        Raises:
            InvalidArgumentError: An argument was refused; nothing was sent.
            BadRequestError: Truemed refused the request.
            CallError: Anything else that happened on the call.

        Source: Truemed API reference, "Create Payment Token"; its path is known from third parties.
        """
        return await self._call(
            CREATE_PAYMENT_TOKEN,
            body=body(TOKEN, extra, order_items=order_items, success_url=success_url, metadata=metadata),
            options=options,
        )

    async def get(self, payment_token: str, *, options: RequestOptions | None = None) -> PaymentToken:
        """Return one token: whose it is, and when its cards and letters expire.

        Args:
            payment_token: The token.
            options: Time-outs, retry policy and headers of this call.

        Raises:
            InvalidArgumentError: The token cannot be one; nothing was sent.
            NotFoundError: There is no such token for this API key.
            CallError: Anything else that happened on the call.

        Source: Truemed API reference, "Retrieve Payment Token"; its path is known from third parties.
        """
        return await self._call(GET_PAYMENT_TOKEN, path={"payment_token": payment_token}, options=options)

    async def list(
        self,
        *,
        email: str | None = None,
        name: str | None = None,
        card_expires_before: date | str | None = None,
        lmn_expires_before: date | str | None = None,
        page: int | None = None,
        page_size: int | None = None,
        extra: Mapping[str, str | int | bool] | None = None,
        options: RequestOptions | None = None,
    ) -> Page[PaymentToken]:
        """Return one page of tokens, newest first.

        To read them all, use :meth:`iter`: pages asked for one by one shift while tokens come and go.

        Args:
            email: Only tokens of customers whose e-mail address holds this text.
            name: Only tokens of customers whose name holds this text.
            card_expires_before: Only tokens with a card that expires in this month or before: a date, a datetime (a
                naive one is UTC), or ``"YYYY-MM"``.
            lmn_expires_before: Only tokens with a Letter of Medical Necessity that expires on this day, in UTC, or
                before: a date, a datetime (a naive one is UTC), or ``"YYYY-MM-DD"``.
            page: The page, from 1; Truemed's default is 1.
            page_size: Rows on a page, at least 1; Truemed's default is 30. The server may apply less: see
                ``.pagination.page_size``.
            extra: Further query parameters. Truemed's guide speaks of filters that its reference does not have.
            options: Time-outs, retry policy and headers of this call.

        Raises:
            InvalidArgumentError: An argument was refused; nothing was sent.
            BadRequestError: Truemed refused a filter.
            CallError: Anything else that happened on the call.

        Source: Truemed API reference, "List Payment Tokens"; its path is known from third parties.
        """
        return await self._call(
            LIST_PAYMENT_TOKENS,
            query={
                **_filters(email, name, card_expires_before, lmn_expires_before, extra),
                "page": None if page is None else scalars.validate_positive_int("page", page),
                "page_size": None if page_size is None else scalars.validate_positive_int("page_size", page_size),
            },
            options=options,
        )

    def iter(
        self,
        *,
        email: str | None = None,
        name: str | None = None,
        card_expires_before: date | str | None = None,
        lmn_expires_before: date | str | None = None,
        since: date | None = None,
        look_back: timedelta = timedelta(minutes=5),
        page_size: int = 100,
        prefetch: int = 4,
        extra: Mapping[str, str | int | bool] | None = None,
        options: RequestOptions | None = None,
    ) -> Stream[PaymentToken]:
        """Iterate over every token that matches, newest first, without a gap while tokens come and go.

        Each token that matches from the first request until it is reached comes exactly once, whatever is added,
        deleted or moved out of the filter meanwhile.

        Args:
            email: As in :meth:`list`.
            name: As in :meth:`list`.
            card_expires_before: As in :meth:`list`.
            lmn_expires_before: As in :meth:`list`.
            since: Only tokens created at this moment or later: a datetime (a naive one is UTC), or a date, which is its
                first moment in UTC. The list is read only down to there, so that a run costs what is new. A token whose
                ``created_at`` is null does not come, nor does one because it was changed.
            look_back: How much further back than ``since`` to read, for tokens that became visible late: tokens that
                an earlier run has seen come again.
            page_size: Rows to ask for at once, at most; the server may give less. Pages overlap a little: at 100 it
                takes 1.15 times the requests of plain paging, at 30 about 1.3 times. Below 7 pages cannot overlap:
                tokens that leave the list then hide others, and a warning says so.
            prefetch: How many requests may be in flight, at least 1, which is one after another. Up to twice as many
                pages are held.
            extra: As in :meth:`list`.
            options: Time-outs, retry policy and headers of each request.

        Raises:
            InvalidArgumentError: An argument was refused; raised at once, nothing was sent.
            CallError: A page could not be read; raised while iterating.
            PaginationDriftError: The pages do not add up to a sorted list, so tokens may be missing.

        Warns:
            TruemedWarning: Once, if the server gives smaller pages than were asked for, pages cannot overlap, or
                tokens without ``created_at`` are left out by ``since``.

        Source: Truemed API reference, "List Payment Tokens"; its path is known from third parties.
        """
        return self._iterate(
            LIST_PAYMENT_TOKENS,
            _filters(email, name, card_expires_before, lmn_expires_before, extra),
            SORT_ORDER,
            page_size=page_size,
            prefetch=prefetch,
            since=scalars.resolve_since(since, look_back, self._client.clock.wall()),
            options=options,
        )

    async def update(
        self,
        payment_token: str,
        *,
        update_card_info: bool | Unset = UNSET,
        order_items: Sequence[OrderItem] | Unset = UNSET,
        extra: Mapping[str, Any] | None = None,
        options: RequestOptions | None = None,
    ) -> PaymentTokenUpdate:
        """Change the cards or the items of a token, with the customer present.

        Where ``needs_customer`` is true on the answer, send the customer to its ``redirect_url``: until the webhook
        ``payment_token_updated`` says that it is done, charging the token may fail.

        Truemed's table of this request is cut off after these two fields; give others in ``extra``. No idempotency key
        is known for it, so it is never repeated by itself once it may have had its effect.

        Args:
            payment_token: The token.
            update_card_info: Whether the customer is to enter new cards.
            order_items: What the customer subscribes to from now on; the customer may have to qualify anew.
            extra: Further fields of the body that this library does not know.
            options: Time-outs, retry policy and headers of this call.

        Returns:
            What the customer has to do, if anything, and the request's id.

        Raises:
            InvalidArgumentError: An argument was refused, or there is nothing to change; nothing was sent.
            NotFoundError: There is no such token for this API key.
            BadRequestError: Truemed refused the request.
            CallError: Anything else that happened on the call.

        Source: Truemed API reference, "Update Payment Token"; its path is known from third parties.
        """
        return await self._call(
            UPDATE_PAYMENT_TOKEN,
            path={"payment_token": payment_token},
            body=changes(TOKEN_CHANGE, extra, update_card_info=update_card_info, order_items=order_items),
            options=options,
        )

    async def delete(self, payment_token: str, *, options: RequestOptions | None = None) -> None:
        """Delete a token for good: charging it then fails with :class:`~truemed_async.errors.NotFoundError`.

        The body of this call must be empty, so it takes no idempotency key and is never repeated by itself once it may
        have had its effect. Where an error's ``outcome`` is ``"unknown"``, delete it again: ``NotFoundError`` then
        means that it is done.

        Args:
            payment_token: The token.
            options: Time-outs, retry policy and headers of this call.

        Raises:
            InvalidArgumentError: The token cannot be one; nothing was sent.
            NotFoundError: There is no such token for this API key.
            CallError: Anything else that happened on the call.

        Source: Truemed API reference, "Delete Payment Token"; its path is known from third parties.
        """
        await self._call(DELETE_PAYMENT_TOKEN, path={"payment_token": payment_token}, options=options)

    async def get_provision_request(
        self, provision_token_request_id: str, *, options: RequestOptions | None = None
    ) -> ProvisionTokenRequest:
        """Return what became of a request to make or change a token, should its webhook have been missed.

        Args:
            provision_token_request_id: The id that :meth:`create` or :meth:`update` returned.
            options: Time-outs, retry policy and headers of this call.

        Raises:
            InvalidArgumentError: The id cannot be one; nothing was sent.
            NotFoundError: There is no such request for this API key.
            CallError: Anything else that happened on the call.

        Source: Truemed API reference, "Retrieve Provision Token Request"; its path is known from third parties.
        """
        return await self._call(
            GET_PROVISION_REQUEST,
            path={"provision_token_request_id": provision_token_request_id},
            options=options,
        )

    def get_many(
        self,
        ids: Iterable[str] | AsyncIterable[str],
        *,
        concurrency: int = 16,
        ordered: bool = False,
        unique: bool = False,
        progress: Callable[[int, int, int | None], object] | None = None,
        options: RequestOptions | None = None,
    ) -> Stream[Outcome[PaymentToken]]:
        """Get many tokens at once, ``concurrency`` at a time.

        One that fails, for whatever reason, does not touch the others: each token gives one
        :class:`~truemed_async.Outcome`.

        Args:
            ids: The tokens, from any iterable or async iterable; it is read only as fast as the outcomes are taken.
            concurrency: Calls in flight, at least 1. The client's ``max_concurrency`` bounds them too.
            ordered: Whether outcomes come in the order of the tokens, rather than as they arrive.
            unique: Whether a token that was there before is left out. The last 100,000 different ones are remembered.
            progress: Called with ``(done, failed, total)`` each time that outcomes have arrived, before you get them.
                Failed ones are done too, and so are repeats that ``unique`` left out; ``total`` is ``None`` where
                ``ids`` has no length. What it raises ends the iteration.
            options: Time-outs, retry policy and headers of each call.

        Raises:
            InvalidArgumentError: An argument was refused; raised at once.
        """
        return get_many(
            lambda each: self.get(each, options=options),
            ids,
            concurrency=concurrency,
            ordered=ordered,
            unique=unique,
            progress=progress,
        )


def _filters(
    email: str | None,
    name: str | None,
    card_expires_before: date | str | None,
    lmn_expires_before: date | str | None,
    extra: object,
) -> dict[str, str | int | bool | None]:
    """Check the filters of ``list`` and ``iter``."""
    known: Query = {
        "email": None if email is None else scalars.validate_text("email", email),
        "name": None if name is None else scalars.validate_text("name", name),
        "card_expires_before": None
        if card_expires_before is None
        else scalars.parse_month("card_expires_before", card_expires_before),
        "lmn_expires_before": None
        if lmn_expires_before is None
        else scalars.parse_date("lmn_expires_before", lmn_expires_before),
    }
    return payments.resolve_filters(known, extra)
