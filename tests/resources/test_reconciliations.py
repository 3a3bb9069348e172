"""Reconciliations: the requests that are made, and the answers that are returned."""

from __future__ import annotations

import warnings
from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import pytest

from truemed_async import RequestOptions
from truemed_async.errors import DecodeError, InvalidArgumentError, PaginationDriftError, ServerError
from truemed_async.models import Payout, ReconciliationCheck

OCTOBER: dict[str, Any] = {"start_date": "2026-10-01", "end_date": "2026-10-31"}
METHODS = ("list_payouts", "iter_payouts", "list_transactions", "iter_transactions", "reconcile")


def page_of(request: Any, rows: list[dict[str, Any]], key: str) -> dict[str, Any]:
    page, size = int(request.query["page"]), int(request.query["page_size"])
    pagination = {"count": len(rows), "current_page": page, "last_page": -(-len(rows) // size), "page_size": size}
    return {key: rows[(page - 1) * size : page * size], "pagination": pagination}


class Books:
    """Truemed's side: payouts by their arrival, transactions by their day, each as the filters want them."""

    def __init__(self, payouts: list[tuple[str, str, int]], transactions: list[tuple[str, str | None, int]]) -> None:
        self.payouts = [{"payout_id": id, "arrival_date": day, "amount": amount} for day, id, amount in payouts]
        self.transactions = [
            {
                "id": f"txn_{number}",
                "type": "charge",
                "created_at": f"{day}T12:00:00Z",
                "payout_id": id,
                "amount": amount,
            }
            for number, (day, id, amount) in enumerate(transactions)
        ]

    def __call__(self, request: Any) -> dict[str, Any]:
        first, last = request.query["start_date"], request.query["end_date"]
        if request.path.endswith("/payouts"):
            return page_of(request, [row for row in self.payouts if first <= row["arrival_date"] <= last], "payouts")
        ids = request.query["payout_ids"].split(",") if "payout_ids" in request.query else None
        rows = [
            row
            for row in self.transactions
            if first <= row["created_at"][:10] <= last and (ids is None or row["payout_id"] in ids)
        ]
        return page_of(request, rows, "transactions")


# --- one page -----------------------------------------------------------------------------------------------------


PACIFIC = timezone(timedelta(hours=-8))


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (date(2026, 10, 1), "2026-10-01"),
        ("2026-10-01", "2026-10-01"),
        (datetime(2026, 10, 1, 23, 59), "2026-10-01"),  # noqa: DTZ001 - naive on purpose: it is UTC
        (datetime(2026, 10, 1, 23, 59, tzinfo=UTC), "2026-10-01"),
        (datetime(2026, 9, 30, 16, 0, tzinfo=PACIFIC), "2026-10-01"),
    ],
)
async def test_day_is_a_day_in_utc(client, server, value, sent):
    server.respond({"payouts": [], "pagination": None})
    await client.reconciliations.list_payouts(start_date=value, end_date=value)
    assert server.only.query == {"start_date": sent, "end_date": sent}


BAD: list[tuple[dict[str, Any], str]] = [
    ({"start_date": "2026-10"}, "start_date must be"),
    ({"end_date": None}, "end_date must be|pass either month, or start_date and end_date"),
    ({"start_date": "2026-11-01"}, "end_date must not be before start_date"),
    ({"payout_ids": []}, "payout_ids must not be empty"),
    ({"payout_ids": "po_1"}, "payout_ids must be a collection"),
    ({"payout_ids": ["po_1,po_2"]}, r"payout_ids\[0\] must be 1 to 128"),
    ({"payout_ids": ["po_1", 7]}, r"payout_ids\[1\] must be a string"),
    ({"include_pending_payouts": "false"}, "include_pending_payouts must be True or False"),
    ({"include_pending_payouts": 0}, "include_pending_payouts must be True or False"),
    ({"page": 0}, "page must be"),
    ({"page_size": 0}, "page_size must be"),
    ({"prefetch": 0}, "prefetch must be"),
    ({"concurrency": 0}, "concurrency must be"),
    ({"look_back": timedelta(-1)}, "look_back must be"),
    ({"look_back": 31}, "look_back must be"),
]


