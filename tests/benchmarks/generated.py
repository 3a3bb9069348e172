"""A client as openapi-python-client writes it from an OpenAPI document of the same two endpoints."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from tests.benchmarks import suite

NAME = "generated_client"
WHERE = "BENCH_GENERATED"
TEXT, MOMENT, NUMBER = (
    {"type": ["string", "null"]},
    {"type": ["string", "null"], "format": "date-time"},
    {"type": ["number", "null"], "format": "double"},
)
SESSION = {
    "qualification_session_id": {"type": "string"},
    "status": {"type": "string", "enum": ["pending", "processing", "approved", "rejected"]},
    **dict.fromkeys(("charge_group_created_at", "created_at", "expires_at"), MOMENT),
    **dict.fromkeys(("lmn_reviewed_at", "stripe_invoice_paid_at"), MOMENT),
    **dict.fromkeys(("eligible_amount", "fee"), NUMBER),
    **dict.fromkeys(("customer_status", "email", "session_type", "skus_param", "source"), TEXT),
    **dict.fromkeys(("stripe_invoice_id", "stripe_invoice_number"), TEXT),
    **dict.fromkeys(("user_business_id", "user_id", "user_name"), TEXT),
}


def _object(members: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": sorted(members), "properties": members}


def _operation(name: str, parameters: list[dict[str, Any]], response: str) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{response}"}}}
    responses = {"200": {"description": "OK", "content": content}}
    return {"get": {"operationId": name, "tags": ["sessions"], "parameters": parameters, "responses": responses}}


def document() -> dict[str, Any]:
    numbers = {key: {"type": "integer"} for key in ("count", "current_page", "last_page", "page_size")}
    rows = {"type": "array", "items": {"$ref": "#/components/schemas/Session"}}
    page = {"qualification_sessions": rows, "pagination": {"$ref": "#/components/schemas/Pagination"}}
    id = {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}
    query = [{"name": each, "in": "query", "schema": {"type": "integer"}} for each in ("page", "page_size")]
    return {
        "openapi": "3.1.0",
        "info": {"title": NAME, "version": "1"},
        "paths": {
            "/api/v1/qualification_session/{id}": _operation("get_session", [id], "Session"),
            "/api/v1/qualification_sessions": _operation("list_sessions", query, "Page"),
        },
        "components": {"schemas": {"Session": _object(SESSION), "Pagination": _object(numbers), "Page": _object(page)}},
    }


class Generated:
    """The calls of the generated client."""

    def __init__(self) -> None:
        self._client = importlib.import_module(f"{NAME}.client")
        self._get = importlib.import_module(f"{NAME}.api.sessions.get_session")
        self._list = importlib.import_module(f"{NAME}.api.sessions.list_sessions")

    def _make_client(self, url: str) -> Any:
        return self._client.Client(base_url=url, headers={"x-truemed-api-key": suite.KEY})

    def asynchronous(self, url: str, id: str) -> Callable[..., Any]:
        async def make(inside: contextlib.AsyncExitStack) -> Any:
            client = await inside.enter_async_context(self._make_client(url))
            return (
                lambda: self._get.asyncio(id, client=client),
                lambda: self._list.asyncio(client=client, page=1, page_size=100),
            )

        return make

    def synchronous(self, url: str, id: str, stack: contextlib.ExitStack) -> Callable[[], Any]:
        client = stack.enter_context(self._make_client(url))
        return lambda: self._get.sync(id, client=client)


@cache
def load() -> Generated | None:
    """Import the client that was generated for this run; ``None`` where the generator is not installed."""
    folder = os.environ.get(WHERE)
    if folder is None:
        return None
    sys.path.insert(0, folder)
    return Generated()


@contextlib.contextmanager
def written() -> Iterator[None]:
    """Generate the client for this process and those that it starts."""
    if not suite.find_installed("openapi_python_client"):
        yield
        return
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "openapi.json").write_text(json.dumps(document()), encoding="utf-8")
        Path(folder, "config.yml").write_text("post_hooks: []\n", encoding="utf-8")
        subprocess.run(
            [sys.executable, "-m", "openapi_python_client", "generate", "--path", "openapi.json", "--config",
             "config.yml", "--meta", "none", "--output-path", NAME],
            cwd=folder, capture_output=True, timeout=120, check=True,
        )  # fmt: skip
        os.environ[WHERE] = folder
        yield
