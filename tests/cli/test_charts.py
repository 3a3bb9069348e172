"""Charts: on terminals, as SVG and as PNG, in light and dark."""

from __future__ import annotations

import io
import re
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from truemed_async.cli.charts import BarChart, make_timeline
from truemed_async.cli.output import Streams
from truemed_async.cli.pictures import BACKGROUND, GREEN, draw_png, draw_svg
from truemed_async.cli.start import run
from truemed_async.cli.terminal_charts import render_charts

SVG = "{http://www.w3.org/2000/svg}"
FIRST = date(2026, 1, 1)


def days_of(number, status="approved"):
    """One row on the first, and two on the last of some days."""
    return {FIRST: {status: 1}, FIRST + timedelta(days=number - 1): {status: 1, "pending": 1}}


def timeline(number, max_bars=400):
    return make_timeline("Created", days_of(number), "Number of sessions", max_bars)


def texts(svg):
    return ["".join(node.itertext()) for node in ET.fromstring(svg).iter(f"{SVG}text")]


class TestTimeline:
    def test_each_day_is_there_also_without_rows(self):
        chart = timeline(5)

        assert [label for label, _ in chart.bars] == [f"2026-01-0{day}" for day in range(1, 6)]
        assert [sum(parts.values()) for _, parts in chart.bars] == [1, 0, 0, 0, 2]
        assert (chart.title, chart.label_axis) == ("Created, by day", "Day, UTC")

    @pytest.mark.parametrize(
        ("days", "unit", "first", "bars"),
        [(31, "day", "2026-01-01", 31), (32, "week", "2025-12-29", 5), (400, "month", "2026-01", 14)],
    )
    def test_many_days_become_weeks_or_months_without_losing_a_row(self, days, unit, first, bars):
        chart = timeline(days, 31)

        assert chart.title == f"Created, by {unit}"
        assert (chart.bars[0][0], len(chart.bars)) == (first, bars)
        assert sum(sum(parts.values()) for _, parts in chart.bars) == 3
        assert not chart.note

    def test_chart_of_too_many_months_shows_the_last_and_says_so(self):
        chart = timeline(365 * 4, 31)

        assert len(chart.bars) == 31
        assert chart.note == "The last 31 of 48 months."

    def test_first_week_of_the_calendar_is_no_error(self):
        chart = make_timeline("x", {date.min: {"a": 1}, date(1, 3, 1): {"a": 1}}, "y", 31)

        assert chart.bars[0][0].endswith("-01-01")

    def test_no_days_are_no_bars(self):
        assert make_timeline("x", {}, "y", 31).bars == []


class TestTerminal:
    def show(self, chart, width=80):
        file = io.StringIO()
        Console(file=file, width=width, highlight=False).print(render_charts([chart], width))
        return file.getvalue()

    def test_legend_names_the_colors_of_stacked_bars(self):
        assert "█ approved  █ pending" in self.show(timeline(3))

    def test_parts_without_colors_differ_in_their_characters(self):
        file = io.StringIO()
        Console(file=file, width=80, highlight=False).print(render_charts([timeline(3)], 80, has_colors=False))

        assert "█ approved  ▓ pending" in file.getvalue()
        assert re.search(r"2026-01-03 .* █+▓+ *\n", file.getvalue())

    @pytest.mark.parametrize(("no_color", "fill"), [("", "█"), ("1", "▓")])
    def test_parts_differ_with_no_color_in_the_environment(self, truemed, terminal, monkeypatch, no_color, fill):
        monkeypatch.setenv("NO_COLOR", no_color)
        monkeypatch.setenv("TERM", "xterm-256color")
        output = truemed("--env", "emulator", "payments", "summary", out=terminal()).out

        assert f"{fill} authorized " in re.sub(r"\x1b\[[0-9;]*m", "", output)

    def test_legend_of_one_color_is_left_out(self):
        days = {FIRST: {"approved": 1}}

        assert "█ approved" not in self.show(make_timeline("x", days, "y", 31))

    def test_note_is_shown(self):
        assert "The last 31 of 48 months." in self.show(timeline(365 * 4, 31))

    @pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
    def test_chart_fits(self, width):
        output = self.show(timeline(20), width)

        assert max(len(line.rstrip()) for line in output.splitlines()) <= width