@pytest.mark.parametrize(("value", "message"), BAD, ids=range(len(BAD)))
async def test_bad_argument_is_rejected_at_once(client, server, value, message):
    tried = 0
    for name in METHODS:
        method = getattr(client.reconciliations, name)
        if not value.keys() <= method.__annotations__.keys():
            continue
        tried += 1
        with pytest.raises(InvalidArgumentError, match=message):
            found = method(**{**OCTOBER, **value})
            await found
    assert tried
    assert server.requests == []


@pytest.mark.parametrize("name", METHODS)
async def test_missing_end_date_is_rejected(client, name):
    with pytest.raises(InvalidArgumentError if name == "reconcile" else TypeError):
        getattr(client.reconciliations, name)(start_date="2026-10-01")


async def test_response_under_another_name_is_not_an_empty_list(client, server):
    """The key ``payouts`` is assumed: a wrong one must not read as an empty month."""
    server.respond({"payout_rows": [], "pagination": None})
    with pytest.raises(DecodeError) as caught:
        await client.reconciliations.list_payouts(**OCTOBER)
    assert caught.value.path == "payouts"


# --- whole lists --------------------------------------------------------------------------------------------------


async def test_iter_payouts_gives_every_payout_once(client, server):
    books = Books([(f"2026-10-{day:02}", f"po_{day}", day) for day in range(1, 32)], [])
    server.respond(books)
    found = [each async for each in client.reconciliations.iter_payouts(**OCTOBER, page_size=10)]
    assert found == [Payout(payout_id=row["payout_id"], extra={k: row[k] for k in ("arrival_date", "amount")}) for row in books.payouts]  # fmt: skip
    assert all(request.query.items() >= OCTOBER.items() for request in server.requests)


async def test_iter_transactions_gives_every_transaction_once(client, server):
    books = Books([], [("2026-10-07", "po_1", number) for number in range(95)])
    server.respond(books)
    stream = client.reconciliations.iter_transactions(
        **OCTOBER, payout_ids={"po_1"}, include_pending_payouts=False, page_size=20, prefetch=2
    )
    assert [each.amount async for each in stream] == list(range(95))
    assert all(request.query["payout_ids"] == "po_1" for request in server.requests)
    assert all(request.query["include_pending_payouts"] == "false" for request in server.requests)


def without_ids(amounts: list[int]) -> Any:
    rows = [{"type": "charge", "payout_id": None, "amount": amount} for amount in amounts]
    return lambda request: page_of(request, rows, "transactions")


@pytest.mark.parametrize("rows", [0, 1, 9, 10, 35])
async def test_rows_without_id_are_identified_by_all_values(client, server, rows):
    server.respond(without_ids(list(range(rows))))
    found = [each.amount async for each in client.reconciliations.iter_transactions(**OCTOBER, page_size=10)]
    assert found == list(range(rows))


@pytest.mark.parametrize("amounts", [[7, 7], [*range(9), 0], [*range(30), 0], [0, *range(40)]])
async def test_rows_without_an_id_that_are_alike_are_an_error_and_not_a_loss(client, server, amounts):
    """Two charge rows of one checkout are both real money."""
    server.respond(without_ids(amounts))
    message = (
        f"the server counts {len(amounts)}: some may be equal|change places between responses: some may be missing"
    )
    with pytest.raises(PaginationDriftError, match=message):
        [each async for each in client.reconciliations.iter_transactions(**OCTOBER, page_size=10)]


async def test_rows_without_an_id_need_a_total_to_be_held_to(client, server):
    server.respond(
        lambda request: {"transactions": [{"type": "charge"}] * (request.query["page"] == "1"), "pagination": None}
    )
    with pytest.raises(PaginationDriftError, match="the server does not count them"):
        [each async for each in client.reconciliations.iter_transactions(**OCTOBER, page_size=10)]


