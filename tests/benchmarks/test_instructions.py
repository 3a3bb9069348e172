"""What counts as a regression, and on which toolchain."""

import json

import pytest

from tests.benchmarks import instructions


@pytest.fixture
def counted(monkeypatch, tmp_path):
    """A machine with a toolchain and counts, beside committed ones."""
    file = tmp_path / "instructions.json"
    toolchain = {"python": "CPython 3.11.7", "orjson": "3.13.0"}
    file.write_text(json.dumps({"toolchain": toolchain, "instructions": {"decode": 1_000, "get": 500}}))
    monkeypatch.setattr(instructions, "FILE", file)
    monkeypatch.setattr("sys.argv", ["instructions"])
    monkeypatch.setattr(instructions, "find_toolchain", lambda: toolchain)

    def count(**found: int) -> int:
        monkeypatch.setattr(instructions, "measure", lambda: found)
        return instructions.main()

    return count


def test_five_percent_more_is_not_a_failure(counted):
    assert counted(decode=1_050, get=400) == 0


def test_more_than_five_percent_more_fails_and_names_the_part(counted, capsys):
    assert counted(decode=1_051, get=500) == 1
    assert capsys.readouterr().err == "WORSE by more than 5%: decode\n"


def test_another_toolchain_is_named_and_not_compared(counted, monkeypatch, capsys):
    monkeypatch.setattr(instructions, "find_toolchain", lambda: {"python": "CPython 3.11.7", "orjson": "4.0.0"})
    assert counted(decode=9_000, get=9_000) == 0
    written = capsys.readouterr().err
    assert "*** ANOTHER TOOLCHAIN" in written
    assert "orjson: 4.0.0, not 3.13.0" in written
    assert "python" not in written.lower()


def test_update_writes_counts_and_toolchain(counted, monkeypatch):
    monkeypatch.setattr("sys.argv", ["instructions", "--update"])
    assert counted(decode=2_000, get=500) == 0
    assert json.loads(instructions.FILE.read_text())["instructions"] == {"decode": 2_000, "get": 500}
    assert counted(decode=2_001, get=500) == 0


def test_the_committed_counts_are_those_of_every_part():
    committed = json.loads(instructions.FILE.read_text())
    assert set(committed["instructions"]) == set(instructions.PARTS)
    assert {"python", "build", "machine", "libc", "valgrind", *instructions.LIBRARIES} == set(committed["toolchain"])