class TestSvg:
    def test_title_axes_legend_and_values_are_readable(self):
        words = texts(draw_svg([timeline(3)], None))

        assert {"Created, by day", "Number of sessions", "Day, UTC", "approved", "pending", "2026-01-01"} <= {*words}

    @pytest.mark.parametrize("number", [1, 10, 57, 60, 366])
    def test_every_day_has_a_tick_and_labels_do_not_touch(self, number):
        svg = draw_svg([timeline(number)], None)
        root = ET.fromstring(svg)

        ticks = [path for path in root.iter(f"{SVG}path") if re.fullmatch(r"M(\S+) \S+L\1 \S+", path.get("d"))]
        labels = [node for node in root.iter(f"{SVG}text") if re.fullmatch(r"\d{4}-\d\d-\d\d", node.text)]
        places = [float(node.get("x")) for node in labels]
        assert len(ticks) == number
        assert 0 < len(labels) <= number
        assert all(right - left > 40 for left, right in pairwise(places))
        assert max(places) <= float(root.get("width"))

    def test_bars_say_what_they_are(self):
        assert "2026-01-03: pending 1" in draw_svg([timeline(3)], None).decode()

    def test_reader_decides_between_light_and_dark(self):
        svg = draw_svg([timeline(3)], None).decode()

        light, dark = svg.split("@media (prefers-color-scheme: dark)")
        assert GREEN[0] in light
        assert BACKGROUND[0] in light
        assert GREEN[1] in dark
        assert BACKGROUND[1] in dark

    @pytest.mark.parametrize(("theme", "at"), [("light", 0), ("dark", 1)])
    def test_theme_is_fixed_on_request(self, theme, at):
        svg = draw_svg([timeline(3)], theme).decode()

        assert "@media" not in svg
        assert BACKGROUND[at] in svg
        assert BACKGROUND[1 - at] not in svg

    def test_picture_loads_nothing_and_hostile_text_is_escaped(self):
        bars = [("<script>\x1b&\"'", {"<b>": 1}), ("x" * 99, {"approved": 3})]
        svg = draw_svg([BarChart(title="a & b", label_axis="Line", value_axis="Dollars", bars=bars)], None).decode()

        ET.fromstring(svg)
        assert "<script>" not in svg
        assert "\x1b" not in svg
        assert {*re.findall(r"https?://[^\"]*", svg)} == {"http://www.w3.org/2000/svg"}
        assert "x" * 33 + "…" in svg

    def test_many_statuses_wrap_their_legend_and_have_colors(self):
        days = {FIRST: {f"an_unknown_status_{number}": 1 for number in range(9)}}
        root = ET.fromstring(draw_svg([make_timeline("x", days, "y", 31)], "light"))

        legend = [node for node in root.iter(f"{SVG}text") if (node.text or "").startswith("an_unknown")]
        assert len({node.get("y") for node in legend}) > 1
        assert max(float(node.get("x")) for node in legend) < float(root.get("width"))

    def test_chart_without_rows_says_so(self):
        assert "Nothing to show." in texts(draw_svg([make_timeline("x", {}, "y", 31)], None))

    def test_note_is_shown(self):
        chart = BarChart(title="t", label_axis="l", value_axis="v", bars=[("a", {"b": 1})], note="Not now: disputed")

        assert "Not now: disputed" in texts(draw_svg([chart], None))


