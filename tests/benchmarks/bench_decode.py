"""A page of 500 sessions, from bytes to typed objects. The base is ``orjson.loads`` to dicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson

from tests.benchmarks import server, suite
from truemed_async._core.response import RawResponse, read_response
from truemed_async.endpoints import LIST_QUALIFICATION_SESSIONS

GROUP = "decode"
PROCESSES, ROUNDS = 7, 9
PAGES = 20
BODY = server.page(1, 500, 10_000)


class Status(StrEnum):
    PENDING = "pending"
    PROCESSING = "processing"
    APPROVED = "approved"
    REJECTED = "rejected"


FIELDS: dict[str, Any] = {
    "qualification_session_id": str,
    "status": Status,
    "charge_group_created_at": datetime | None,
    "created_at": datetime | None,
    "customer_status": str | None,
    "eligible_amount": float | None,
    "email": str | None,
    "expires_at": datetime | None,
    "fee": float | None,
    "lmn_reviewed_at": datetime | None,
    "session_type": str | None,
    "skus_param": str | None,
    "source": str | None,
    "stripe_invoice_id": str | None,
    "stripe_invoice_number": str | None,
    "stripe_invoice_paid_at": datetime | None,
    "user_business_id": str | None,
    "user_id": str | None,
    "user_name": str | None,
}


def with_pydantic() -> Callable[[bytes], Any]:
    import pydantic

    session = pydantic.create_model("Session", **{name: (kind, ...) for name, kind in FIELDS.items()})
    pagination = pydantic.create_model(
        "Pagination", **dict.fromkeys(("count", "current_page", "last_page", "page_size"), (int, ...))
    )
    page = pydantic.create_model("Page", qualification_sessions=(list[session], ...), pagination=(pagination, ...))
    return page.model_validate_json


def with_mashumaro() -> Callable[[bytes], Any]:
    from mashumaro.mixins.orjson import DataClassORJSONMixin

    session = dataclass(type("Session", (DataClassORJSONMixin,), {"__annotations__": FIELDS}))
    names = ("count", "current_page", "last_page", "page_size")
    pagination = dataclass(type("Pagination", (DataClassORJSONMixin,), {"__annotations__": dict.fromkeys(names, int)}))
    members = {"qualification_sessions": list[session], "pagination": pagination}
    return dataclass(type("Page", (DataClassORJSONMixin,), {"__annotations__": members})).from_json


def ours(body: bytes) -> Any:
    """As a call does it: refusing what is wrong, keeping what is unknown."""
    return read_response(RawResponse(200, {}, body), LIST_QUALIFICATION_SESSIONS, 0.0)


def measure(rounds: int) -> list[suite.Figure]:
    decoders: dict[str, Callable[[bytes], Any]] = {"orjson.loads": orjson.loads, "truemed-async": ours}
    makers = {"pydantic": with_pydantic, "mashumaro": with_mashumaro}
    decoders |= {name: makers[name]() for name in suite.find_installed(*makers)}
    sessions = ours(BODY).items
    assert len(sessions) == 500
    assert sessions[1].created_at is not None

    def repeated(decode: Callable[[bytes], Any]) -> Callable[[], int]:
        def work() -> int:
            for _ in range(PAGES):
                decode(BODY)
            return PAGES

        return work

    times = suite.time_in_turns({name: repeated(decode) for name, decode in decoders.items()}, rounds)
    suite.show(times, 1e3, "ms")
    targets = {"orjson.loads": 2.1, "pydantic": 1.0, "mashumaro": 1.0}
    return [
        suite.ratio(times, "truemed-async", peer, group=GROUP, what=f"page of 500, typed / {peer}", target=target)
        for peer, target in targets.items()
        if peer in times
    ]
