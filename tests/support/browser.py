"""A browser as far as tests need one: it reads pages, sends their forms, and looks at each page for what no page may do."""

from __future__ import annotations

import http.client
import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import attrs

if TYPE_CHECKING:
    from truemed_async.emulator import Emulator

MAX_PAGE_BYTES = 50_000
FORM = "application/x-www-form-urlencoded"
VOID = {"meta", "link", "input"}
OF_THE_BROWSER = {"src", "action", "data", "poster", "background", "formaction", "srcset"}


class Page(HTMLParser):
    """What a page holds; an element that is not closed, or an attribute that runs code, is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: dict[str, str] = {}
        self.scripts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        assert len(named) == len(attributes), (tag, attributes)
        assert not [name for name in named if name.startswith("on")], (tag, attributes)
        self.tags.append((tag, named))
        if tag == "script":
            self.scripts.append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open[-1:] == ["script"]:
            self.scripts[-1] += data
        for tag in self._open:
            self.words[tag] = self.words.get(tag, "") + data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def heading(self):
        return self.words.get("h1", "").strip()

    @property
    def text(self):
        return self.words["main"] if "main" in self.words else " ".join(self.words.values())

    @property
    def links(self):
        return [attributes["href"] for attributes in self.all("a")]

    @property
    def alert(self):
        return any(attributes.get("role") == "alert" for _, attributes in self.tags)

    def choices(self, name):
        return [attributes["value"] for attributes in self.all("input") if attributes.get("name") == name]

    @property
    def chosen(self):
        """The values of the unchanged form."""
        inputs = [
            attributes
            for attributes in self.all("input")
            if attributes.get("type") != "radio" or "checked" in attributes
        ]
        return {attributes["name"]: attributes.get("value") for attributes in inputs if "name" in attributes}


@attrs.frozen
class PageResponse:
    status: int
    headers: http.client.HTTPMessage
    text: str

    @property
    def page(self) -> Page:
        return Page(self.text)

    @property
    def onward(self) -> str | None:
        return self.headers["Location"]


@attrs.define
class Shopper:
    """Looks at pages of one emulator, without a key, as browsers do."""

    emulator: Emulator

    def send(self, method, address, content=None, headers=None, *, max_bytes=MAX_PAGE_BYTES) -> PageResponse:
        path = address.removeprefix(self.emulator.url)
        connection = http.client.HTTPConnection("127.0.0.1", self.emulator.port, timeout=10)
        try:
            connection.request(method, path, content, headers or {})
            response = connection.getresponse()
            seen = PageResponse(response.status, response.headers, response.read().decode())
        finally:
            connection.close()
        if seen.text and seen.headers["Content-Type"].startswith("text/html"):
            self.examine(seen, max_bytes)
        return seen

    def send_large(self, address) -> PageResponse:
        """Read a page that was asked to be larger than it is by default."""
        return self.send("GET", address, max_bytes=20 * MAX_PAGE_BYTES)

    def get(self, address, **headers) -> PageResponse:
        return self.send("GET", address, headers={name.replace("_", "-"): value for name, value in headers.items()})

    def post(self, address, form=None, **headers) -> PageResponse:
        """Send a form as a page of the emulator sends it."""
        all_headers = {"Content-Type": FORM, "Origin": self.emulator.url, **headers}
        return self.send(
            "POST", address, urlencode(form or {}), {name: value for name, value in all_headers.items() if value}
        )

    def submit(self, address, **changes) -> PageResponse:
        """Read a page, and send the form on it, with these changes."""
        form_page = self.get(address)
        assert form_page.status == 200, form_page
        page = form_page.page
        form = page.chosen | changes
        return self.post(
            page.all("form")[0]["action"], {name: value for name, value in form.items() if value is not None}
        )

    def examine(self, seen, max_bytes=MAX_PAGE_BYTES):
        """Under 50 kB, nothing from elsewhere, and no script but its own."""
        assert len(seen.text.encode()) < max_bytes, f"{len(seen.text.encode())} bytes"
        assert seen.headers["Content-Type"] == "text/html; charset=utf-8"
        page = seen.page
        for tag, attributes in page.tags:
            for name in OF_THE_BROWSER & attributes.keys():
                assert re.match(r"/(?!/)", attributes[name]), (tag, attributes)
            assert "style" not in attributes
            if tag == "a":
                assert re.match(r"#|/(?!/)|https?://", attributes["href"]), attributes
            if tag == "link":
                assert attributes["href"] in ("/_emulator/style.css", "/_emulator/inspector.css", "data:,")
        if seen.headers["Content-Security-Policy"] is None:
            return  # the part of a page that changes
        policy = dict(rule.split(" ", 1) for rule in seen.headers["Content-Security-Policy"].split("; "))
        assert policy["default-src"] == policy["base-uri"] == "'none'"
        nonce = policy["script-src"].removeprefix("'nonce-").removesuffix("'")
        assert len(nonce) > 20
        assert [attributes for attributes in page.all("script") if attributes != {"nonce": nonce}] == []
        assert seen.headers["X-Content-Type-Options"] == "nosniff"
        assert seen.headers["Cache-Control"] == "no-store"
        assert seen.headers["Referrer-Policy"] == "same-origin"

    def framing(self, seen):
        return re.search(r"frame-ancestors ([^;]*)", seen.headers["Content-Security-Policy"])[1]
