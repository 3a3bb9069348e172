"""Payment sessions: create, get, list, and what becomes of the money."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, cast

import attrs
from yarl import URL

from truemed_async._core.bulk import Outcome
from truemed_async._core.pagination import SortOrder
from truemed_async._core.request import Query
from truemed_async._core.stream import Stream
from truemed_async._validation import payments, scalars
from truemed_async.endpoints import (
    CANCEL_PAYMENT_SESSION,
    CAPTURE_PAYMENT_SESSION,
    CREATE_PAYMENT_SESSION,
    GET_PAYMENT_SESSION,
    LIST_PAYMENT_SESSIONS,
    REFUND_PAYMENT_SESSION,
    VOID_PAYMENT_SESSION,
)
from truemed_async.errors import PaginationDriftError
from truemed_async.models import (
    AmountDetails,
    NextBillInfo,
    OrderItem,
    Page,
    PaymentCancellation,
    PaymentCapture,
    PaymentRefund,
    PaymentSession,
    PaymentSessionCreation,
    PaymentSessionKind,
    PaymentVoid,
    RefundReason,
)
from truemed_async.options import UNSET, RequestOptions, Unset
from truemed_async.resources._base import Resource
from truemed_async.resources._bulk import get_many
from truemed_async.resources._payment_fields import CAPTURE, NOTHING, REFUND, SESSION, body


def _id(session: PaymentSession) -> str:
    if not session.id:
        raise PaginationDriftError("a payment session of the list has no id, so sessions cannot be told apart")
    return session.id


SORT_ORDER = SortOrder[PaymentSession](id=_id, key=lambda session: session.created_at)


class PaymentSessions(Resource):
    """Checkouts: the link for the customer, the state of the payment, captures, voids and refunds.

    All money is in integer cents: ``1999``, or ``cents("19.99")``; a float is refused.
    """

    __slots__ = ()

    async def create(
        self,
        *,
        total_amount: int,
        order_items: Sequence[OrderItem],
        success_url: str | URL,
        failure_url: str | URL | Unset = UNSET,
        amount_details: AmountDetails | Unset = UNSET,
        customer_email: str | Unset = UNSET,
        customer_name: str | Unset = UNSET,
        customer_state: str | Unset = UNSET,
        metadata: Mapping[str, Any] | str | Unset = UNSET,
        kind: PaymentSessionKind | str | Unset = UNSET,
        tokenize: bool | Unset = UNSET,
        payment_token: str | Unset = UNSET,
        display_next_bill_info: NextBillInfo | Unset = UNSET,
        use_iframe: bool | Unset = UNSET,
        idempotency_key: str | None = None,
        extra: Mapping[str, Any] | None = None,
        options: RequestOptions | None = None,
    ) -> PaymentSessionCreation:
        """Start a checkout, or charge a stored token. What is not given is not sent.

        Keep the idempotency key with the cart: the same key with the same cart gives the same session, so a double
        click makes one. A changed cart needs a new key, and the old session should be cancelled.

        Args:
            total_amount: What the customer pays, in cents, with all charges and discounts. If any ``amount_details``
                is given, here or on an item, it has to be the sum of all parts. 0 is for a free trial: with
                ``tokenize`` and ``display_next_bill_info``.
            order_items: The lines of the cart; they decide about eligibility.
            success_url: Where the customer returns after paying; https, or http on localhost. In it,
                ``{{payment_session_id}}`` is replaced with the session's id; no other placeholder is.
            failure_url: Where the customer returns otherwise. Make it a generic page.
            amount_details: Charges and discounts of the whole order. Truemed's reference calls it required, its guide
                optional. Discounts may be written as negative or as positive amounts: the pages contradict each other,
                and they are sent as you write them.
            customer_email: The customer's e-mail address.
            customer_name: The customer's name.
            customer_state: The customer's US state, two letters. A guess: only third parties are known to send it.
            metadata: Your own text, which comes back with the session and its webhooks. A mapping is sent as JSON.
            kind: ``"one_time_payment"``, which is Truemed's default, or ``"authorization"``: the money is held until you
                :meth:`capture` or :meth:`void` it. Truemed enables that for a merchant on request.
            tokenize: Whether to store the payment method, too: the token comes by webhook.
            payment_token: A stored token to charge, without the customer.
            display_next_bill_info: What the customer is shown of the next bill.
            use_iframe: Whether ``redirect_url`` is to be put into an iframe.
            idempotency_key: Makes repeats harmless. By default a new one is made; give your own where the call may be
                cancelled or the process may die, and repeat with it. Do not put personal data in it: it is shown in
                errors.
            extra: Further fields of the body that this library does not know.
            options: Time-outs, retry policy and headers of this call.

        Returns:
            The session's id, where to send the customer, and the idempotency key that was used.

        Raises:
            InvalidArgumentError: An argument was refused, the amounts do not add up (the text shows the arithmetic), or
                this client has used the key with other values; nothing was sent.
            PaymentMethodError: The stored token could not be charged: send the customer to its ``redirect_url``.
            NotFoundError: The token was deleted.
            MissingFieldError: Truemed wants a field more.
            CallError: Anything else; ``outcome`` says whether the session may have been made, and repeating with the
                error's ``idempotency_key`` settles it.

        Source: Truemed API reference, "Create Payment Session".
        """
        response = await self._client.send(
            CREATE_PAYMENT_SESSION,
            body=body(
                SESSION,
                extra,
                total_amount=total_amount,
                order_items=order_items,
                success_url=success_url,
                failure_url=failure_url,
                amount_details=amount_details,
                customer_email=customer_email,
                customer_name=customer_name,
                customer_state=customer_state,
                metadata=metadata,
                kind=kind,
                tokenize=tokenize,
                payment_token=payment_token,
                display_next_bill_info=display_next_bill_info,
                use_iframe=use_iframe,
            ),
            idempotency_key=idempotency_key,
            options=options,
        )
        return attrs.evolve(response.value, idempotency_key=cast("str", response.idempotency_key))

    async def get(self, payment_session_id: str, *, options: RequestOptions | None = None) -> PaymentSession:
        """Return one payment session.

        Fulfil the order only if its ``may_fulfill`` is true, which is when it is captured.

        Args:
            payment_session_id: Its id, as :meth:`create` returned it.
            options: Time-outs, retry policy and headers of this call.

        Raises:
            InvalidArgumentError: The id cannot be one; nothing was sent.
            NotFoundError: There is no such session for this API key.
            CallError: Anything else that happened on the call.

        Source: Truemed API reference, "Get Payment Status"; its path is known from third parties.
        """
        session = await self._call(
            GET_PAYMENT_SESSION, path={"payment_session_id": payment_session_id}, options=options
        )
        return session if session.id else attrs.evolve(session, id=payment_session_id)

    async def list(
        self,
        *,
        search: str | None = None,
        include_order_items: bool | None = None,
        summarize_refunds: bool | None = None,
        page: int | None = None,
        page_size: int | None = None,
        extra: Mapping[str, str | int | bool] | None = None,
        options: RequestOptions | None = None,
    ) -> Page[PaymentSession]:
        """Return one page of payment sessions of every status, newest first.

        To read them all, use :meth:`iter`: pages asked for one by one shift while sessions come.

        Args:
            search: Text to find. That the filter has this name, and that it looks at id, e-mail and name, is a guess.
            include_order_items: Whether each session has its ``order_items``.
            summarize_refunds: Whether each session has its ``refund_amount``.
            page: The page, from 1; Truemed's default is 1.
            page_size: Rows on a page, at least 1; Truemed's default is 30. The server may apply less: see
                ``.pagination.page_size``.
            extra: Further query parameters. Truemed has filters by status, kind and date; the page at hand does not
                show their names.
            options: Time-outs, retry policy and headers of this call.

        Raises:
            InvalidArgumentError: An argument was refused; nothing was sent.
            BadRequestError: Truemed refused a filter.
            CallError: Anything else that happened on the call.

        Source: Truemed API reference, "List Payment Sessions".
        """
        return await self._call(
            LIST_PAYMENT_SESSIONS,
            query={
                **_filters(search, include_order_items, summarize_refunds, extra),
                "page": None if page is None else scalars.validate_positive_int("page", page),
                "page_size": None if page_size is None else scalars.validate_positive_int("page_size", page_size),
            },
            options=options,
        )

    def iter(
        self,
        *,
        search: str | None = None,
        include_order_items: bool | None = None,
        summarize_refunds: bool | None = None,
        since: date | None = None,
        look_back: timedelta = timedelta(minutes=5),
        page_size: int = 100,
        prefetch: int = 4,
        extra: Mapping[str, str | int | bool] | None = None,
        options: RequestOptions | None = None,
    ) -> Stream[PaymentSession]:
        """Iterate over every payment session that matches, newest first, without a gap while the list changes.

        Each session that matches from the first request until it is reached comes exactly once, whatever is added or
        moved out of the filter meanwhile.

        Args:
            search: As in :meth:`list`.
            include_order_items: As in :meth:`list`.
            summarize_refunds: As in :meth:`list`.
            since: Only sessions created at this moment or later: a datetime (a naive one is UTC), or a date, which is
                its first moment in UTC. The list is read only down to there, so that a run costs what is new. A session
                whose ``created_at`` is null does not come, nor does one because it was changed.
            look_back: How much further back than ``since`` to read, for sessions that became visible late: sessions
                that an earlier run has seen come again, so tell them apart by their ids.
            page_size: Rows to ask for at once, at most; the server may give less. Pages overlap a little: at 100 it
                takes 1.15 times the requests of plain paging, at 30 about 1.3 times. Below 7 pages cannot overlap:
                sessions that leave the list then hide others, and a warning says so.
            prefetch: How many requests may be in flight, at least 1, which is one after another. Up to twice as many
                pages are held.
            extra: As in :meth:`list`.
            options: Time-outs, retry policy and headers of each request.

        Raises:
            InvalidArgumentError: An argument was refused; raised at once, nothing was sent.
            CallError: A page could not be read; raised while iterating.
            PaginationDriftError: The pages do not add up to a sorted list, or a session has no id, so sessions may be
                missing.

        Warns:
            TruemedWarning: Once, if the server gives smaller pages than were asked for, pages cannot overlap, or
                sessions without ``created_at`` are left out by ``since``.

        Source: Truemed API reference, "List Payment Sessions".
        """
        return self._iterate(
            LIST_PAYMENT_SESSIONS,
            _filters(search, include_order_items, summarize_refunds, extra),
            SORT_ORDER,
            page_size=page_size,
            prefetch=prefetch,
            since=scalars.resolve_since(since, look_back, self._client.clock.wall()),
            options=options,
        )

    async def capture(
        self,
        payment_session_id: str,
        *,
        total_amount: int,
        idempotency_key: str | None = None,
        extra: Mapping[str, Any] | None = None,
        options: RequestOptions | None = None,
    ) -> PaymentCapture:
        """Take money that is held: for a session of ``kind="authorization"`` that is ``authorized``.

        The same key gives the same capture. What became of the session comes by webhook, too. When the hold has expired
        and cannot be renewed, this fails and the session is ``authorization_expired``.

        Args:
            payment_session_id: The session's id.
            total_amount: How much to take, in cents: at most what the session was created with. Truemed's page also
                refuses less than the sum of the items, although it allows less than the created amount. To take more,
                void and create anew.
            idempotency_key: Makes repeats harmless. By default a new one is made; give your own where the call may be
                cancelled or the process may die, and repeat with it. It is shown in errors.
            extra: Further fields of the body that this library does not know: capturing single items, for example.
            options: Time-outs, retry policy and headers of this call.

        Returns:
            The capture's own id, and the idempotency key that was used.

        Raises:
            InvalidArgumentError: An argument was refused, or this client has used the key on this session with other
                values; nothing was sent.
            TotalAmountInvalidError: The amount does not fit the session.
            PaymentSessionDoesNotExistError: There is no such session for this API key.
            SessionPendingError: The customer has not finished.
            SessionCapturedError: It is captured already, by another key.
            SessionVoidedError: The hold was released.
            SessionExpiredError: The hold expired and could not be renewed.
            MissingFieldError: Truemed wants a field more.
            CallError: Anything else; ``outcome`` says whether the money may have been taken, and repeating with the
                error's ``idempotency_key`` settles it.

        Source: Truemed API reference, "Capture Session".
        """
        response = await self._client.send(
            CAPTURE_PAYMENT_SESSION,
            path={"payment_session_id": payment_session_id},
            body=body(CAPTURE, extra, total_amount=total_amount),
            idempotency_key=idempotency_key,
            options=options,
        )
        return attrs.evolve(response.value, idempotency_key=cast("str", response.idempotency_key))

    async def void(
        self,
        payment_session_id: str,
        *,
        idempotency_key: str | None = None,
        extra: Mapping[str, Any] | None = None,
        options: RequestOptions | None = None,
    ) -> PaymentVoid:
        """Release money that is held: for a session of ``kind="authorization"`` that is ``authorized``.

        The same key gives the same void. What became of the session comes by webhook, too.

        Args:
            payment_session_id: The session's id.
            idempotency_key: Makes repeats harmless. By default a new one is made; give your own where the call may be
                cancelled or the process may die, and repeat with it. It is shown in errors.
            extra: Further fields of the body that this library does not know.
            options: Time-outs, retry policy and headers of this call.

        Returns:
            The void's own id, and the idempotency key that was used.

        Raises:
            InvalidArgumentError: An argument was refused; nothing was sent.
            PaymentSessionDoesNotExistError: There is no such session for this API key.
            SessionCapturedError: It is captured: :meth:`refund` it instead.
            SessionPendingError: There is no hold yet: :meth:`cancel` it instead.
            ImmediateCaptureError: It is no authorization.
            MissingFieldError: Truemed wants a field more.
            CallError: Anything else; ``outcome`` says whether the hold may have been released, and repeating with the
                error's ``idempotency_key`` settles it.

        Source: Truemed API reference, "Void Session".
        """
        response = await self._client.send(
            VOID_PAYMENT_SESSION,
            path={"payment_session_id": payment_session_id},
            body=body(NOTHING, extra),
            idempotency_key=idempotency_key,
            options=options,
        )
        return attrs.evolve(response.value, idempotency_key=cast("str", response.idempotency_key))

    async def cancel(
        self,
        payment_session_id: str,
        *,
        extra: Mapping[str, Any] | None = None,
        options: RequestOptions | None = None,
    ) -> PaymentCancellation:
        """End a session that is ``pending``, because its cart changed or the customer takes too long.

        The customer then sees a page that leads to ``failure_url``, and the session is ``canceled``. No key is known
        for this call, so it is never repeated by itself once it may have had its effect: where an error's ``outcome``
        is ``"unknown"``, :meth:`get` tells.

        Args:
            payment_session_id: The session's id.
            extra: Fields of the body; this library knows of none, and sends no body without them.
            options: Time-outs, retry policy and headers of this call.

        Returns:
            The answer, of which no page at hand shows the fields; they may all be missing.

        Raises:
            InvalidArgumentError: An argument was refused; nothing was sent.
            NotFoundError: There is no such session for this API key.
            BadRequestError: It is not pending; the values of ``code`` are not shown on the page at hand.
            CallError: Anything else that happened on the call.

        Source: Truemed API reference, "Cancel Payment Session"; its path is known from third parties.
        """
        return await self._call(
            CANCEL_PAYMENT_SESSION,
            path={"payment_session_id": payment_session_id},
            body=body(NOTHING, extra) or None,
            options=options,
        )

    async def refund(
        self,
        payment_session_id: str,
        *,
        amount: int,
        reason: RefundReason | str,
        item_details: Sequence[Mapping[str, Any]] | Unset | None = UNSET,
        idempotency_key: str | None = None,
        extra: Mapping[str, Any] | None = None,
        options: RequestOptions | None = None,
    ) -> PaymentRefund:
        """Give money back, for a session that is ``captured``; a payment can have several refunds.

        Each refund has its own key: a second refund under the key of the first would be the first one again, so this
        client refuses a key that it has used with other values.

        Args:
            payment_session_id: The session's id; it travels as ``payment_id``.
            amount: How much to give back, in cents: at most what can still be refunded.
            reason: ``"customer_request"``, ``"fraudulent"`` or ``"duplicate_payment"`` (the customer checked out more
                than once for one purchase).
            item_details: The items that are refunded, as plain JSON objects: no page at hand shows their fields.
            idempotency_key: Makes repeats harmless. By default a new one is made; give your own where the call may be
                cancelled or the process may die, and repeat with it. It is shown in errors.
            extra: Further fields of the body that this library does not know.
            options: Time-outs, retry policy and headers of this call.

        Returns:
            The refund's id, and the idempotency key that was used.

        Raises:
            InvalidArgumentError: An argument was refused, or this client has used the key with other values; nothing
                was sent.
            AmountInvalidError: The amount is more than what can still be refunded.
            InvalidPaymentIdError: There is no such payment.
            ChargeDisputedError: The customer disputes the charge.
            NoSessionCapturesError: No money was taken.
            MissingFieldError: Truemed wants a field more.
            CallError: Anything else; ``outcome`` says whether the refund may have been made, and repeating with the
                error's ``idempotency_key`` settles it.

        Source: Truemed API reference, "Create Refund"; its path is known from third parties.
        """
        response = await self._client.send(
            REFUND_PAYMENT_SESSION,
            body=body(
                REFUND, extra, amount=amount, payment_id=payment_session_id, reason=reason, item_details=item_details
            ),
            idempotency_key=idempotency_key,
            options=options,
        )
        return attrs.evolve(response.value, idempotency_key=cast("str", response.idempotency_key))

    def get_many(
        self,
        ids: Iterable[str] | AsyncIterable[str],
        *,
        concurrency: int = 16,
        ordered: bool = False,
        unique: bool = False,
        progress: Callable[[int, int, int | None], object] | None = None,
        options: RequestOptions | None = None,
    ) -> Stream[Outcome[PaymentSession]]:
        """Get many payment sessions at once, ``concurrency`` at a time.

        One that fails, for whatever reason, does not touch the others: each id gives one
        :class:`~truemed_async.Outcome`.

        Args:
            ids: The ids, from any iterable or async iterable; it is read only as fast as the outcomes are taken.
            concurrency: Calls in flight, at least 1. The client's ``max_concurrency`` bounds them too.
            ordered: Whether outcomes come in the order of the ids, rather than as they arrive.
            unique: Whether an id that was there before is left out. The last 100,000 different ones are remembered.
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
    search: str | None, include_order_items: object, summarize_refunds: object, extra: object
) -> dict[str, str | int | bool | None]:
    """Check the filters of ``list`` and ``iter``."""
    known: Query = {
        "search": None if search is None else scalars.validate_text("search", search),
        "include_order_items": None
        if include_order_items is None
        else scalars.validate_bool("include_order_items", include_order_items),
        "summarize_refunds": None
        if summarize_refunds is None
        else scalars.validate_bool("summarize_refunds", summarize_refunds),
    }
    return payments.resolve_filters(known, extra)
