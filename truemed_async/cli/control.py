"""The emulator's own paths, for commands that Truemed's API cannot serve, and how these refuse another server."""

from __future__ import annotations

from contextlib import suppress
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, Literal

import attrs

import truemed_async
from truemed_async.cli.failures import describe_server
from truemed_async.errors import CallError, ConfigurationError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping, Sequence

    from yarl import URL

    from truemed_async import AsyncTruemed, Endpoint, Response
    from truemed_async._sensitive import Sensitive
    from truemed_async.cli.connection import Target

DASHBOARD_WEBHOOKS: Final = "/developers/webhooks/manage"
"""Where Truemed's dashboard has the webhooks. Source: docs/truemed-api.md, section 7 (N7)."""
DASHBOARD_API_KEYS: Final = "/developers/api-keys"
"""Where the dashboard of the sandbox has the keys. Source: docs/truemed-api.md, section 1.1."""

_LEAVE_SECONDS: Final = 2.0  # how long the end of a command may wait for an emulator that may have ended before it


def server_url(target: Target) -> URL:
    """Return the URL of the server; raises ConfigurationError if it is none."""
    from truemed_async._validation.urls import validate_base_url  # noqa: PLC0415  # not for --help

    return validate_base_url(target.url)


def dashboard_of(target: Target) -> str | None:
    """Return the URL of Truemed's dashboard for the server, or ``None`` for a server that is not Truemed's."""
    from truemed_async._validation.configuration import HOSTS  # noqa: PLC0415  # not for --help
    from truemed_async.links import PAGE_HOSTS  # noqa: PLC0415  # not for --help

    host = server_url(target).host or ""
    for environment, url in HOSTS.items():
        if host == url.removeprefix("https://"):
            return PAGE_HOSTS[environment]
    # An unknown host of Truemed's is no emulator, either.
    return PAGE_HOSTS["production"] if host == "truemed.com" or host.endswith(".truemed.com") else None


def refuse_embedded_emulator(target: Target) -> None:
    """Refuse the emulator inside this command, where the command is of no use because the emulator ends with it."""
    if target.settings.is_emulator:
        raise ConfigurationError(
            "the emulator of --env emulator ends with this command: start `truemed emulator` in another terminal, and "
            "set the variables that it prints"
        )


def require_emulator(target: Target, instead: str) -> None:
    """Refuse a server that cannot be an emulator that goes on after the command, before anything is sent.

    Args:
        target: The server.
        instead: What to do with Truemed's own server; ``{dashboard}`` stands for the URL of its dashboard.

    Raises:
        ConfigurationError: It is Truemed's server, or the emulator inside this command.
    """
    refuse_embedded_emulator(target)
    dashboard = dashboard_of(target)
    if dashboard is not None:
        raise ConfigurationError(
            f"{describe_server(target)} is no emulator: {instead.format(dashboard=dashboard)}. For the emulator start "
            "`truemed emulator`, and set the variables that it prints"
        )


@attrs.frozen(kw_only=True)
class EmulatorControl:
    """Calls the emulator's own paths, ``/_emulator/…``, by way of a client for it."""

    client: AsyncTruemed
    target: Target

    async def register_webhook(
        self, url: str, secret: Sensitive[str], *, mode: str, events: Sequence[str] | None
    ) -> str:
        """Register a webhook, and return its id."""
        endpoint = _endpoint("POST", "register_webhook", "/_emulator/webhooks")
        body: dict[str, Any] = {"url": url, "mode": mode} | ({} if events is None else {"events": [*events]})
        registered = await self._value_of(self.client.send(endpoint, body={**body, "secret": secret.value}))
        id: str = registered["id"]
        return id

    async def list_webhooks(self, *, retry: bool = True) -> list[Mapping[str, Any]]:
        """Return the webhooks that are registered; without ``retry`` the first failure is raised."""
        options = None if retry else truemed_async.RequestOptions(retry=truemed_async.RetryPolicy(max_attempts=1))
        endpoint = _endpoint("GET", "list_webhooks", "/_emulator/webhooks")
        response = await self._value_of(self.client.send(endpoint, options=options))
        webhooks: list[Mapping[str, Any]] = response["webhooks"]
        return webhooks

    async def unregister_webhook(self, id: str) -> None:
        """Remove a webhook. It is gone as well if the emulator has ended, or was reset."""
        options = truemed_async.RequestOptions(
            timeout=truemed_async.Timeouts(total=_LEAVE_SECONDS), retry=truemed_async.RetryPolicy(max_attempts=1)
        )
        endpoint = truemed_async.Endpoint(
            "emulator.unregister_webhook", "POST", "/_emulator/webhooks/{id}/unregister", NoneType
        )
        with suppress(CallError):
            await self.client.send(endpoint, path={"id": id}, options=options)

    async def list_requests(self, *, after: int | None, limit: int) -> tuple[list[Mapping[str, Any]], int]:
        """Return requests that were answered after a position, and the position of the last one.

        Without ``after`` they are the newest. The position is smaller than ``after`` if the emulator began anew.
        """
        endpoint = _endpoint("GET", "list_requests", "/_emulator/requests")
        response = await self._value_of(self.client.send(endpoint, query={"after": after, "limit": limit}))
        return response["requests"], response["last"]

    async def find_link(self, resource: str, id: str) -> str | None:
        """Return the page that the customer of an object opens, or ``None`` if none waits for one."""
        endpoint = _endpoint("GET", "get_link", "/_emulator/links/{resource}/{id}")
        found = await self._value_of(self.client.send(endpoint, path={"resource": resource, "id": id}))
        link: str | None = found["url"]
        return link

    async def _value_of(self, response: Awaitable[Response[dict[str, Any]]]) -> dict[str, Any]:
        """Return the JSON of a response. The request is no argument: its body may have a secret."""
        try:
            return (await response).value
        except NotFoundError:
            pass  # raised outside of the block: the response would only confuse
        raise ConfigurationError(f"{describe_server(self.target)} is no emulator, or one of an older version")


def _endpoint(method: Literal["GET", "POST"], name: str, path: str) -> Endpoint[dict[str, Any]]:
    return truemed_async.Endpoint(f"emulator.{name}", method, path, dict)
