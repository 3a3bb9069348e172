"""Tables and objects at the widths of real terminals: what stays, what is shortened, and what is never broken."""

from __future__ import annotations

import io
import re
import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from rich.console import Console
from rich.text import Text

from truemed_async import AmountDetails, PaymentSession, PaymentSessionItem
from truemed_async.cli.tables import format_local, format_value, make_table, print_object, shorten_middle

WIDTHS = (40, 60, 80, 120, 200)
IDS = ("5b0d2a3e-7a52-4f43-9f0e-0d2f1d0f6c11", "7c1e4b60-2d95-4a3b-8b1c-5e6f70819203")
COLUMNS = ("id", "status", "status_summary", "total_amount", "created_at", "customer_email")
ROWS = [
    (IDS[0], "captured", "Captured", 12000, datetime(2026, 11, 19, 8, 30, tzinfo=UTC), "somebody.with.a.long.name@example.com"),
    (IDS[1], "authorization_expired", None, 1234567, None, None),
]  # fmt: skip
LINK = "https://app.truemed.com/qualify/tm_qual_abc?source=renewal&user_id=user-42&skus=SKU-1001,SKU-1002"


def pick(*columns):
    return [[row[COLUMNS.index(name)] for name in columns] for row in ROWS]


def show(rows, columns, width, **options):
    file = io.StringIO()
    console = Console(file=file, width=width, highlight=False)
    console.print(make_table(rows, columns, width, **options), crop=False)
    return file.getvalue()


def show_object(value, width=80, **options):
    file = io.StringIO()
    print_object(Console(file=file, width=width, highlight=False), value, **options)
    return file.getvalue()


class TestWidths:
    @pytest.mark.parametrize("width", WIDTHS)
    def test_table_fits_and_id_status_and_amount_stay(self, width):
        output = show(ROWS, COLUMNS, width)

        assert max(len(line) for line in output.splitlines()) <= width
        assert "$120.00" in output
        assert "$12,345.67" in output
        assert "captured" in output
        assert all(id in output or re.search(rf"{id[:4]}\w*…[\w-]*{id[-4:]}", output) for id in IDS)

    @pytest.mark.parametrize("width", WIDTHS)
    def test_column_is_either_shown_or_named_as_left_out(self, width):
        output = show(ROWS, COLUMNS, width)
        head, _, _ = output.partition("─")

        words = head.replace("\n", " ")
        for name in COLUMNS:
            in_head = all(part in words for part in name.replace("_", "_ ").split())
            assert in_head or re.search(rf"No room for .*{name}", output.replace("\n", " "), re.DOTALL)

    def test_wide_table_shows_everything_whole(self):
        output = show(ROWS, COLUMNS, 200)

        assert IDS[0] in output
        assert "somebody.with.a.long.name@example.com" in output
        assert "No room" not in output
        assert "…" not in output

    def test_narrow_table_shortens_ids_before_it_leaves_columns_out(self):
        output = show(pick("id", "status", "total_amount"), ("id", "status", "total_amount"), 56)

        assert "5b0d2a3e…1d0f6c11" in output
        assert "No room" not in output

    def test_times_lose_their_hour_before_columns_are_left_out(self):
        columns = ("id", "status", "total_amount", "created_at")
        wide, narrow = (show(pick(*columns), columns, width) for width in (120, 66))

        assert re.search(r"2026-11-19 \d\d:\d\d", wide)
        assert "2026-11-19" in narrow
        assert not re.search(r"2026-11-19 \d\d", narrow)

    def test_amounts_are_aligned_to_the_right(self):
        lines = show(pick("status", "total_amount"), ("status", "total_amount"), 60).splitlines()[-2:]

        assert len({len(line.rstrip()) for line in lines}) == 1

    @pytest.mark.parametrize("width", [1, 3, 10])
    def test_width_for_nothing_is_no_error(self, width):
        assert show(ROWS, COLUMNS, width)

    def test_table_without_rows_has_a_head(self):
        assert "total_amount" in show([], COLUMNS, 120)

    @pytest.mark.parametrize("width", WIDTHS)
    def test_links_are_never_wrapped(self, width):
        output = show([(IDS[0], "approved", LINK), (IDS[1], "pending", None)], ("id", "status", "renewal_link"), width)

        assert LINK in output
        assert IDS[0] in output or "5b0d2a3e…1d0f6c11" in output