class TestPng:
    @pytest.mark.parametrize(("theme", "at"), [("light", 0), ("dark", 1)])
    def test_picture_has_the_colors_of_its_theme(self, theme, at):
        image = pytest.importorskip("PIL.Image", reason="the extra png is not installed")
        bars = BarChart(
            title="Status", label_axis="l", value_axis="v", bars=[("a", {"approved": 2}), ("b", {"approved": 0})]
        )
        png = draw_png([timeline(60), bars], theme)

        with image.open(io.BytesIO(png)) as picture:
            assert picture.getpixel((0, 0)) == tuple(bytes.fromhex(BACKGROUND[at][1:]))
            colors = {color for _, color in picture.getcolors(1 << 24)}
            assert tuple(bytes.fromhex(GREEN[at][1:])) in colors
            assert picture.width >= 1500

    def test_missing_library_names_the_install_command_before_any_request(
        self, truemed, emulator, monkeypatch, tmp_path
    ):
        monkeypatch.setitem(sys.modules, "PIL.ImageDraw", None)

        done = truemed("sessions", "summary", "-o", str(tmp_path / "x.png"))

        assert done.code == 2
        assert done.err == "error: a PNG requires Pillow: pip install 'truemed-async[png]'; --format svg does not\n"
        assert not emulator.requests

    def test_png_goes_to_a_file_or_a_pipe_but_not_to_a_terminal(self, truemed, emulator, terminal, tmp_path):
        pytest.importorskip("PIL.Image", reason="the extra png is not installed")
        raw = io.BytesIO()
        pipe = io.TextIOWrapper(raw, "utf-8")  # closes what it wraps when it is freed
        piped = run(("sessions", "summary", "--format", "png"), Streams(pipe, io.StringIO()))
        result = truemed("sessions", "summary", "--format", "png", out=terminal())
        written = truemed("sessions", "summary", "--theme", "dark", "-o", str(tmp_path / "x.png"))

        assert (piped, result.code, written.code) == (0, 2, 0)
        assert raw.getvalue().startswith(b"\x89PNG")
        assert (tmp_path / "x.png").read_bytes().startswith(b"\x89PNG")
        assert "cannot be shown on a terminal" in result.err


class TestCommands:
    def test_expiring_letters_are_drawn_by_day(self, truemed, emulator, tmp_path):
        now = datetime.now(UTC)
        for days in (2, 2, 4):
            emulator.state.qualification_sessions.add(status="approved", expires_at=now + timedelta(days=days))

        done = truemed("sessions", "expiring", "--within", "10d", "-o", str(tmp_path / "x.svg"))
        words = texts((tmp_path / "x.svg").read_bytes())

        assert (done.code, done.out) == (0, "")
        assert "3 Letters that expire within 10d, by day" in words
        assert f"{now + timedelta(days=3):%Y-%m-%d}" in words, "a day without one"

    def test_holds_are_drawn_by_the_day_on_which_they_may_end(self, truemed, emulator):
        payments = emulator.state.payment_sessions
        id = payments.add(kind="authorization", created_at=datetime.now(UTC) - timedelta(days=5))
        payments.submit(id)
        payments.approve(id)

        svg = truemed("payments", "holds", "--within", "5d", "--format", "svg").out

        assert {"1 hold that may end within 5d, by day", "authorized"} <= {*texts(svg)}

    def test_refundable_amounts_are_drawn_by_line(self, truemed):
        done = truemed(
            "--env", "emulator", "payments", "refundable", "5b0d2a3e-7a52-4f43-9f0e-0d2f1d0f6c11", "--format", "svg"
        )

        words = texts(done.out)
        assert {"$119.98 of this payment can be refunded", "Sauna blanket", "$119.98", "Dollars"} <= {*words}

    def test_refundable_chart_says_why_not(self, truemed):
        done = truemed(
            "--env", "emulator", "payments", "refundable", "7c1e4b60-2d95-4a3b-8b1c-5e6f70819203", "--format", "chart"
        )

        assert "Not now: not captured" in done.out

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            (("--format", "chart", "--columns", "id"), "--json and --columns do not apply to charts"),
            (("--format", "svg", "--json", "id"), "--json and --columns do not apply to charts"),
            (("--format", "csv", "--theme", "dark"), "--theme applies to svg and png"),
        ],
    )
    def test_options_that_do_not_apply_are_refused(self, truemed, emulator, options, message):
        done = truemed("payments", "holds", "--within", "5d", *options)

        assert (done.code, done.err) == (2, f"error: {message}\n")
        assert not emulator.requests
