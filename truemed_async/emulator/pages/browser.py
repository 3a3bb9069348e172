"""What pages of all kinds do with the request of a browser."""

from collections.abc import Mapping
from importlib.util import find_spec
from urllib.parse import parse_qsl

from truemed_async.emulator.call import Problem, invalid


def no_jinja() -> None:
    """Raise the `Problem` of an installation without what makes HTML."""
    if find_spec("jinja2") is None:
        raise Problem(501, "NotImplemented", "the pages need Jinja: pip install 'truemed-async[emulator]'")


def form_of(headers: Mapping[str, str], body: bytes) -> dict[str, str]:
    """Return the fields of a form; one that the page of somebody else sent in the name of its visitor is refused."""
    origin, host = headers.get("Origin"), headers.get("Host")
    if origin not in (None, f"http://{host}", f"https://{host}"):
        raise Problem(403, "Forbidden", "forms are taken from the emulator's own pages alone")
    if not headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        raise invalid("a form is application/x-www-form-urlencoded")
    return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