class TestValues:
    @pytest.mark.parametrize(
        ("name", "value", "expected"),
        [
            ("total_amount", 12000, "$120.00"),
            ("cents", -5, "-$0.05"),
            ("quantity", 12000, "12000"),
            ("total", Decimal(1250), "$1,250.00"),
            ("total", 0.125, "$0.13"),
            ("total", Decimal("-1.5"), "-$1.50"),
            ("fee", 30.0, "30.0"),
            ("can_capture", True, "yes"),
            ("can_capture", False, "no"),
            ("total_amount", None, ""),
            ("total_amount", "120", "120"),
            ("items", [{"sku": "A"}, PaymentSessionItem(sku="B", price=5)], None),
            ("user_name", "Sam\x1b[2J", "Sam\\u001b[2J"),
        ],
    )
    def test_text_of_a_value(self, name, value, expected):
        text = format_value(name, value, {"total"}).plain

        assert text == expected or (expected is None and '"sku":"A"' in text and '"price":5' in text)

    def test_statuses_have_colors_and_links_can_be_clicked(self):
        assert format_value("status", "captured").style == "green"
        assert format_value("name", "captured").style == ""
        assert format_value("url", LINK).style.link == LINK
        assert not format_value("url", f"{LINK}\x1b").style

    @pytest.mark.parametrize(
        ("text", "length", "expected"), [("abcdefghij", 5, "ab…ij"), ("abc", 5, "abc"), ("abcdef", 4, "ab…f")]
    )
    def test_shorten_middle_keeps_both_ends(self, text, length, expected):
        assert shorten_middle(Text(text), length).plain == expected


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="Windows takes the zone from its settings alone")
class TestTimes:
    @pytest.fixture(autouse=True)
    def zone(self, monkeypatch):
        monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        yield
        monkeypatch.undo()
        time.tzset()

    def test_times_are_local_and_name_their_zone(self):
        assert format_local(datetime(2026, 11, 19, 23, 30, 5, tzinfo=UTC)) == "2026-11-20 00:30 CET"
        assert format_local(datetime(2026, 7, 19, 23, 30, 5, tzinfo=UTC), seconds=True) == "2026-07-20 01:30:05 CEST"

    @pytest.mark.parametrize("moment", [datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)])
    def test_ends_of_the_calendar_are_shown(self, moment):
        assert str(moment.year) in format_local(moment)


class TestObjects:
    SESSION = PaymentSession(
        id=IDS[0],
        status="captured",
        total_amount=12000,
        amount_details=AmountDetails(total_additional_charges=500, discounts_details=({"code": "TEN"},)),
        captured_on=datetime(2026, 11, 19, 8, 30, 7, tzinfo=UTC),
        order_items=(
            PaymentSessionItem(item_id="i1", name="Sauna blanket", price=5750, quantity=2, sku="SB-1"),
            PaymentSessionItem(item_id="i2", name="Yoga mat", price=500, quantity=1),
        ),
        extra={"truemed_fee": 3.5, "links": [LINK, "plain"], "steps": []},
    )

    @pytest.mark.parametrize("width", WIDTHS)
    def test_sections_items_money_and_links_are_readable(self, width):
        output = show_object(self.SESSION, width)
        lines = output.splitlines()

        assert re.search(r"^total_amount +\$120.00$", output, re.MULTILINE)
        section = lines.index("amount_details")
        assert re.fullmatch(r"  total_additional_charges +\$5.00 *", lines[section + 1])
        assert re.search(r"^  .*Sauna.*\$57.50", output, re.MULTILINE) or width == 40
        assert any(line.endswith(LINK) for line in lines), "on one line"
        assert max(len(line) for line in lines if LINK not in line) <= width
        assert re.search(r"captured_on +2026-11-19 \d\d:\d\d:07 ", " ".join(output.split())) or width == 40

    def test_fields_without_value_are_named_at_the_end(self):
        last = show_object(self.SESSION, 200).splitlines()[-1]

        assert last.startswith("no value: ")
        assert "customer_email" in last
        assert "steps" in last

    def test_object_without_values_and_mapping_with_dollars(self):
        output = show_object({"total": Decimal(5), "empty": None}, dollars={"total"}).splitlines()
        assert [line.rstrip() for line in output] == ["total  $5.00", "no value: empty"]
        assert show_object({"total": 1}) == "total  1\n"
