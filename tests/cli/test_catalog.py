"""`catalog`: what is sold."""

from __future__ import annotations

import json

import pytest

WHOLE = (
    *("--name", "Mat", "--description", "Soft", "--url", "https://shop.example/mat", "--gtin", "0012"),
    *("--image-url", "https://shop.example/1.png", "--image-url", "https://shop.example/2.png"),
    *("--metadata", "none", "--product-id", "P"),
)


@pytest.fixture
def catalog(emulator):
    return emulator.state.catalog_items


def test_item_is_created_and_updated(truemed, catalog):
    (row,) = truemed("catalog", "create", "MAT", "--name", "M").rows
    assert row["object"]["sku"] == "MAT"
    assert truemed("catalog", "update", "MAT", *WHOLE).rows == [{}]

    item = catalog.get("MAT")
    assert (item.name, item.description, item.url, item.gtin) == ("Mat", "Soft", "https://shop.example/mat", "0012")
    assert item.image_urls == ("https://shop.example/1.png", "https://shop.example/2.png")
    assert (item.metadata, item.product_id) == ("none", "P")


def test_unset_options_are_not_sent(truemed, emulator):
    truemed("catalog", "create", "MAT", "--name", "M")

    assert emulator.requests[-1].body == b'{"sku":"MAT","name":"M"}'
    done = truemed("catalog", "update", "MAT")
    assert done.code == 2
    assert "nothing to change" in done.err


def test_existing_sku_exits_1(truemed, catalog):
    catalog.add(sku="MAT")

    done = truemed("catalog", "create", "MAT", *WHOLE)

    assert done.code == 1
    assert "409" in done.err


def test_get_prints_one_document_per_sku(truemed, catalog):
    catalog.add(sku="a/b c")

    done = truemed("catalog", "get", "nobody", "a/b c")

    assert done.code == 1
    assert [row["sku"] for row in done.rows] == ["a/b c"]


def test_list_filters_by_eligibility(truemed, terminal, catalog):
    for sku, eligibility in (("A", "eligible"), ("B", "ineligible")):
        catalog.add(sku=sku)
        catalog.review(sku, eligibility)

    assert [row["sku"] for row in truemed("catalog", "list", "--eligibility", "ineligible").rows] == ["B"]
    assert truemed("catalog", "list", "--format", "csv").out.startswith("sku,name,")
    person = truemed("catalog", "list", "--page-size", "1", out=terminal(), err=terminal())
    assert "ineligible" in person.out
    assert person.err == "1 of 2 items, page 1 of 2; --limit N, --all or --page 2 shows more\n"


def test_checkout_method_of_cart_is_shown(truemed, terminal, catalog):
    catalog.add(sku="A")
    catalog.review("A", "eligible")

    (row,) = truemed("catalog", "checkout-method", "A", "B").rows

    assert row["checkout_method"] == "truemed"


@pytest.mark.parametrize(
    ("route", "message"), [("create", "`truemed catalog get` with the SKU"), ("update", "run the same command again")]
)
def test_unknown_outcome_shows_recovery_hint(truemed, emulator, catalog, route, message):
    if route == "update":
        catalog.add(sku="MAT")
    with emulator.faults.add("applied_then_reset", route=f"catalog_items.{route}"):
        done = truemed("catalog", route, "MAT", *WHOLE)

    assert done.code == 1
    assert f"the outcome is unknown: {message}" in done.err


class TestSync:
    """docs/catalog.md: export, edit, look at the plan, apply it."""

    @pytest.fixture
    def file(self, emulator, tmp_path):
        """A catalog of three items of which Truemed has two, one with another name, and one more."""
        items = emulator.state.catalog_items
        items.add(sku="A", name="Mat")
        items.add(sku="B", name="Rug", url="https://shop.example/b")
        items.add(sku="Z", name="Old")
        path = tmp_path / "catalog.csv"
        path.write_text("sku,name,description\nA,Mat,\nB,Red rug,Warm\nC,Mask,\n")
        return str(path)

    PLAN = (("B", "update", "description name"), ("C", "create", "name"), ("Z", "gone", ""))

    def test_dry_run_shows_the_plan_and_changes_nothing(self, truemed, emulator, file):
        done = truemed("catalog", "sync", file, "--dry-run")
        assert (done.code, [(row["sku"], row["action"], row["fields"]) for row in done.rows]) == (0, [*self.PLAN])
        assert done.err == "4 items (create 1, gone 1, unchanged 1, update 1), 0 failed\n"
        assert all(request.method == "GET" for request in emulator.requests)

    def test_plan_is_shown_confirmed_and_applied_once(self, truemed, emulator, terminal, file):
        items = emulator.state.catalog_items
        refused = truemed("catalog", "sync", file, err=terminal(), source=terminal("n\n"))
        assert (refused.code, refused.err.endswith("Apply this plan? [y/N] nothing was changed\n")) == (1, True)
        assert items.count == 3

        done = truemed("catalog", "sync", file, out=terminal(), err=terminal(), source=terminal("y\n"))
        assert done.code == 0
        assert (items.get("B").name, items.get("B").description) == ("Red rug", "Warm")
        assert (items.get("B").url, items.get("C").name, items.count) == ("https://shop.example/b", "Mask", 4)
        again = truemed("catalog", "sync", file, err=terminal(), source=terminal(""))
        assert (again.code, [row["action"] for row in again.rows]) == (0, ["gone"])

    def test_lost_responses_are_settled(self, truemed, emulator, file):
        with emulator.faults.add("applied_then_reset", route="catalog_items.create"):
            done = truemed("catalog", "sync", file, "--yes")
        assert (done.code, [row["applied"] for row in done.rows]) == (0, [True, True, False])
        assert emulator.state.catalog_items.get("C").name == "Mask"

    def test_failed_item_exits_1_and_leaves_the_others(self, truemed, emulator, file):
        with emulator.faults.add("status", code=501, route="catalog_items.update"):
            done = truemed("catalog", "sync", file, "--yes", "--format", "json")
        rows = {row["sku"]: row for row in json.loads(done.out)}
        assert (done.code, rows["B"]["applied"], rows["C"]["applied"]) == (1, False, True)
        assert "501" in rows["B"]["error"]
        assert done.err.endswith("1 failed\n")

    def test_export_is_a_file_for_sync(self, truemed, emulator, file, tmp_path):
        out = str(tmp_path / "export.csv")
        assert truemed("catalog", "export", "--output", out).code == 0
        done = truemed("catalog", "sync", out, "--dry-run")
        assert (done.out, done.err) == ("", "3 items (unchanged 3), 0 failed\n")

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ("sku,name\nA,Mat\nA,Rug\n", "error: items[1]: the SKU 'A' occurs before\n"),
            ("sku,price\n", "error: the first line must have sku and name"),
            (None, "error: the file cannot be read: No such file or directory\n"),
        ],
    )
    def test_bad_file_exits_2_before_anything_is_sent(self, truemed, emulator, tmp_path, content, expected):
        path = tmp_path / "catalog.csv"
        if content is not None:
            path.write_text(content)
        done = truemed("catalog", "sync", str(path), "--yes")
        assert (done.code, done.err.startswith(expected)) == (2, True), done.err
        assert len(emulator.requests) == 0

    def test_without_terminal_it_needs_yes(self, truemed, emulator, file):
        done = truemed("catalog", "sync", file)
        assert (done.code, "--yes" in done.err, len(emulator.requests)) == (2, True, 0)
