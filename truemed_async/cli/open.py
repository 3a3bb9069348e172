"""``truemed open``: a page of the emulator or of Truemed's dashboard, in the browser."""

from __future__ import annotations

import webbrowser
from typing import Annotated, Literal, TypeAlias

from cyclopts import App, Parameter

from truemed_async.cli.connection import Context, Target
from truemed_async.cli.control import (
    DASHBOARD_API_KEYS,
    DASHBOARD_WEBHOOKS,
    dashboard_of,
    require_emulator,
    server_url,
)
from truemed_async.cli.failures import describe_server
from truemed_async.cli.options import CONTEXT, FLAG, LITERAL
from truemed_async.cli.output import EXIT_FAILURE
from truemed_async.errors import ConfigurationError
from truemed_async.links import PAGE_HOSTS

PageName: TypeAlias = Literal["inspector", "dashboard", "webhooks", "api-keys"]


def make_app() -> App:
    """Return ``truemed open``."""
    app = App(name="open")
    app.default(open_page)
    return app


def open_page(
    page: Annotated[PageName | None, LITERAL] = None,
    /,
    *,
    print_url: Annotated[bool, FLAG, Parameter(name="--print")] = False,
    context: Annotated[Context, CONTEXT],
) -> int:
    """Open a page of the server in the browser: the emulator's inspector, or Truemed's dashboard.

    In a pipe the URL is printed. No request is sent, and no key is needed.

    Args:
        page: inspector; or of Truemed's dashboard: dashboard, its first page; webhooks; or api-keys, which is known of \
the sandbox alone. Default: inspector for an emulator, dashboard for Truemed's servers.
        print_url: Print the URL, and open nothing.
    """
    streams = context.streams
    url = find_page(context.target, page)
    if print_url or not streams.is_terminal:
        streams.print_data(url)
        return 0
    streams.print_message(f"opening {url}")
    if webbrowser.open(url):
        return 0
    streams.print_message("error: there is no browser")
    return EXIT_FAILURE


def find_page(target: Target, page: PageName | None) -> str:
    """Return the URL of a page.

    Raises:
        ConfigurationError: The server has no such page, or none that is known. Source: docs/truemed-api.md, sections 1.1
            and 7 (N7).
    """
    dashboard = dashboard_of(target)
    if page == "inspector" or (page is None and dashboard is None):
        require_emulator(target, "`truemed open dashboard` opens {dashboard}")
        return f"{str(server_url(target)).rstrip('/')}/"
    if dashboard is None:
        raise ConfigurationError(
            f"{describe_server(target)} has no dashboard: `truemed open inspector` opens the pages of an emulator, and "
            "--env production or sandbox names Truemed's servers"
        )
    if page == "api-keys" and dashboard != PAGE_HOSTS["sandbox"]:
        raise ConfigurationError(f"where {dashboard} has its API keys is not known: begin at `truemed open dashboard`")
    paths = {"webhooks": DASHBOARD_WEBHOOKS, "api-keys": DASHBOARD_API_KEYS}
    return dashboard + paths.get(page or "", "/")
