"""Payment tokens: create, get, list, update and delete them, and get a request for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from yarl import URL

from truemed_async._core.pagination import SortOrder
from truemed_async._core.stream import Stream
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
from truemed_async.options import UNSET, OnInvalid, RequestOptions, Unset
from truemed_async.resources._base import GettableResource
from truemed_async.resources._fields import (
    CREATE_TOKEN_FIELDS,
    TOKEN_FILTERS,
    UPDATE_TOKEN_FIELDS,
    build_body,
    build_query,
    build_update,
)

SORT_ORDER = SortOrder[PaymentToken](id="payment_token", key="created_at")


class PaymentTokens(GettableResource[PaymentToken]):
    """Stored payment methods, for subscriptions; to charge one, pass it to ``payment_sessions.create``."""

    async def create(
        self,
        *,
        order_items: Sequence[OrderItem] | Unset = UNSET,
        success_url: str | URL | Unset = UNSET,
        metadata: Mapping[str, Any] | str | Unset = UNSET,
        extra: Mapping[str, Any] | None = None,
        options: RequestOptions | None = None,
    ) -> PaymentTokenCreation:
        """Request a token for the payment method of a customer who is present. The response holds no token yet.

        Send the customer to ``redirect_url``. The token arrives with the webhook ``payment_token_updated``, or from
        :meth:`get_provision_request`. (For a new customer, create a payment session with ``tokenize=True`` instead.)

        Truemed's table of this request is not public: pass fields that are missing here in ``extra``. The endpoint has
        no documented idempotency key, so the library never retries it once it may have been applied. A second request
        only creates a second link.

        Args:
            order_items: What the customer subscribes to. Undocumented: named as in :meth:`update`.
            success_url: Where the customer returns; https, http on localhost, or a :class:`~truemed_async.DeepLink`.
            metadata: Your own text, returned with the request and its webhook. A mapping is sent as JSON.

        Returns:
            The request's id, and where to send the customer.

        Raises:
            BadRequestError: Truemed rejected the request.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "Create Payment Token"; its path is known from third parties.
        """
        return await self._request(
            CREATE_PAYMENT_TOKEN,
            body=build_body(
                CREATE_TOKEN_FIELDS, extra, order_items=order_items, success_url=success_url, metadata=metadata
            ),
            options=options,
        )

    async def get(self, payment_token: str, *, options: RequestOptions | None = None) -> PaymentToken:
        """Return one token: whose it is, and when its cards and Letters of Medical Necessity expire.

        Args:
            payment_token: The token.

        Raises:
            NotFoundError: This API key has no such token.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "Retrieve Payment Token"; its path is known from third parties.
        """
        return await self._request(GET_PAYMENT_TOKEN, path={"payment_token": payment_token}, options=options)

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
        """Return one page of tokens, newest first. To read all of them, use :meth:`iter`.

        Args:
            email: Only tokens of customers whose e-mail address contains this text.
            name: Only tokens of customers whose name contains this text.
            card_expires_before: Only tokens with a card that expires in this month or before: a date, a datetime (a
                naive one is UTC), or ``"YYYY-MM"``.
            lmn_expires_before: Only tokens with a Letter of Medical Necessity that expires on this day, in UTC, or
                before: a date, a datetime (a naive one is UTC), or ``"YYYY-MM-DD"``.
            extra: Further query parameters. Truemed's guide mentions filters that its reference does not have.

        Raises:
            BadRequestError: Truemed rejected a filter.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "List Payment Tokens"; its path is known from third parties.
        """
        filters = build_query(
            TOKEN_FILTERS,
            extra,
            email=email,
            name=name,
            card_expires_before=card_expires_before,
            lmn_expires_before=lmn_expires_before,
        )
        return await self._list(LIST_PAYMENT_TOKENS, filters, page, page_size, options)

    def iter(
        self,
        *,
        email: str | None = None,
        name: str | None = None,
        card_expires_before: date | str | None = None,
        lmn_expires_before: date | str | None = None,
        since: date | None = None,
        until: date | None = None,
        look_back: timedelta = timedelta(minutes=5),
        page_size: int = 100,
        prefetch: int = 4,
        on_invalid: OnInvalid = "raise",
        extra: Mapping[str, str | int | bool] | None = None,
        options: RequestOptions | None = None,
    ) -> Stream[PaymentToken]:
        """Iterate over all tokens that match the filters of :meth:`list`, newest first.

        Each token that matches from the first request until it is reached is yielded exactly once, whatever is added,
        deleted or moved out of the filter meanwhile.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "List Payment Tokens"; its path is known from third parties.
        """
        filters = build_query(
            TOKEN_FILTERS,
            extra,
            email=email,
            name=name,
            card_expires_before=card_expires_before,
            lmn_expires_before=lmn_expires_before,
        )
        return self._iterate(
            LIST_PAYMENT_TOKENS,
            filters,
            SORT_ORDER,
            since=since,
            until=until,
            look_back=look_back,
            page_size=page_size,
            prefetch=prefetch,
            on_invalid=on_invalid,
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
        """Update the cards or the items of a token, with the customer present.

        If ``needs_customer`` of the result is true, send the customer to its ``redirect_url``. Charging the token may
        fail until the webhook ``payment_token_updated`` arrives.

        Only these two fields of Truemed's table are public; pass others in ``extra``. The endpoint has no documented
        idempotency key, so the library never retries it once it may have been applied.

        Args:
            payment_token: The token.
            update_card_info: Whether the customer has to enter new cards.
            order_items: What the customer subscribes to from now on; the customer may have to qualify again.

        Returns:
            What the customer has to do, if anything, and the request's id.

        Raises:
            InvalidArgumentError: Nothing was passed to update; nothing was sent.
            NotFoundError: This API key has no such token.
            BadRequestError: Truemed rejected the request.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "Update Payment Token"; its path is known from third parties.
        """
        return await self._request(
            UPDATE_PAYMENT_TOKEN,
            path={"payment_token": payment_token},
            body=build_update(UPDATE_TOKEN_FIELDS, extra, update_card_info=update_card_info, order_items=order_items),
            options=options,
        )

    async def delete(self, payment_token: str, *, options: RequestOptions | None = None) -> None:
        """Delete a token permanently: charging it then fails with :class:`~truemed_async.errors.NotFoundError`.

        The body of this call must be empty, so it takes no idempotency key and the library never retries it once it may
        have been applied. If an error's ``outcome`` is ``"unknown"``, delete the token again: ``NotFoundError`` then
        means that it is deleted.

        Args:
            payment_token: The token.

        Raises:
            NotFoundError: This API key has no such token.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "Delete Payment Token"; its path is known from third parties.
        """
        await self._request(DELETE_PAYMENT_TOKEN, path={"payment_token": payment_token}, options=options)

    async def get_provision_request(
        self, provision_token_request_id: str, *, options: RequestOptions | None = None
    ) -> ProvisionTokenRequest:
        """Return the state of a request to create or update a token, for example if its webhook was missed.

        Args:
            provision_token_request_id: The id that :meth:`create` or :meth:`update` returned.

        Raises:
            NotFoundError: This API key has no such request.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "Retrieve Provision Token Request"; its path is known from third parties.
        """
        return await self._request(
            GET_PROVISION_REQUEST,
            path={"provision_token_request_id": provision_token_request_id},
            options=options,
        )

    async def wait_until_provisioned(
        self,
        provision_token_request_id: str,
        *,
        timeout: float = 300.0,  # noqa: ASYNC109  # how long to poll; canceling a poll midway would say less
        options: RequestOptions | None = None,
    ) -> ProvisionTokenRequest:
        """Poll a request to create or update a token until the token exists, with growing delays from 1 to 30 seconds.

        The customer has to complete the redirect first, and may never do so: prefer the webhook
        ``payment_token_updated`` where you can receive one. Whether the request of an :meth:`update`, whose token exists
        already, is without a token until the customer is done is undocumented.

        Args:
            provision_token_request_id: The id that :meth:`create` returned.
            timeout: How long to poll, in seconds. The last request may take as long as its own timeouts allow.

        Returns:
            The request, with its ``payment_token``.

        Raises:
            DeadlineExceededError: The token did not exist in time.
            NotFoundError: This API key has no such request.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "Retrieve Provision Token Request"; its path is known from third parties.
        """
        return await self._poll(
            GET_PROVISION_REQUEST,
            lambda: self.get_provision_request(provision_token_request_id, options=options),
            lambda request: request.is_provisioned,
            timeout=timeout,
            unfinished="the token is not provisioned",
        )
