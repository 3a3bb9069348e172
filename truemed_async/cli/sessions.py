"""``truemed sessions``: qualification sessions."""

from typing import Annotated

import attrs
from cyclopts import App, Parameter

from truemed_async.cli.connection import Context
from truemed_async.cli.options import CONTEXT, LITERAL, Flag, SessionStatus, Text, or_unset, parse_return_url
from truemed_async.cli.resources import Filters, ResourceCommands
from truemed_async.cli.rows import ROW_OUTPUT, RowOutput


@Parameter(name="*")
@attrs.frozen(kw_only=True)
class SessionFilters(Filters):
    """Filters of sessions.

    Attributes:
        status: Only sessions of this status: pending, processing, approved or rejected.
        user_id: Only sessions of this user.
        search: Text to find in user name, e-mail, user_business_id, utm and external_user_id.
        expires_at: Only sessions whose Letter of Medical Necessity expires on this day, YYYY-MM-DD, in UTC.
    """

    status: Annotated[SessionStatus | None, LITERAL] = None
    user_id: Text = None
    search: Text = None
    expires_at: Text = None


RESOURCE = ResourceCommands(
    resource="qualification_sessions",
    model="QualificationSession",
    has_letters=True,
    noun="session",
    id="qualification_session_id",
    ids="Ids of qualification sessions",
    columns=("id", "status", "created_at", "expires_at", "user_id", "email"),
    filters=SessionFilters,
)


def make_app() -> App:
    """Return ``truemed sessions``."""
    app = App(name="sessions", help="Qualification sessions: whether shoppers have a Letter of Medical Necessity.")
    RESOURCE.add_to(app)
    app.command("truemed_async.cli.link:link_sessions", name="link")
    app.command(update_session, name="update")
    app.command("truemed_async.cli.letters:find_valid", name="find-valid")
    app.command("truemed_async.cli.letters:list_expiring", name="expiring")
    app.command("truemed_async.cli.mirror:mirror_sessions", name="mirror")
    app.command("truemed_async.cli.attach:attach_accounts", name="attach")
    return app


async def update_session(
    id: str,
    /,
    *,
    user_id: Text = None,
    metadata: Text = None,
    success_url: Text = None,
    failure_url: Text = None,
    deep_links: Flag = False,
    if_unset: Flag = False,
    idempotency_key: Text = None,
    output: RowOutput = ROW_OUTPUT,
    context: Annotated[Context, CONTEXT],
) -> None:
    """Update your own fields of a session; fields without an option stay as they are, and none can be cleared.

    Args:
        id: The id of the qualification session.
        user_id: Your identifier of the user; it can be set only while the session has none.
        metadata: Your data: JSON text, such as an object.
        success_url: Where the customer returns; https, or http on localhost.
        failure_url: Where a customer returns who does not qualify.
        deep_links: Accept links into an app, such as myapp://done, in --success-url and --failure-url.
        if_unset: Succeed if the session has this --user-id already, which is then the only option; another one is an error.
        idempotency_key: Repeating the same update with the same key applies it once. Default: a new key, which is shown.
    """
    from truemed_async.cli.mutations import prepare_response  # noqa: PLC0415  # not for the other commands

    target = prepare_response(context, output, "QualificationSessionUpdate")
    async with context.target.connect() as client:
        update = await client.qualification_sessions.update(
            id,
            user_id=or_unset(user_id),
            metadata=or_unset(metadata),
            success_url=parse_return_url("--success-url", success_url, deep_links=deep_links),
            failure_url=parse_return_url("--failure-url", failure_url, deep_links=deep_links),
            if_unset=if_unset,
            idempotency_key=idempotency_key,
        )
    target.write_object(update)
