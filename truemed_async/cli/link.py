"""``truemed sessions link`` and ``payments link``: the pages that customers open."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

import truemed_async
from truemed_async.cli.connection import Context
from truemed_async.cli.control import EmulatorControl, dashboard_of, refuse_embedded_emulator, server_url
from truemed_async.cli.failures import explain_errors
from truemed_async.cli.options import CONTEXT, RequiredText, Text
from truemed_async.cli.output import exit_code_of
from truemed_async.cli.resources import ChosenIds, choose_ids, report_failed_id
from truemed_async.errors import CallError, InvalidArgumentError, TruemedError

if TYPE_CHECKING:
    from truemed_async import AsyncTruemed, PaymentSession, QualificationSession
    from truemed_async.cli.connection import Target

FindLink = Callable[["AsyncTruemed", Any], Awaitable[str]]
"""``await find(client, row)`` returns the link of an object, or raises a ``TruemedError``."""


class NoLinkError(TruemedError):
    """An object has no link."""


async def link_payments(
    ids: Annotated[list[str] | None, Parameter(negative="")] = None,
    /,
    *,
    from_stdin: Annotated[bool, Parameter(name="-", negative="", show_default=False)] = False,
    context: Annotated[Context, CONTEXT],
) -> int:
    """Print the link that the customer of each pending payment opens, one a line, in the given order.

    Truemed sends it in the response to `payments create`, and is not known to send it again: then the command says so, and
    the same create with the same --idempotency-key returns it. An emulator has it for every payment.

    If there is no link for one of them, the others are still printed; the exit code is then 1.

    Args:
        ids: Ids of payment sessions.
        from_stdin: Read ids from standard input, one a line. A line may also be a JSON object as list and export write it.
    """
    refuse_embedded_emulator(context.target)
    selection = choose_ids(context.streams, ids, "id", from_stdin=from_stdin)

    async def find(client: AsyncTruemed, session: PaymentSession) -> str:
        if session.status != "pending":
            raise NoLinkError(f"it is {session.status}: no page waits for its customer")
        link = session.extra.get("redirect_url")
        if isinstance(link, str):
            return link
        if dashboard_of(context.target) is not None:
            raise NoLinkError(
                "the response has no link: that of `truemed payments create` has it, also if it is repeated with the same "
                "--idempotency-key"
            )
        return await _ask_emulator(client, context.target, "payment_sessions", session.id)

    return await print_links(context, "payment_sessions", selection, find)


async def link_sessions(
    ids: Annotated[list[str] | None, Parameter(negative="")] = None,
    /,
    *,
    from_stdin: Annotated[bool, Parameter(name="-", negative="", show_default=False)] = False,
    qualification_id: Text = None,
    source: RequiredText = "link",
    context: Annotated[Context, CONTEXT],
) -> int:
    """Print the link to the survey for the customer of each session, one a line, in the given order.

    With --qualification-id it is the link to your survey, with the user id and the SKUs of the session: opening it begins
    a new session. Without, it is the page of the pending session itself, which only an emulator has: Truemed's responses
    have no link.

    If there is no link for one of them, the others are still printed; the exit code is then 1.

    Args:
        ids: Ids of qualification sessions.
        from_stdin: Read ids from standard input, one a line. A line may also be a JSON object as list and export write it.
        qualification_id: The id of your survey, tm_qual_…, from Truemed.
        source: The source of the link, which Truemed returns on the new session.
    """
    selection = choose_ids(context.streams, ids, "qualification_session_id", from_stdin=from_stdin)
    if qualification_id is not None:
        truemed_async.qualification_link(qualification_id, source=source)  # refuses them before any request
    else:
        refuse_embedded_emulator(context.target)
        if dashboard_of(context.target) is not None:
            raise InvalidArgumentError(
                "pass --qualification-id tm_qual_…, the id of your survey: Truemed's responses have no link"
            )

    async def find(client: AsyncTruemed, session: QualificationSession) -> str:
        if qualification_id is not None:
            return survey_link(context.target, session, qualification_id, source)
        if session.status != "pending":
            raise NoLinkError(
                f"it is {session.status}: no page waits for its customer; --qualification-id links to a new survey"
            )
        return await _ask_emulator(client, context.target, "qualification_sessions", session.qualification_session_id)

    return await print_links(context, "qualification_sessions", selection, find)


async def print_links(context: Context, resource: str, selection: ChosenIds, find: FindLink) -> int:
    """Print the link of each object, or its error; return the exit code."""
    errors: list[TruemedError] = []
    async with context.target.connect() as client:
        labels = iter(selection.labels)
        async with getattr(client, resource).get_many(selection.ids, ordered=True) as outcomes:
            async for outcome in outcomes:
                label = next(labels)
                try:
                    context.streams.print_data(await find(client, outcome.unwrap()))
                except (CallError, NoLinkError, InvalidArgumentError) as error:
                    errors.append(error)
                    report_failed_id(context.streams, outcome.id, label, error)
    explain_errors(context.streams, context.target, errors)
    return max(selection.exit_code, min(map(exit_code_of, errors), default=0))


def survey_link(target: Target, session: QualificationSession, qualification_id: str, source: str) -> str:
    """Return the link to the survey of the target's server, with the user id and the SKUs of a session."""
    skus = [sku.strip() for sku in (session.skus_param or "").split(",")]
    # An embedded emulator has no address: its links are those of production.
    server = None if target.settings.is_emulator else server_url(target)
    return truemed_async.qualification_link(
        qualification_id,
        source=source,
        user_id=session.user_id or None,
        skus=[sku for sku in skus if sku],
        base_url=dashboard_of(target) or server,
    )


async def _ask_emulator(client: AsyncTruemed, target: Target, resource: str, id: str) -> str:
    link = await EmulatorControl(client=client, target=target).find_link(resource, id)
    if link is None:
        raise NoLinkError("no page waits for its customer any more")
    return link
