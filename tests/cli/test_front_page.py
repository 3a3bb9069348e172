"""The help of the program itself: the same as cyclopts would draw, without loading it."""

from __future__ import annotations

import io
import os
import sys
from types import SimpleNamespace

import pytest

from truemed_async import __version__
from truemed_async.cli.app import make_app
from truemed_async.cli.front_page import draw_front_page, find_width
from truemed_async.cli.output import Streams


def draw_by_cyclopts(width, monkeypatch):
    monkeypatch.setenv("COLUMNS", str(width))
    out = io.StringIO()
    make_app(Streams(out, io.StringIO()), ()).help_print([])
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.mark.parametrize("width", [*range(40, 140, 3), 60, 80, 200, 400])
def test_front_page_is_the_one_that_cyclopts_draws(width, monkeypatch):
    assert draw_front_page(width, is_colored=False).splitlines() == draw_by_cyclopts(width, monkeypatch)


def test_colors_do_not_change_the_layout():
    colored = draw_front_page(60, is_colored=True)
    assert "\x1b[1mUsage:\x1b[0m truemed" in colored
    assert "│ \x1b[36msessions       \x1b[0m  Qualification" in colored
    for code in ("\x1b[1m", "\x1b[36m", "\x1b[0m"):
        colored = colored.replace(code, "")
    assert colored == draw_front_page(60, is_colored=False)


@pytest.mark.parametrize("argv", [(), ("-h",), ("--help",)])
def test_words_that_show_the_front_page(truemed, argv):
    done = truemed(*argv)
    assert (done.code, done.out, done.err) == (0, draw_front_page(160, is_colored=False), "")


@pytest.mark.parametrize("argv", [("-V",), ("--version",)])
def test_words_that_show_the_version(truemed, argv):
    assert truemed(*argv).out == f"{__version__}\n"


@pytest.mark.parametrize(
    ("environment", "is_colored"),
    [
        ({"TERM": "xterm"}, True),
        ({"TERM": "xterm", "NO_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
    ],
)
def test_terminal_shows_colors_unless_it_has_none(truemed, terminal, monkeypatch, environment, is_colored):
    for name in ("TERM", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert truemed("--help", out=terminal()).out == draw_front_page(160, is_colored=is_colored)


@pytest.mark.parametrize(("platform", "encoding"), [("win32", "utf-8"), ("linux", "ascii")])
def test_other_terminals_are_drawn_by_rich(truemed, terminal, monkeypatch, platform, encoding):
    class OtherTerminal(terminal):
        @property
        def encoding(self):
            return encoding

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("truemed_async.cli.start.sys", SimpleNamespace(platform=platform))
    monkeypatch.setattr("truemed_async.cli.start.draw_front_page", None)
    output = truemed("--help", out=OtherTerminal()).out
    assert ("╭" in output) == (encoding == "utf-8")
    assert "Commands" in output


class TestFindWidth:
    @pytest.mark.parametrize(("columns", "width"), [("100", 100), ("8", 40), ("wide", 90), ("", 90)])
    def test_variable_precedes_terminal(self, monkeypatch, columns, width):
        monkeypatch.setenv("COLUMNS", columns)
        monkeypatch.setattr(os, "get_terminal_size", lambda _: os.terminal_size((90, 25)))
        monkeypatch.setattr(sys, "__stdin__", sys.__stderr__)
        assert find_width() == width

    def test_first_stream_that_is_a_terminal_counts(self, monkeypatch):
        class Stream:
            def __init__(self, number):
                self.number = number

            def fileno(self):
                if self.number == 1:
                    raise ValueError("it is closed")
                return self.number

        def get_terminal_size(number):
            if number == 0:
                raise OSError("it is no terminal")
            return os.terminal_size((70, 25))

        monkeypatch.delenv("COLUMNS")
        for number, name in enumerate(("__stdin__", "__stdout__", "__stderr__")):
            monkeypatch.setattr(sys, name, Stream(number))
        monkeypatch.setattr(os, "get_terminal_size", get_terminal_size)
        assert find_width() == 70

    def test_80_columns_without_terminal(self, monkeypatch):
        monkeypatch.delenv("COLUMNS")
        for name in ("__stdin__", "__stdout__", "__stderr__"):
            monkeypatch.setattr(sys, name, None)
        assert find_width() == 80
