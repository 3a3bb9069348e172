"""Payment sessions: create, get and list them, and capture, void, cancel or refund the payment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

import attrs
from yarl import URL

from truemed_async._core.pagination import SortOrder
from truemed_async._core.stream import Stream
from truemed_async._validation import scalars
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
    PaymentHold,
    PaymentRefund,
    PaymentSession,
    PaymentSessionCreation,
    PaymentSessionKind,
    PaymentSessionStatus,
    PaymentVoid,
    RefundReason,
)
from truemed_async.options import UNSET, OnInvalid, RequestOptions, Unset
from truemed_async.resources._base import GettableResource
from truemed_async.resources._cancel_stale import CancellationOutcome, cancel_stale_sessions
from truemed_async.resources._fields import (
    CAPTURE_FIELDS,
    NO_FIELDS,
    REFUND_FIELDS,
    SESSION_FILTERS,
    build_body,
    build_query,
    build_session,
)


def _id(session: PaymentSession) -> str:
    if not session.id:
        raise PaginationDriftError("a payment session of the list has no id, so sessions cannot be identified")
    return session.id


SORT_ORDER = SortOrder[PaymentSession](id=_id, key="created_at")


class PaymentSessions(GettableResource[PaymentSession]):
    """Checkouts: the link for the customer, the state of the payment, captures, voids and refunds.

    All money is in integer cents: ``1999``, or ``cents("19.99")``; a float is refused.
    """

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
        """Start a checkout, or charge a stored token. Fields that are not passed are not sent.

        Store the idempotency key with the cart: the same key with the same cart gives the same session, so a double
        click creates only one. A changed cart needs a new key, and the old session should be canceled.

        Args:
            total_amount: What the customer pays, in cents, including all charges and discounts. If any
                ``amount_details`` is passed, here or on an item, it has to be the sum of all parts. 0 is only for a
                free trial, with ``tokenize`` and ``display_next_bill_info``.
            order_items: The lines of the cart; they decide about eligibility.
            success_url: Where the customer returns after paying; https, http on localhost, or a
                :class:`~truemed_async.DeepLink`. Truemed replaces ``{{payment_session_id}}`` in it with the session's
                id, and no other placeholder.
            failure_url: Where the customer returns otherwise. Use a generic page.
            amount_details: Charges and discounts of the whole order. Truemed's reference requires it; its guide says
                that it is optional. Discounts are sent as you pass them, positive or negative, because Truemed's pages
                contradict each other.
            customer_email: The customer's e-mail address.
            customer_name: The customer's name.
            customer_state: The customer's US state, two letters. Undocumented: only third parties are known to send it.
            metadata: Your own text, returned with the session and its webhooks. A mapping is sent as JSON.
            kind: ``"one_time_payment"``, Truemed's default, or ``"authorization"``: the money is held until you
                :meth:`capture` or :meth:`void` it. Truemed enables that for a merchant on request.
            tokenize: Whether to store the payment method too; the token arrives by webhook.
            payment_token: A stored token to charge, without the customer.
            display_next_bill_info: What to show the customer about the next bill.
            use_iframe: Whether ``redirect_url`` will be loaded in an iframe.

        Returns:
            The session's id, where to send the customer, and the idempotency key that was sent.

        Raises:
            InvalidArgumentError: The amounts do not add up (the message shows the arithmetic); nothing was sent.
            PaymentMethodError: The stored token could not be charged: send the customer to its ``redirect_url``.
            NotFoundError: The token was deleted.
            MissingFieldError: Truemed requires another field.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "Create Payment Session".
        """
        return await self._write(
            CREATE_PAYMENT_SESSION,
            body=build_session(
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

    async def get(self, payment_session_id: str, *, options: RequestOptions | None = None) -> PaymentSession:
        """Return one payment session. Fulfill the order only if its ``may_fulfill`` is true.

        Args:
            payment_session_id: The session's id, as :meth:`create` returned it.

        Raises:
            NotFoundError: This API key has no such session.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "Get Payment Status"; its path is known from third parties.
        """
        session = await self._request(
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
        """Return one page of payment sessions of every status, newest first. To read all of them, use :meth:`iter`.

        Args:
            search: Text to find. Undocumented: the filter's name, and that it searches id, e-mail and name.
            include_order_items: Whether each session has its ``order_items``.
            summarize_refunds: Whether each session has its ``refund_amount``.
            extra: Further query parameters. Truemed has filters by status, kind and date, whose names are not public.

        Raises:
            BadRequestError: Truemed rejected a filter.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "List Payment Sessions".
        """
        filters = build_query(
            SESSION_FILTERS,
            extra,
            search=search,
            include_order_items=include_order_items,
            summarize_refunds=summarize_refunds,
        )
        return await self._list(LIST_PAYMENT_SESSIONS, filters, page, page_size, options)

    def iter(
        self,
        *,
        search: str | None = None,
        include_order_items: bool | None = None,
        summarize_refunds: bool | None = None,
        status: PaymentSessionStatus | str | None = None,
        since: date | None = None,
        until: date | None = None,
        look_back: timedelta = timedelta(minutes=5),
        page_size: int = 100,
        prefetch: int = 4,
        on_invalid: OnInvalid = "raise",
        extra: Mapping[str, str | int | bool] | None = None,
        options: RequestOptions | None = None,
    ) -> Stream[PaymentSession]:
        """Iterate over all payment sessions that match the filters of :meth:`list`, newest first.

        Each session that matches from the first request until it is reached is yielded exactly once, whatever is added
        or moved out of the filter meanwhile.

        Args:
            status: Only sessions that have this status when they are read. Truemed's own filter is not public, so every
                session is read, and the client selects.

        Raises:
            PaginationDriftError: The pages do not form a sorted list, or a session has no id, so sessions may be
                missing.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "List Payment Sessions".
        """
        filters = build_query(
            SESSION_FILTERS,
            extra,
            search=search,
            include_order_items=include_order_items,
            summarize_refunds=summarize_refunds,
        )
        return self._iterate(
            LIST_PAYMENT_SESSIONS,
            filters,
            SORT_ORDER,
            since=since,
            until=until,
            local_filters=None if status is None else {"status": scalars.validate_text("status", status)},
            look_back=look_back,
            page_size=page_size,
            prefetch=prefetch,
            on_invalid=on_invalid,
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
        """Capture held money, of a session of ``kind="authorization"`` that is ``authorized``.

        The same key gives the same capture. The new state of the session arrives by webhook too. If the hold has
        expired and cannot be renewed, this fails and the session is ``authorization_expired``.

        Args:
            payment_session_id: The session's id.
            total_amount: How much to capture, in cents: at most the amount that the session was created with. Truemed's
                page also rejects less than the sum of the items, although it allows less than the created amount. To
                capture more, void the session and create another.

        Returns:
            The capture's own id, and the idempotency key that was sent.

        Raises:
            TotalAmountInvalidError: The amount does not fit the session.
            PaymentSessionDoesNotExistError: This API key has no such session.
            SessionPendingError: The customer has not finished.
            SessionCapturedError: The session was already captured, with another key.
            SessionVoidedError: The hold was released.
            SessionExpiredError: The hold expired and could not be renewed.
            MissingFieldError: Truemed requires another field.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "Capture Session".
        """
        return await self._write(
            CAPTURE_PAYMENT_SESSION,
            path={"payment_session_id": payment_session_id},
            body=build_body(CAPTURE_FIELDS, extra, total_amount=total_amount),
            idempotency_key=idempotency_key,
            options=options,
        )

    async def void(
        self,
        payment_session_id: str,
        *,
        idempotency_key: str | None = None,
        extra: Mapping[str, Any] | None = None,
        options: RequestOptions | None = None,
    ) -> PaymentVoid:
        """Release held money, of a session of ``kind="authorization"`` that is ``authorized``.

        The same key gives the same void. The new state of the session arrives by webhook too.

        Args:
            payment_session_id: The session's id.

        Returns:
            The void's own id, and the idempotency key that was sent.

        Raises:
            PaymentSessionDoesNotExistError: This API key has no such session.
            SessionCapturedError: The session is captured: :meth:`refund` it instead.
            SessionPendingError: There is no hold yet: :meth:`cancel` the session instead.
            ImmediateCaptureError: The session is not an authorization.
            MissingFieldError: Truemed requires another field.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "Void Session".
        """
        return await self._write(
            VOID_PAYMENT_SESSION,
            path={"payment_session_id": payment_session_id},
            body=build_body(NO_FIELDS, extra),
            idempotency_key=idempotency_key,
            options=options,
        )

    async def cancel(
        self,
        payment_session_id: str,
        *,
        extra: Mapping[str, Any] | None = None,
        options: RequestOptions | None = None,
    ) -> PaymentCancellation:
        """Cancel a session that is ``pending``, because its cart changed or the customer takes too long.

        The customer then sees a page that leads to ``failure_url``, and the session is ``canceled``. The endpoint has
        no documented idempotency key, so the library never retries it once it may have been applied. If an error's
        ``outcome`` is ``"unknown"``, :meth:`get` shows whether the session is canceled.

        Args:
            payment_session_id: The session's id.
            extra: Fields of the body. This library knows none, and sends no body without them.

        Returns:
            The response, whose fields are undocumented; all of them may be missing.

        Raises:
            NotFoundError: This API key has no such session.
            BadRequestError: The session is not pending; the values of ``code`` are undocumented.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "Cancel Payment Session"; its path is known from third parties.
        """
        return await self._request(
            CANCEL_PAYMENT_SESSION,
            path={"payment_session_id": payment_session_id},
            body=build_body(NO_FIELDS, extra) or None,
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
        """Refund money of a session that is ``captured``; a payment can have several refunds.

        Each refund needs its own key. Truemed would answer a second refund with the key of the first by repeating the
        first, so this client refuses a key that it has used with other values.

        Args:
            payment_session_id: The session's id; it is sent as ``payment_id``.
            amount: How much to refund, in cents: at most what is still refundable.
            reason: ``"customer_request"``, ``"fraudulent"`` or ``"duplicate_payment"`` (the customer checked out more
                than once for one purchase).
            item_details: The refunded items, as plain JSON objects, whose fields are undocumented.

        Returns:
            The refund's id, and the idempotency key that was sent.

        Raises:
            AmountInvalidError: The amount is more than what is still refundable.
            InvalidPaymentIdError: There is no such payment.
            ChargeDisputedError: The customer disputes the charge.
            NoSessionCapturesError: Nothing was captured.
            MissingFieldError: Truemed requires another field.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "Create Refund"; its path is known from third parties.
        """
        return await self._write(
            REFUND_PAYMENT_SESSION,
            body=build_body(
                REFUND_FIELDS,
                extra,
                amount=amount,
                payment_id=payment_session_id,
                reason=reason,
                item_details=item_details,
            ),
            idempotency_key=idempotency_key,
            options=options,
        )

    async def wait_until_final(
        self,
        payment_session_id: str,
        *,
        timeout: float = 300.0,  # noqa: ASYNC109  # how long to poll; canceling a poll midway would say less
        options: RequestOptions | None = None,
    ) -> PaymentSession:
        """Poll a session until only you can change its status, with growing delays from 1 to 30 seconds.

        That is a final status, or ``authorized``, which waits for your :meth:`capture` or :meth:`void`. The customer
        may take long or never finish, and a review takes a day or two: prefer Truemed's webhook where you can receive
        one.

        Args:
            payment_session_id: The session's id.
            timeout: How long to poll, in seconds. The last request may take as long as its own timeouts allow.

        Raises:
            DeadlineExceededError: The session was neither final nor authorized in time.
            NotFoundError: This API key has no such session.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "Get Payment Status".
        """
        return await self._poll(
            GET_PAYMENT_SESSION,
            lambda: self.get(payment_session_id, options=options),
            lambda session: session.is_final or session.status == PaymentSessionStatus.AUTHORIZED,
            timeout=timeout,
            unfinished="the session is neither final nor authorized",
        )

    async def holds_ending(
        self,
        *,
        before: date,
        look_back: timedelta = timedelta(days=30),
        card_entered_at: Mapping[str, datetime] | None = None,
        options: RequestOptions | None = None,
    ) -> Sequence[PaymentHold]:
        """Return the cards that are held and may be released before a moment, the first one to end first.

        A card is held for 6.95 days from its entry, before the review, and not renewed. An ``authorized`` session has to
        be captured within that time; one that is still ``processing`` when it ends is canceled, even if the Letter is
        approved later. Holds that have ended are included as long as the status does not say so: a capture tries to
        authorize the card once more.

        The whole list of the sessions created in ``look_back`` is read, because Truemed's filter by status is not
        public.

        Args:
            before: Only holds that may end before this moment: a datetime (a naive one is UTC), or a date, which stands
                for its first moment in UTC.
            look_back: How far back to read the list. An older session whose card was entered lately is not found.
            card_entered_at: When cards were entered, by the id of the session: the time of the webhook that reported
                ``processing``. Without it the end of a hold is inferred: see :class:`~truemed_async.PaymentHold`.

        Returns:
            The holds, also those whose end is inferred.

        Raises:
            PaginationDriftError: The pages do not form a sorted list, so sessions may be missing.

        Shared arguments and errors: :doc:`/common`.
        Source: docs/truemed-api.md, section 7, rows N1 and N4.
        """
        latest = scalars.parse_datetime("before", before)
        entries = {
            scalars.validate_id("card_entered_at", id): scalars.parse_datetime("card_entered_at", moment)
            for id, moment in (card_entered_at or {}).items()
        }
        now = datetime.fromtimestamp(self._client.clock.wall(), UTC)
        since = now - scalars.validate_period("look_back", look_back)
        holds: list[PaymentHold] = []
        async with self.iter(since=since, look_back=timedelta(0), options=options) as sessions:
            async for session in sessions:
                if session.status in (PaymentSessionStatus.AUTHORIZED, PaymentSessionStatus.PROCESSING):
                    hold = PaymentHold.of(session, entries.get(session.id), now)
                    if hold.ends_at < latest:
                        holds.append(hold)
        return sorted(holds, key=lambda hold: hold.ends_at)

    def cancel_stale(
        self,
        *,
        older_than: timedelta,
        look_back: timedelta | None = None,
        dry_run: bool = False,
        concurrency: int = 4,
        options: RequestOptions | None = None,
    ) -> Stream[CancellationOutcome]:
        """Cancel the sessions that are ``pending`` for a long time, ``concurrency`` at a time.

        A customer may return while this runs. Each session is read again before it is canceled, Truemed cancels pending
        sessions only, and a cancellation that is refused or has no response is settled by reading the session once
        more. So a payment is never canceled, and a session that its customer completed meanwhile is reported as
        ``changed``. Repeating the whole run is safe: canceled sessions are no longer pending.

        The whole list is read, because Truemed's filter by status is not public. Sessions without ``created_at`` are
        left alone.

        Args:
            older_than: How long ago a session was created, at least.
            look_back: How long ago a session was created, at most; by default the whole list is read.
            dry_run: Whether to cancel nothing and yield each session that would be canceled, as ``planned``.

        Returns:
            One :class:`~truemed_async.CancellationOutcome` for each stale session.

        Raises:
            PaginationDriftError: The pages do not form a sorted list, so sessions may be missing.

        Shared arguments and errors: :doc:`/common`.
        Source: Truemed API reference, "Cancel Payment Session"; its path is known from third parties.
        """
        now = datetime.fromtimestamp(self._client.clock.wall(), UTC)
        sessions = self.iter(
            status=PaymentSessionStatus.PENDING,
            since=None if look_back is None else now - scalars.validate_period("look_back", look_back),
            until=now - scalars.validate_period("older_than", older_than),
            look_back=timedelta(0),
            options=options,
        )
        return Stream(
            cancel_stale_sessions(
                sessions,
                partial(self.get, options=options),
                partial(self.cancel, options=options),
                dry_run=scalars.validate_bool("dry_run", dry_run),
                concurrency=scalars.validate_positive_int("concurrency", concurrency),
            )
        )
