"""How values are shown."""

from datetime import UTC, date, datetime, timedelta

import pytest

from truemed_async.emulator.inspector.formats import (
    FormattedValue,
    Members,
    PageBudget,
    Rows,
    format_seconds,
    format_time,
    mark_code,
    parse_money,
    response_tone,
    show,
    tone,
)
from truemed_async.emulator.resources.payment_sessions import LineItem

NOW = datetime(2026, 11, 30, 10, 12, 7, 123000, UTC)


def tree(value, size=10_000):
    return PageBudget(size).tree("", value, NOW, lambda name, value: "")


class TestMoney:
    @pytest.mark.parametrize(
        ("text", "cents"), [("50", 5000), ("50.5", 5050), (" $1,234.56 ", 123456), ("0.01", 1), ("0", 0)]
    )
    def test_dollars_are_cents(self, text, cents):
        assert parse_money(text, "amount") == cents

    @pytest.mark.parametrize("text", ["", "x", "-1", "1.234", "1e3", "nan", ".5", "1.", "1" * 13, "١"])
    def test_other_text_is_an_error(self, text):
        with pytest.raises(ValueError, match="amount must be dollars"):
            parse_money(text, "amount")


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(0), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(minutes=59), "59 minutes ago"),
        (timedelta(hours=1), "1 hour ago"),
        (timedelta(hours=23), "23 hours ago"),
        (timedelta(days=1), "Nov 29, 10:12 UTC"),
        (timedelta(days=365), "Nov 30, 2025"),
        (timedelta(milliseconds=-1), "just now"),
        (timedelta(seconds=-30), "in a moment"),
        (timedelta(seconds=-61), "in 1 minute"),
        (timedelta(hours=-6), "in 6 hours"),
        (timedelta(days=-2), "Dec 2, 10:12 UTC"),
        (timedelta(days=-365), "Nov 30, 2027"),
    ],
)
def test_times_are_distances_within_a_day(ago, text):
    assert format_time(NOW - ago, NOW) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (0.0004, "0.4 ms"), (0.0123, "12 ms"), (0.9, "900 ms"), (1.234, "1.23 s")]
)
def test_durations_have_a_unit(seconds, text):
    assert format_seconds(seconds) == text


def test_statuses_have_colors():
    assert [tone(each) for each in ("captured", "rejected", "pending", "processing", "a new one")] == [
        "good",
        "bad",
        "warn",
        "info",
        "",
    ]
    assert [response_tone(each) for each in (204, 404, 503, None)] == ["good", "warn", "bad", "bad"]


def test_code_in_docstrings_is_marked_and_escaped():
    assert mark_code("``<b>`` is <i>").__html__() == "<code>&lt;b&gt;</code> is &lt;i&gt;"


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("x", None, FormattedValue(text="none", kind="none")),
        ("x", (), FormattedValue(text="none", kind="none")),
        ("x", {}, FormattedValue(text="none", kind="none")),
        ("total_amount", 5, FormattedValue(text="$0.05", kind="money", exact="5 cents")),
        ("total_amount", "5", FormattedValue(text="5")),
        ("quantity", 5, FormattedValue(text="5")),
        ("fee", 15.0, FormattedValue(text="15.0")),
        ("x", True, FormattedValue(text="yes")),
        ("x", False, FormattedValue(text="no")),
        ("x", NOW, FormattedValue(text="just now", kind="time", exact="2026-11-30T10:12:07.123Z")),
        ("x", date(2026, 11, 3), FormattedValue(text="Nov 3, 2026", kind="time", exact="2026-11-03")),
        ("capture_id", "c", FormattedValue(text="c", kind="code")),
        ("x", ("a", NOW), FormattedValue(text='["a","2026-11-30T10:12:07.123000+00:00"]', kind="code")),
        ("x", (1 + 2j,), FormattedValue(text='["(1+2j)"]', kind="code")),
        ("x", "a" * 400, FormattedValue(text="a" * 300 + "…")),
    ],
)
def test_values_are_shown_by_name_and_type(name, value, expected):
    assert show(name, value, NOW) == expected


class TestTree:
    def test_objects_are_members(self):
        assert tree({"amount": 100, "more": {"a": 1}}) == Members(
            (
                ("amount", FormattedValue(text="$1.00", kind="money", exact="100 cents")),
                ("more", Members((("a", FormattedValue(text="1")),))),
            )
        )

    def test_json_texts_are_members(self):
        assert tree('{"cart": "c-1"}') == Members((("cart", FormattedValue(text="c-1")),))
        assert tree("{no json") == FormattedValue(text="{no json")

    def test_lists_of_objects_are_tables_with_ids_last(self):
        item = LineItem(item_id="i", name="Mat", price=1, quantity=2)
        table = tree((item,))
        assert isinstance(table, Rows)
        assert table.columns == ("name", "price", "quantity", "sku", "amount_details", "item_id")
        assert [cell.text for cell in table.rows[0]] == ["Mat", "$0.01", "2", "none", "none", "i"]

    def test_lists_of_values_are_json(self):
        assert tree(["a", {"b": 1}]) == FormattedValue(text='["a",{"b":1}]', kind="code")

    def test_entities_within_nested_values_are_json(self):
        item = LineItem(item_id="i", name="Mat", price=1, quantity=2)
        assert '"name":"Mat"' in tree(["a", item]).text

    def test_deep_objects_are_json(self):
        deep = {"a": {"b": {"c": {"d": {"e": 1}}}}}
        assert '{"e":1}' in repr(tree(deep))

    def test_values_past_the_limit_are_counted(self):
        members = tree({f"name-{number}": "&" * 100 for number in range(100)}, 3_000)
        assert isinstance(members, Members)
        assert members.omitted == 100 - len(members.items) > 90
        rows = tree([{"a": "x" * 200}] * 100, 3_000)
        assert isinstance(rows, Rows)
        assert rows.omitted == 100 - len(rows.rows) > 80


class TestBodies:
    def test_json_is_indented(self):
        assert PageBudget(1000).body(b'{"a":1}') == '{\n  "a": 1\n}'

    def test_other_bytes_are_text(self):
        assert PageBudget(1000).body(b"\xff no json") == "\N{REPLACEMENT CHARACTER} no json"

    @pytest.mark.parametrize("size", [9_000, 900_000])
    def test_long_bodies_are_cut(self, size):
        text = PageBudget(20_000).body(b"a" * size)
        assert text == "a" * 8_000 + f"\n… ({size:,} bytes in total)"

    def test_budget_counts_escaped_bytes(self):
        budget = PageBudget(1_000)
        assert len(budget.body(b"&" * 500).partition("\n")[0]) <= 186
        assert budget.shorten("&" * 1000, 1000) == "" or budget.left >= 0

    def test_secret_is_redacted(self):
        assert PageBudget(1000, "s3cret").shorten("a s3cret", 100) == "a REDACTED"
