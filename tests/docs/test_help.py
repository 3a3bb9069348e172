"""Runs every example of every command's help against one process of ``truemed emulator``."""

import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys

import pytest

from tests.support.paths import ROOT
from truemed_async.cli.app import make_app
from truemed_async.cli.examples import EXAMPLES, PENDING_PAYMENT
from truemed_async.cli.output import Streams
from truemed_async.cli.start import run
from truemed_async.webhooks import sign

RECEIVER = """
from datetime import timedelta

from truemed_async.webhooks import Receiver, SQLiteDedupStore

store = SQLiteDedupStore("events.db", retention=timedelta(days=36500))
receiver = Receiver(lambda event: None, secrets="whsec-of-an-example", store=store)
"""
FILES = {
    "accounts.csv": "email,user_id\nann@example.com,user-1\n",
    "catalog.csv": "sku,name,url\nSB-1,Box,https://shop.example/box\n",
    "config/truemed/config.toml": '[profiles.production]\napi_key_env = "SHOP_KEY"\n',
    "shop/webhooks.py": RECEIVER,
}


def commands_of(app, words=()):
    if app.default_command is not None:
        yield " ".join(words)
    for name in app:
        if not name.startswith("-"):
            yield from commands_of(app[name], (*words, name))


def lines_of(text):
    return [" ".join(line.split()) for line in text.replace("\\\n", " ").splitlines() if line.strip()]


PROGRAM = make_app(Streams(io.StringIO(), io.StringIO(), io.StringIO()))
LINES = [line for text in EXAMPLES.values() for line in lines_of(text)]
# Commands that run until Ctrl-C.
SERVERS = [line for line in LINES if line.startswith("truemed emulator") and "--print-env" not in line]
FOLLOWERS = [
    line
    for line in LINES
    if line.startswith(("truemed webhooks listen", "truemed logs tail")) and "--no-follow" not in line
]


def test_every_command_has_examples_of_itself():
    assert sorted(EXAMPLES) == sorted(commands_of(PROGRAM))
    for words, text in EXAMPLES.items():
        assert all(line.startswith(f"truemed {words}") for line in lines_of(text)), words


@pytest.mark.parametrize("words", EXAMPLES)
def test_help_begins_with_own_options_and_ends_with_examples(words, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    out = io.StringIO()
    assert run([*words.split(), "--help"], Streams(out, io.StringIO())) == 0
    description, *examples = out.getvalue().split("\nExamples:\n")
    (output,) = examples
    assert lines_of(output) == lines_of(EXAMPLES[words])
    titles = [line.strip("╭─╮ ") for line in description.splitlines() if line.startswith("╭")]
    assert "Global options" not in titles[:-1]


@pytest.mark.parametrize("words", [words for words in EXAMPLES if words])
def test_arguments_are_described_in_one_paragraph_with_their_choices(words, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    out = io.StringIO()
    assert run([*words.split(), "--help"], Streams(out, io.StringIO())) == 0
    command = PROGRAM
    for word in words.split():
        command = command[word]
    for argument in command.assemble_argument_collection(parse_docstring=True):
        text = argument.parameter.help or ""
        assert "\n" not in text, argument.name
        assert text in out.getvalue()
        if choices := argument.get_choices():
            names_each = all(re.search(rf"(?<!\w){choice}\b", text) for choice in choices)
            listing = f"{text} [choices: {', '.join(choices)}]"
            assert names_each is not (listing in out.getvalue()), argument.name


@pytest.fixture
def folder(plain_emulator, monkeypatch, tmp_path):
    """The files of the examples, and a home directory."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    body = json.dumps({"webhook_delivery_id": "wd_1", "event_type": "qualification_session_complete", "data": {
        "qualification_session_id": "qs_abc123", "status": "approved"}}).encode()  # fmt: skip
    (tmp_path / "body.json").write_bytes(body)
    headers = sign(body, "whsec-of-an-example")
    (tmp_path / "headers.txt").write_text("".join(f"{name}: {value}\n" for name, value in headers.items()))
    monkeypatch.setenv("TRUEMED_WEBHOOK_SECRET", "whsec-of-an-example")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("TRUEMED_PROFILE", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    for name in ("shop", "shop.webhooks"):
        sys.modules.pop(name, None)


def run_line(line):
    streams = Streams(io.StringIO(), io.StringIO(), io.StringIO())
    code = run(shlex.split(line)[1:], streams)
    return code, streams.out.getvalue(), streams.err.getvalue()


@pytest.mark.parametrize("line", [line for line in LINES if line not in (*SERVERS, *FOLLOWERS)])
def test_example_runs(line, folder):
    if "EXAMPLE-" in line:  # invoices are of the last weeks before the emulator's start
        code, out, _ = run_line("truemed invoices list")
        assert code == 0
        invoice = json.loads(out.splitlines()[0])
        line = line.replace("EXAMPLE-2026-10-22", invoice["number"]).replace("285.00", invoice["total"])
    if PENDING_PAYMENT in line:  # what is pending depends on the numbers of the generated data
        _, out, _ = run_line("truemed payments list --status pending --limit 1 --json id")
        line = line.replace(PENDING_PAYMENT, json.loads(out)["id"])
    if "logs tail" in line:
        run_line("truemed sessions get qs_abc123")
    code, out, err = run_line(line)
    assert code == 0, err
    assert out or err
    assert "error" not in err


@pytest.mark.parametrize("line", SERVERS)
def test_server_example_runs_until_interrupted(line, folder):
    # Tests run at once, but the fixed port can be taken only once.
    command = [sys.executable, "-m", "truemed_async", *shlex.split(line)[1:], "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("url ")
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
        finally:
            process.kill()


@pytest.mark.parametrize("line", FOLLOWERS)
def test_following_example_runs_until_interrupted(line, folder):
    command = [sys.executable, "-m", "truemed_async", *shlex.split(line)[1:]]
    run_line("truemed sessions get qs_unknown")  # a line of the log
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, **pipes) as process:
        try:
            first = (process.stderr if "listen" in line else process.stdout).readline()
            assert first.startswith(("listening on http://127.0.0.1:", '{"number":'))
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
        finally:
            process.kill()
