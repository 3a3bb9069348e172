"""Files that commands write: none is overwritten unasked, none is half written, none is thrown away unsaid."""

from __future__ import annotations

import csv
import io
import json
import os
import stat

import pytest

from tests.cli.test_export import FromPage2

EMULATOR = ("--env", "emulator", "--sessions", "3")
LIST = (*EMULATOR, "sessions", "list")


@pytest.fixture
def type_reply(terminal):
    """Streams of a person who types an answer."""

    def reply(text):
        return {"source": terminal(text), "err": terminal()}

    return reply


class TestSuffix:
    @pytest.mark.parametrize("option", ["-o", "--output"])
    def test_suffix_decides_the_format(self, truemed, tmp_path, option):
        for name in ("x.csv", "x.json", "x.jsonl", "x.TXT"):
            assert truemed(*LIST, option, str(tmp_path / name)).out == ""

        rows = list(csv.DictReader(io.StringIO((tmp_path / "x.csv").read_text(encoding="utf-8"))))
        ids = [row["qualification_session_id"] for row in rows]
        assert len(ids) > 2
        array = json.loads((tmp_path / "x.json").read_text(encoding="utf-8"))
        lines = [json.loads(line) for line in (tmp_path / "x.jsonl").read_text(encoding="utf-8").splitlines()]
        assert [row["qualification_session_id"] for row in array] == ids
        assert lines == array
        table = (tmp_path / "x.TXT").read_text(encoding="utf-8")
        assert all(id in table for id in ids), "an id in a file is never shortened"

    def test_other_suffix_is_refused_unless_format_is_given(self, truemed, tmp_path):
        file = tmp_path / "x.dat"
        refused = truemed(*LIST, "-o", str(file))

        assert (refused.code, refused.err) == (
            2,
            "error: --output must end in .csv, .json, .jsonl, .txt, unless --format is given\n",
        )
        assert truemed(*LIST, "-o", str(file), "--format", "csv").code == 0
        assert file.read_text(encoding="utf-8").startswith("qualification_session_id,")

    def test_dash_is_standard_output(self, truemed):
        assert len(truemed(*LIST, "-o", "-", "--json", "id").rows) > 2

    @pytest.mark.skipif(os.name == "nt", reason="permissions of POSIX")
    def test_only_the_owner_can_read_the_file(self, truemed, tmp_path):
        truemed(*LIST, "-o", str(tmp_path / "x.csv"))

        assert stat.S_IMODE((tmp_path / "x.csv").stat().st_mode) == 0o600

    @pytest.mark.skipif(os.name == "nt", reason="devices of POSIX")
    def test_device_is_written_as_it_is(self, truemed):
        assert truemed(*LIST, "-o", os.devnull, "--format", "csv").code == 0

    def test_file_that_cannot_be_written_is_an_error(self, truemed, tmp_path):
        done = truemed(*LIST, "-o", str(tmp_path / "missing" / "x.csv"))

        assert (done.code, done.out) == (2, "")
        assert "x.csv cannot be written: No such file" in done.err

    def test_failed_command_leaves_the_old_file_alone(self, truemed, emulator, tmp_path):
        file = tmp_path / "x.csv"
        file.write_text("old")
        for _ in range(60):
            emulator.state.qualification_sessions.add()
        emulator.faults.add(FromPage2(403))

        done = truemed("sessions", "list", "--all", "-o", str(file), "--force")

        assert done.code == 1
        assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]
        assert file.read_text() == "old"


COMMANDS = {
    "list": ("sessions", "list"),
    "summary": ("sessions", "summary"),
    "export": ("sessions", "export"),
    "chart": ("sessions", "expiring", "--format", "svg"),
}


def test_complete_file_is_nothing_to_resume(truemed, emulator, tmp_path):
    file = tmp_path / "x.csv"
    file.write_text("complete")

    done = truemed("sessions", "export", "-o", str(file), "--resume")

    assert done.code == 2
    assert done.err.startswith(f"error: {file} exists, and there is nothing to resume: pass --force to overwrite it")