async def test_iterations_and_reconcile_pass_their_options(client, server):
    options = RequestOptions(headers={"X-Trace": "t-1"})
    server.respond(Books([], []))
    days = {"start_date": "2026-10-01", "end_date": "2026-10-01"}
    for name in ("iter_payouts", "iter_transactions", "reconcile"):
        assert [each async for each in getattr(client.reconciliations, name)(**days, options=options)] == []
    assert len(server.requests) == 4
    assert {request.headers["x-trace"] for request in server.requests} == {"t-1"}


# --- joined -------------------------------------------------------------------------------------------------------


async def test_reconcile_joins_every_transaction_with_its_payout(client, server):
    server.respond(
        Books(
            [("2026-10-02", "po_1", 300), ("2026-10-03", "po_2", 50)],
            [
                ("2026-09-30", "po_1", 100),  # before the period, paid in it
                ("2026-09-30", "po_0", 999),  # before the period, and paid before
                ("2026-10-01", "po_1", 200),
                ("2026-10-03", None, 70),  # not paid yet
                ("2026-10-03", "po_3", 30),  # paid later
            ],
        )
    )
    stream = client.reconciliations.reconcile(start_date="2026-10-01", end_date="2026-10-03", look_back=timedelta(3))
    rows = [each async for each in stream]
    assert [(row.listed_on, row.in_period, row.payout_id, row.amount_cents, row.payout_amount_cents) for row in rows] == [
        (date(2026, 9, 30), False, "po_1", 100, 300),
        (date(2026, 10, 1), True, "po_1", 200, 300),
        (date(2026, 10, 3), True, None, 70, None),
        (date(2026, 10, 3), True, "po_3", 30, None),
        (None, True, "po_2", None, 50),
    ]  # fmt: skip
    assert rows[0].payout_listed_on == rows[0].payout_arrival_date == date(2026, 10, 2)
    assert rows[0].extra["id"] == rows[0].transaction_id == "txn_0"
    assert len({row.key for row in rows}) == 5
    report = ReconciliationCheck.of(rows)
    assert [(each.payout_id, each.difference_cents) for each in report.payouts] == [("po_1", 0), ("po_2", 50)]
    assert (report.pending_cents, report.paid_elsewhere_cents) == (70, 30)


async def test_reconcile_requests_each_day_once(client, server):
    server.respond(Books([("2026-10-02", "po_1", 1)], [("2026-10-01", "po_1", 1)]))
    stream = client.reconciliations.reconcile(
        start_date="2026-10-01", end_date="2026-10-03", look_back=timedelta(days=2, hours=5)
    )
    assert len([each async for each in stream]) == 1
    requests = [(each.path.rpartition("/")[2], each.query["start_date"], each.query.get("payout_ids")) for each in server.requests]  # fmt: skip
    assert sorted(requests, key=str) == sorted(
        [
            *(("payouts", f"2026-10-0{day}", None) for day in (1, 2, 3)),
            *(("transactions", f"2026-09-{day}", "po_1") for day in (29, 30)),
            *(("transactions", f"2026-10-0{day}", None) for day in (1, 2, 3)),
        ],
        key=str,
    )
    assert all(each.query["start_date"] == each.query["end_date"] for each in server.requests)


async def test_reconcile_without_payouts_does_not_look_back(client, server):
    server.respond(Books([], [("2026-10-01", None, 5)]))
    stream = client.reconciliations.reconcile(start_date="2026-10-01", end_date="2026-10-01")
    assert [each.amount_cents async for each in stream] == [5]
    assert len(server.requests) == 2


async def test_reconcile_requests_payouts_in_batches(client, server):
    server.respond(Books([("2026-10-01", f"po_{number}", 0) for number in range(120)], []))
    stream = client.reconciliations.reconcile(start_date="2026-10-01", end_date="2026-10-01", look_back=timedelta(1))
    assert len([each async for each in stream]) == 120
    portions = [each.query["payout_ids"].split(",") for each in server.requests if "payout_ids" in each.query]
    assert sorted(map(len, portions)) == [20, 50, 50]
    assert len({id for portion in portions for id in portion}) == 120
    assert max(len(str(each.url)) for each in server.requests) < 2000


