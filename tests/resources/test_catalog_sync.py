"""Synchronization of a catalog: plans, files, and the final state under lost answers and other writers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from tests.support.scale import scale
from truemed_async import CatalogAction, CatalogChange, CatalogItem, CatalogItemParams, Stream, read_catalog_csv
from truemed_async.errors import (
    BadRequestError,
    ConflictError,
    DisconnectedError,
    InvalidArgumentError,
    NotFoundError,
)
from truemed_async.resources._catalog_sync import MAX_WRITES, changed_fields, sync_catalog, validate_catalog

NOWHERE = {"attempts": 1, "outcome": "not_sent"}


@attrs.define
class Truemed:
    """A catalog whose answers get lost, and that somebody else changes, before chosen calls.

    Attributes:
        items: The items by SKU.
        script: What happens at each call.
        created: The SKUs of all items that were ever created here.
        writes: How often each item was written, by SKU.
        unread: The SKUs of the items whose reading failed.
    """

    items: dict[str, dict[str, Any]]
    script: list[str]
    created: list[str] = attrs.field(factory=list)
    writes: Counter[str] = attrs.field(factory=Counter)
    unread: set[str] = attrs.field(factory=set)

    def _event(self, sku: str) -> str:
        event = self.script.pop() if self.script else "fine"
        if event == "made_elsewhere":
            self.items.setdefault(sku, {"name": "theirs"})
        if event == "removed_elsewhere":
            self.items.pop(sku, None)
        if event == "not_sent":
            raise DisconnectedError("gone", endpoint="catalog_items", **NOWHERE)
        return event

    def _respond(self, event: str) -> None:
        if event == "lost":
            raise DisconnectedError("gone", endpoint="catalog_items", attempts=1, outcome="unknown")

    def iter(self) -> Stream[CatalogItem]:
        async def pages():
            yield [self._item(sku) for sku in self.items]

        return Stream(pages())

    def _item(self, sku: str) -> CatalogItem:
        return CatalogItem(sku=sku, **self.items[sku])

    async def get(self, sku: str, /) -> CatalogItem:
        try:
            self._respond(self._event(sku))
        except DisconnectedError:
            self.unread.add(sku)
            raise
        if sku not in self.items:
            raise NotFoundError("NotFound", endpoint="catalog_items.get", attempts=1, outcome="rejected")
        return self._item(sku)

    async def create(self, body: Mapping[str, Any], /) -> object:
        return self._write(body, creates=True)

    async def update(self, body: Mapping[str, Any], /) -> object:
        return self._write(body, creates=False)

    def _write(self, body: Mapping[str, Any], *, creates: bool) -> object:
        sku = body["sku"]
        self.writes[sku] += 1
        event = self._event(sku)
        if event == "refused":
            raise BadRequestError("MissingField", endpoint="catalog_items", attempts=1, outcome="rejected")
        if creates == (sku in self.items):
            self._respond(event)
            kind = ConflictError if creates else NotFoundError
            raise kind("Conflict", endpoint="catalog_items", attempts=1, outcome="rejected")
        if creates:
            self.created.append(sku)
        fields = {name: value for name, value in body.items() if name != "sku"}
        self.items[sku] = {**self.items.get(sku, {}), **fields}
        self._respond(event)
        return {}


TargetCatalog = Mapping[str, Mapping[str, Any]]
Sync = Callable[[TargetCatalog, Truemed], Awaitable[list[CatalogChange]]]


async def sync(target: TargetCatalog, truemed: Truemed) -> list[CatalogChange]:
    batches = sync_catalog(target, truemed, dry_run=False, concurrency=1)
    return [change async for batch in batches for change in batch]


async def sync_without_settling(target: TargetCatalog, truemed: Truemed) -> list[CatalogChange]:
    """Trust each error, as a loop that a merchant writes: the negative control."""
    changes = []
    for sku, fields in target.items():
        change = CatalogChange(id=sku, action=CatalogAction.CREATE, fields=tuple(fields))
        try:
            await truemed.create({"sku": sku, **fields})
        except (ConflictError, DisconnectedError, BadRequestError) as error:
            changes.append(attrs.evolve(change, error=error))
        else:
            changes.append(attrs.evolve(change, applied=True))
    return changes


def has_wanted_values(truemed: Truemed, sku: str, fields: Mapping[str, Any]) -> bool:
    return sku in truemed.items and not changed_fields(fields, truemed._item(sku))


async def check(target: TargetCatalog, truemed: Truemed, sync: Sync) -> None:
    """Synchronize under faults and then without: every report is true, and the end is the wanted catalog."""
    untouched = {sku: fields for sku, fields in truemed.items.items() if sku not in target}
    removals = truemed.script.count("removed_elsewhere")
    changes = await sync(target, truemed)
    for change in changes:
        if change.action is CatalogAction.GONE:
            assert change.id not in target
        elif not change.ok:
            assert not change.applied
        elif not removals:
            assert has_wanted_values(truemed, change.id, target[change.id])
        assert not (change.error is not None and change.action is CatalogAction.UNCHANGED)
        if isinstance(change.error, DisconnectedError) and change.error.outcome == "unknown":
            assert change.id in truemed.unread or truemed.writes[change.id] == MAX_WRITES, "it can be settled"
    truemed.script.clear()
    again = await sync(target, truemed)
    assert all(change.ok for change in again)
    assert all(has_wanted_values(truemed, sku, fields) for sku, fields in target.items())
    assert {sku: truemed.items[sku] for sku in untouched} == untouched
    assert len(truemed.created) <= len(set(truemed.created)) + removals, "nothing is created twice"
    writes = truemed.writes.total()
    assert {change.action for change in await sync(target, truemed)} <= {CatalogAction.UNCHANGED, CatalogAction.GONE}
    assert truemed.writes.total() == writes


SKUS = st.sampled_from(["A", "B", "C", "D"])
FIELDS = st.fixed_dictionaries(
    {"name": st.sampled_from(["Mat", "Rug"])},
    optional={
        "description": st.sampled_from(["", "Warm"]),
        "image_urls": st.sampled_from([[], ["https://shop.example/a.png"]]),
        "url": st.just("https://shop.example/a"),
    },
)
EVENTS = st.sampled_from(["fine", "fine", "fine", "lost", "not_sent", "refused", "made_elsewhere", "removed_elsewhere"])


@settings(max_examples=scale(200, 5000), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(SKUS, FIELDS), st.dictionaries(SKUS, FIELDS), st.lists(EVENTS, max_size=16))
async def test_catalog_ends_as_wanted_whatever_is_lost(target, existing, script):
    await check(target, Truemed(existing, script), sync)


async def test_check_finds_a_synchronization_that_trusts_its_errors():
    with pytest.raises(AssertionError):
        await check({"A": {"name": "Mat"}}, Truemed({}, ["lost"]), sync_without_settling)


# --- plans --------------------------------------------------------------------------------------------------------

FOUND = {
    "data": [
        {"sku": "A", "name": "Mat", "url": "shop", "description": None, "gtin": "1", "image_urls": None},
        {"sku": "B", "name": "Rug", "metadata": "x"},
        {"sku": "C", "name": "Gone"},
    ],
    "pagination": {"count": 3, "current_page": 1, "last_page": 1, "page_size": 100},
}
CATALOG = [
    CatalogItemParams("D", name="New", image_urls=("https://shop.example/d.png",)),
    CatalogItemParams("A", name="Mat 2", description="", image_urls=[]),
    CatalogItemParams("B", name="Rug", metadata="x"),
]


async def test_dry_run_yields_the_plan_and_writes_nothing(client, server):
    server.respond(FOUND)
    plan = [change async for change in client.catalog_items.sync(CATALOG, dry_run=True)]
    assert [(change.id, change.action, change.fields) for change in plan] == [
        ("D", "create", ("image_urls", "name")),
        ("A", "update", ("name",)),
        ("B", "unchanged", ()),
        ("C", "gone", ()),
    ]
    assert not any(change.applied for change in plan)
    assert {request.verb for request in server.requests} == {"GET"}


async def test_update_sends_the_whole_item_with_the_values_of_truemed(client, server):
    """Truemed API reference, "Update Catalog Item": the whole item is required."""
    server.respond(FOUND).respond({})
    changes = [change async for change in client.catalog_items.sync(CATALOG, concurrency=1)]
    assert [change.applied for change in changes] == [True, True, False, False]
    created, updated = (request.body for request in server.requests if request.verb == "POST")
    assert created == {"sku": "D", "name": "New", "image_urls": ["https://shop.example/d.png"]}
    assert updated == {"sku": "A", "name": "Mat 2", "description": "", "image_urls": [], "url": "shop", "gtin": "1"}


async def test_unreadable_catalog_is_not_written(client, server):
    server.respond({"error": "ValidationError"}, 400)
    with pytest.raises(BadRequestError):
        [change async for change in client.catalog_items.sync(CATALOG)]
    assert {request.verb for request in server.requests} == {"GET"}


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ([*CATALOG, CatalogItemParams("D", name="Again")], r"items\[3\]: the SKU 'D' occurs before"),
        ([CatalogItemParams("", name="x")], r"items\[0\]: sku must not be empty"),
        ([CatalogItemParams("A", name="x", url="ftp://a")], r"items\[0\]: url must be an absolute http or https URL"),
        ([CatalogItemParams("A", name="")], r"items\[0\]: name must not be empty"),
        ([{"sku": "A"}], r"items\[0\] must be CatalogItemParams"),
        ("catalog", "items must be a collection"),
        (iter(CATALOG), "items must be a collection"),
    ],
)
async def test_invalid_catalog_is_refused_before_anything_is_sent(client, server, items, problem):
    with pytest.raises(InvalidArgumentError, match=problem):
        client.catalog_items.sync(items)
    assert server.requests == []


async def test_item_that_cannot_be_read_again_keeps_the_first_error():
    truemed = Truemed({}, ["not_sent", "lost"])
    (change,) = await sync({"A": {"name": "Mat"}}, truemed)
    assert (change.ok, change.applied, change.error.outcome) == (False, False, "unknown")


async def test_item_that_stays_in_doubt_is_written_three_times():
    # Each write finds the item removed, and each reading finds that somebody made it again with another name.
    truemed = Truemed({"A": {"name": "Rug"}}, ["made_elsewhere", "removed_elsewhere"] * 9)
    (change,) = await sync({"A": {"name": "Mat"}}, truemed)
    assert (type(change.error), change.applied, truemed.writes["A"]) == (NotFoundError, False, MAX_WRITES)


# --- files --------------------------------------------------------------------------------------------------------


def test_csv_is_read_with_both_forms_of_image_urls(tmp_path):
    path = tmp_path / "catalog.csv"
    path.write_bytes(
        b"\xef\xbb\xbfname,sku,image_urls,eligibility,url\r\n"
        b'Mat,A,"[""https://shop.example/1.png""]",eligible,\r\n'
        b'"Rug, red",B,https://shop.example/1.png https://shop.example/2.png,,https://shop.example/b\r\n'
        b"Mask,C,[],,\r\n"
    )
    assert read_catalog_csv(path) == [
        CatalogItemParams("A", name="Mat", image_urls=["https://shop.example/1.png"]),
        CatalogItemParams(
            "B",
            name="Rug, red",
            image_urls=["https://shop.example/1.png", "https://shop.example/2.png"],
            url="https://shop.example/b",
        ),
        CatalogItemParams("C", name="Mask", image_urls=[]),
    ]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "the first line must have sku and name"),
        (b"sku\nA\n", "the first line must have sku and name"),
        (b"sku,name,price\nA,b,1\n", "the first line must have sku and name"),
        (b"sku,name,name\nA,b,c\n", "the first line must have sku and name"),
        (b"sku,name\nA,\n", "line 2 must have a sku, a name"),
        (b"sku,name\nA,b\nB,c,d\n", "line 3 must have a sku, a name"),
        (b"sku,name,image_urls\nA,b,[\n", "line 2: image_urls must be a JSON list"),
        (b'sku,name,image_urls\nA,b,"[}"\n', "line 2: image_urls must be a JSON list"),
        (b"sku,name\nA,\xff\n", "the file is not UTF-8"),
        (b'sku,name\nA,"b\n', "the file is no valid CSV"),
    ],
)
def test_invalid_file_is_refused(tmp_path, content, problem):
    path = tmp_path / "catalog.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidArgumentError, match=problem):
        read_catalog_csv(path)


def test_every_field_of_an_item_can_be_set():
    values = {
        "name": "Mat",
        "description": "Warm",
        "image_urls": ["https://shop.example/a.png"],
        "url": "https://shop.example/a",
        "gtin": "0001",
        "metadata": "m",
        "product_id": "p",
    }
    assert validate_catalog([CatalogItemParams("A", **values)]) == {"A": values}
    assert changed_fields(values, CatalogItem(sku="A", **{**values, "image_urls": tuple(values["image_urls"])})) == ()
