"""The pictures of the pages: the one of the command line is what the program shows, and none is heavy."""

import re
import sys

import pytest

from tests.support.paths import ROOT

PICTURES = sorted((ROOT / "docs" / "pictures").iterdir())
MAX_BYTES = 120_000


def words_of(svg):
    """The text of a picture; where exactly rich draws it depends on its version."""
    return " ".join(" ".join(re.findall(r"<text [^>]*>([^<]*)</text>", svg)).replace("&#160;", " ").split())


def test_picture_of_the_command_line_is_what_the_commands_show(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs")
    picture = __import__("terminal_picture")
    monkeypatch.delitem(sys.modules, "terminal_picture")
    output = words_of(picture.FILE.read_text(encoding="utf-8"))
    assert "truemed payments summary" in output
    assert words_of(picture.draw()) == output, "run python docs/terminal_picture.py"


@pytest.mark.parametrize("file", PICTURES, ids=lambda file: file.name)
def test_picture_is_light_and_shown(file):
    assert file.stat().st_size < MAX_BYTES
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").glob("*.md"))
    assert f"(pictures/{file.name})" in pages


def test_picture_of_the_command_line_loads_nothing():
    svg = (ROOT / "docs" / "pictures" / "terminal.svg").read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\s\"']+", svg)) == {"http://www.w3.org/2000/svg"}