async def test_reconcile_gives_a_row_that_two_days_list_once(client, server):
    row = {"id": "txn_1", "type": "charge", "payout_id": None, "amount": 5}

    def respond(request: Any) -> Any:
        return page_of(request, [] if request.path.endswith("/payouts") else [row], request.path.rpartition("/")[2])

    server.respond(respond)
    stream = client.reconciliations.reconcile(start_date="2026-10-01", end_date="2026-10-03")
    assert [(each.transaction_id, each.listed_on) async for each in stream] == [("txn_1", date(2026, 10, 1))]


async def test_reconcile_keeps_rows_without_an_id_that_two_days_list(client, server):
    """They may be alike and both be real; if they are not, the sums say so."""

    def respond(request: Any) -> Any:
        rows = [] if request.path.endswith("/payouts") else [{"type": "charge", "amount": 5}]
        return page_of(request, rows, request.path.rpartition("/")[2])

    server.respond(respond)
    rows = [row async for row in client.reconciliations.reconcile(start_date="2026-10-01", end_date="2026-10-02")]
    assert [(row.listed_on, row.amount_cents) for row in rows] == [(date(2026, 10, 1), 5), (date(2026, 10, 2), 5)]
    assert rows[0].key != rows[1].key


@pytest.mark.parametrize("concurrency", [1, 3, 50])
async def test_reconcile_gives_the_same_however_many_days_are_read_at_once(client, server, concurrency):
    days = [f"2026-10-{day:02}" for day in range(1, 32)]
    server.respond(Books([(day, f"po_{day[-2:]}", 30) for day in days], [(day, f"po_{day[-2:]}", each) for day in days for each in (10, 20)]))  # fmt: skip
    stream = client.reconciliations.reconcile(**OCTOBER, look_back=timedelta(0), concurrency=concurrency)
    rows = [each async for each in stream]
    assert [row.listed_on.isoformat() for row in rows if row.listed_on] == [day for day in days for _ in "ab"]
    assert ReconciliationCheck.of(rows).agrees


@pytest.mark.parametrize(("end", "warned"), [("2026-11-20", 0), ("2026-11-21", 1), ("2026-11-22", 1)])
async def test_unfinished_day_is_warned(client, server, clock, end, warned):
    """By the client's clock it is 2026-11-21, in UTC."""
    assert datetime.fromtimestamp(clock.wall(), UTC).date() == date(2026, 11, 21)
    server.respond(Books([], []))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert [each async for each in client.reconciliations.reconcile(start_date=end, end_date=end)] == []
    assert [str(each.message) for each in caught] == [
        "reconciliation: the last day is not over in UTC: its rows may still change"
    ] * warned
    assert all(each.filename == __file__ for each in caught)


async def test_calendar_has_a_first_day(client, server):
    server.respond(Books([("0001-01-02", "po_1", 1)], []))
    stream = client.reconciliations.reconcile(start_date="0001-01-02", end_date="0001-01-02")
    assert len([each async for each in stream]) == 1
    assert Counter(each.query["start_date"] for each in server.requests) == {"0001-01-02": 2, "0001-01-01": 1}
    first = client.reconciliations.reconcile(start_date="0001-01-01", end_date="0001-01-01")
    assert [each async for each in first] == []


async def test_error_of_one_day_ends_the_reconciliation(client, server):
    def respond(request: Any) -> Any:
        return Books([], [])(request) if request.query["start_date"] < "2026-10-03" else b"not JSON"

    server.respond(respond)
    with pytest.raises(DecodeError):
        [each async for each in client.reconciliations.reconcile(**OCTOBER)]


async def test_temporary_fault_is_retried_successfully(client, server):
    server.respond(b"", 503).respond(Books([], [("2026-10-01", None, 5)]))
    stream = client.reconciliations.reconcile(start_date="2026-10-01", end_date="2026-10-01")
    assert [each.amount_cents async for each in stream] == [5]
    server.responses[:] = [(500, b"", {})]
    with pytest.raises(ServerError):
        await client.reconciliations.list_payouts(**OCTOBER)
