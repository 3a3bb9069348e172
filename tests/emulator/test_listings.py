"""Paging of every listing: docs/truemed-api.md 1.6, and what is our choice."""

from datetime import UTC, date, datetime, timedelta

import pytest

from truemed_async.emulator import ROUTES

T0 = datetime(2026, 5, 1, tzinfo=UTC)
FIELDS = {
    "qualification_sessions": lambda number: {"created_at": T0 + timedelta(hours=number)},
    "payment_sessions": lambda number: {"created_at": T0 + timedelta(hours=number)},
    "payment_tokens": lambda number: {"created_at": T0 + timedelta(hours=number)},
    "catalog_items": lambda number: {"name": "Mat", "created_at": T0 + timedelta(hours=number)},
    "payouts": lambda number: {"amount": 1, "arrival_date": date(2026, 5, 1) + timedelta(days=number)},
    "transactions": lambda number: {"type": "charge", "amount": 1, "created_at": T0 + timedelta(hours=number)},
}
DAYS = "start_date=2026-01-01&end_date=2026-12-31&"  # required where money is reconciled, and ignored elsewhere
LISTINGS = pytest.mark.parametrize("route", [route for route in ROUTES if route.listing], ids=lambda route: route.name)
INVALID = ("0", "-1", "1.5", "abc", "", "%20", "1_0", "%D9%A1", "99999999999")


def fill(emulator, route, count):
    """Add rows with the ids "000", the oldest, to the newest."""
    listing = route.listing
    for number in range(count):
        getattr(emulator.state, listing.store).add(**{listing.id: f"{number:03}"}, **FIELDS[listing.store](number))


def read_page(api, route, query=""):
    """Return the ids of a page and its pagination."""
    response = api.read(f"{route.path}?{DAYS}{query}")
    assert response.status == 200
    return [row[route.listing.id] for row in response.json[route.listing.key]], response.json["pagination"]


@LISTINGS
def test_listing_without_parameters_has_the_first_30_rows(emulator, api, route):
    """Truemed, "List Qualification Sessions": page "Defaults to 1.", page_size "Defaults to 30."."""
    fill(emulator, route, 31)

    ids, pagination = read_page(api, route)

    assert ids == [f"{number:03}" for number in range(30, 0, -1)]
    assert pagination == {"count": 31, "current_page": 1, "last_page": 2, "page_size": 30}


@LISTINGS
def test_pages_of_listing_cover_all_rows_once(emulator, api, route):
    """Truemed, "List Qualification Sessions": `page` is "which page to access", `page_size` the records per page."""
    fill(emulator, route, 7)

    pages = [read_page(api, route, f"page={page}&page_size=3") for page in (1, 2, 3)]

    assert [ids for ids, _ in pages] == [["006", "005", "004"], ["003", "002", "001"], ["000"]]
    assert [pagination for _, pagination in pages] == [
        {"count": 7, "current_page": page, "last_page": 3, "page_size": 3} for page in (1, 2, 3)
    ]


@LISTINGS
def test_page_past_the_last_is_empty(emulator, api, route):
    """Our choice: it is no error."""
    fill(emulator, route, 2)

    assert read_page(api, route, "page=9") == ([], {"count": 2, "current_page": 9, "last_page": 1, "page_size": 30})


@LISTINGS
def test_empty_listing_has_one_page(api, route):
    """Our choice: the last page of an empty listing is 1."""
    assert read_page(api, route) == ([], {"count": 0, "current_page": 1, "last_page": 1, "page_size": 30})


@LISTINGS
def test_page_size_over_the_maximum_is_clamped_and_reported(emulator, api, route):
    """docs/truemed-api.md 1.6: the largest page_size is not known. Our choice: it is clamped, and the response says so."""
    fill(emulator, route, 5)
    emulator.state.max_page_size = 2

    ids, pagination = read_page(api, route, "page=2&page_size=100")

    assert ids == ["002", "001"]
    assert pagination == {"count": 5, "current_page": 2, "last_page": 3, "page_size": 2}


@pytest.mark.parametrize("parameter", ["page", "page_size"])
@LISTINGS
def test_page_that_is_no_positive_integer_is_rejected(api, route, parameter):
    """Truemed, "List Qualification Sessions": integers; 400 with `ValidationError`: invalid request."""
    for value in INVALID:
        response = api.read(f"{route.path}?{DAYS}{parameter}={value}")
        assert (response.status, response.json["error"]) == (400, "ValidationError"), value
        assert response.json["message"].startswith(parameter)
        assert response.json.keys() == {"error", "message"}