@pytest.mark.parametrize(
    ("group", "has_letters"), [("sessions", True), ("tokens", True), ("payments", False), ("catalog", False)]
)
def test_help_of_a_summary_names_what_it_counts(truemed, group, has_letters):
    help = " ".join(truemed(group, "summary", "--help").out.split())

    assert f"by day of creation in UTC{', and Letters that expire' if has_letters else '.'}" in help


@pytest.mark.parametrize("argv", COMMANDS.values(), ids=COMMANDS)
class TestOverwriting:
    def test_pipe_needs_force(self, truemed, emulator, tmp_path, argv):
        file = tmp_path / "x.csv"
        file.write_text("old")

        refused = truemed(*argv, "-o", str(file))

        assert (refused.code, refused.out) == (2, "")
        assert refused.err == f"error: {file} exists: pass --force to overwrite it, or choose another --output\n"
        assert file.read_text() == "old"
        assert not emulator.requests
        assert truemed(*argv, "-o", str(file), "--force").code == 0
        assert file.read_text() != "old"

    def test_terminal_asks(self, truemed, emulator, type_reply, tmp_path, argv):
        file = tmp_path / "x.csv"
        file.write_text("old")

        no = truemed(*argv, "-o", str(file), **type_reply("n\n"))
        content = file.read_text()
        yes = truemed(*argv, "-o", str(file), **type_reply("y\n"))

        assert (no.code, yes.code, content) == (2, 0, "old")
        assert f"{file} exists. Overwrite it? [y/N] " in no.err
        assert file.read_text() != "old"

    def test_empty_file_is_no_loss(self, truemed, emulator, tmp_path, argv):
        file = tmp_path / "x.csv"
        file.touch()

        assert truemed(*argv, "-o", str(file)).code == 0


class TestUnfinishedExport:
    @pytest.fixture
    def unfinished(self, truemed, emulator, tmp_path):
        for _ in range(120):
            emulator.state.qualification_sessions.add(status="processing")
        emulator.faults.add(FromPage2(403))
        file = tmp_path / "x.jsonl"
        assert truemed("sessions", "export", "-o", str(file)).code == 1
        emulator.faults.clear()
        return file

    def test_pipe_says_how_to_resume_and_how_to_discard(self, truemed, emulator, unfinished):
        partial = unfinished.with_name("x.jsonl.partial")
        before = partial.read_bytes()

        done = truemed("sessions", "export", "-o", str(unfinished))

        assert (done.code, done.err) == (
            2,
            f"error: {partial} has the rows of an unfinished export: continue it with --resume, or discard it with --force\n",
        )
        assert partial.read_bytes() == before

    def test_resume_continues_it(self, truemed, unfinished):
        done = truemed("sessions", "export", "-o", str(unfinished), "--resume")

        assert done.code == 0
        assert "50 of them from the previous run" in done.err

    def test_force_discards_it(self, truemed, unfinished):
        done = truemed("sessions", "export", "-o", str(unfinished), "--force")

        assert done.code == 0
        assert "previous run" not in done.err
        assert len(unfinished.read_text(encoding="utf-8").splitlines()) == 120

    def test_terminal_asks_before_it_is_discarded(self, truemed, type_reply, unfinished):
        no = truemed("sessions", "export", "-o", str(unfinished), **type_reply("\n"))
        exists = unfinished.with_name("x.jsonl.partial").exists()
        yes = truemed("sessions", "export", "-o", str(unfinished), **type_reply("yes\n"))

        assert (no.code, exists, yes.code) == (2, True, 0)
        assert "which --resume would continue. Discard them? [y/N]" in no.err
        assert "previous run" not in yes.err

    def test_resume_does_not_overwrite_a_file_that_exists(self, truemed, unfinished):
        unfinished.write_text("newer")

        refused = truemed("sessions", "export", "-o", str(unfinished), "--resume")
        forced = truemed("sessions", "export", "-o", str(unfinished), "--resume", "--force")

        assert (refused.code, forced.code) == (2, 0)
        assert "50 of them from the previous run" in forced.err


def test_missing_standard_input_asks_no_question(tmp_path):
    from truemed_async.cli.files import ask_to
    from truemed_async.cli.output import Streams

    assert not ask_to(Streams(io.StringIO(), io.StringIO(), None), "Overwrite it?")
