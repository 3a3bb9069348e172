"""The built documentation contains every endpoint and every public name. `nox -s docs` runs this."""

import html
import os
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

import truemed_async
from tests.support.paths import ROOT
from truemed_async.cli.app import make_app
from truemed_async.cli.output import Streams
from truemed_async.emulator import FAULTS, Emulator
from truemed_async.emulator.webhooks.faults import WebhookFaults
from truemed_async.endpoints import ENDPOINTS


@pytest.fixture(scope="session")
def built():
    """Return the directory into which the `docs` session built."""
    return Path(os.environ["TRUEMED_DOCS"])


def text_of(page):
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


def test_endpoint_table_lists_every_endpoint(built):
    table = re.search(r"<table.*?</table>", (built / "endpoints.html").read_text(encoding="utf-8"), re.DOTALL)
    rows = [html.unescape(re.sub(r"<[^>]+>", "", row)) for row in table[0].split("<tr")[2:]]
    assert len(rows) == len(ENDPOINTS)
    for row, endpoint in zip(rows, ENDPOINTS, strict=True):
        assert endpoint.name in row
        assert f"{endpoint.method} {endpoint.path}" in row


def test_every_public_name_is_in_the_reference(built):
    reference = "".join(page.read_text(encoding="utf-8") for page in (built / "reference").glob("*.html"))
    anchors = set(re.findall(r'id="((?:truemed_async|module-truemed_async)[\w.]*)"', reference))
    modules = {"diagnostics", "emulator", "errors", "webhooks"}
    for name in truemed_async.__all__:
        assert (f"module-truemed_async.{name}" if name in modules else f"truemed_async.{name}") in anchors, name


@pytest.mark.parametrize(
    "module",
    [truemed_async.diagnostics, truemed_async.errors, truemed_async.emulator],
    ids=lambda module: module.__name__,
)
def test_every_public_name_of_a_module_is_in_the_reference(module, built):
    reference = "".join(page.read_text(encoding="utf-8") for page in (built / "reference").glob("*.html"))
    own = [
        name
        for name in getattr(module, "__all__", dir(module))
        if not name.startswith("_") and getattr(getattr(module, name), "__module__", "").startswith(module.__name__)
    ]
    assert own
    for name in own:
        assert f'id="{module.__name__}.{name}"' in reference, name


def test_every_page_is_reachable(built):
    pages = {page.relative_to(ROOT / "docs").with_suffix(".html") for page in (ROOT / "docs").rglob("*.md")}
    for page in pages:
        assert (built / page).is_file()


def commands_of(app, path=("truemed",)):
    """Yield every command with its app, from the command line itself."""
    groups = [name for name in app if not name.startswith("-")]
    if app.default_command is not None:
        yield " ".join(path), app
    for name in groups:
        yield from commands_of(app[name], (*path, name))


def test_every_command_and_its_options_are_in_the_reference(built):
    page = (built / "reference" / "cli.html").read_text(encoding="utf-8")
    sections = dict(re.findall(r'<section id="([\w-]+)">(.*?)(?=<section|</section>)', page, re.DOTALL))
    app = make_app(Streams.standard())
    commands = dict(commands_of(app))
    of_every_command = {argument.name for argument in app.assemble_argument_collection()}
    assert len(commands) > 30
    for command, each in commands.items():
        text = html.unescape(re.sub(r"<[^>]+>", "", sections[command.replace(" ", "-")])).replace("’", "'")
        assert each.help.partition("\n")[0].split("``")[0] in text, command
        for argument in each.assemble_argument_collection():
            if argument.parse and argument.show and argument.name not in of_every_command:
                assert argument.name in text, (command, argument.name)
                assert all(choice in text for choice in argument.get_choices() or ()), (command, argument.name)


def test_options_of_every_command_are_in_the_reference_once(built):
    text = text_of(built / "reference" / "cli.html")
    assert text.count("--base-url STR") == text.count("--env CHOICE") == 1
    assert text.index("\ntruemed¶") < text.index("--env CHOICE") < text.index("\ntruemed sessions¶")


@pytest.mark.parametrize("catalog", [FAULTS, WebhookFaults.catalog], ids=["requests", "webhooks"])
def test_every_fault_and_its_parameters_are_in_the_catalog(built, catalog):
    page = (built / "reference" / "faults.html").read_text(encoding="utf-8")
    for fault in catalog.values():
        start = page.index(f"<h3>{fault.name}<")
        section = html.unescape(re.sub(r"<[^>]+>", "", page[start : page.index("</section>", start)]))
        for word in fault.description.replace("``", "").split():
            assert word.strip("\"'") in section.replace("’", "'"), fault.name
        for name, parameter in fault.parameters.items():
            row = re.search(rf"^{name}\n(.+)\n(.+)$", section, re.MULTILINE)
            assert row, (fault.name, name)
            assert (row[2] == "required") is (parameter.default is parameter.empty)


def test_the_emulator_accepts_every_example_of_the_catalog(built, monkeypatch):
    monkeypatch.chdir(ROOT / "tests" / "emulator" / "faults")
    text = text_of(built / "reference" / "faults.html")
    examples = re.findall(r"^emulator\.(?:webhooks\.)?faults\.add\(.*\)$", text, re.MULTILINE)
    assert len(examples) == len(FAULTS) + len(WebhookFaults.catalog)
    with Emulator() as emulator:
        for example in examples:
            active = eval(example.replace("certificate.pem", "certificate_wrong.pem"), {"emulator": emulator})
            assert active.active, example
            active.remove()


def signatures_of(page):
    """Return the name and the text of each signature of a page."""
    found = re.findall(
        r'<dt class="sig sig-object py" id="([^"]+)">(.*?)</dt>', page.read_text(encoding="utf-8"), re.DOTALL
    )
    return [(name, html.unescape(re.sub(r"<[^>]+>", "", text)).strip()) for name, text in found]


@pytest.mark.parametrize("name", ["errors", "models", "emulator"])
def test_constructors_that_only_the_library_calls_are_hidden(name, built):
    signatures = dict(signatures_of(built / "reference" / f"{name}.html"))
    classes = {each: text for each, text in signatures.items() if text.startswith(("class ", "exception "))}
    lines = {each.rpartition(".")[2] for each, text in classes.items() if "(" in text}
    assert (
        lines
        == {
            "errors": set(),
            "models": {"AmountDetails", "DeepLink", "NextBillInfo", "OrderItem", "QualificationSessionUpdateParams"},
            "emulator": {"Dialect", "Emulator", "LineItem", "PaymentMethod", "ResponseBytes"},
        }[name]
    )
    assert len(classes) > 20


def test_long_signatures_of_the_reference_have_a_parameter_a_line(built):
    signatures = [each for page in (built / "reference").glob("*.html") for each in signatures_of(page)]
    assert any("\n" in text for _, text in signatures)
    for name, text in signatures:
        assert " at 0x" not in text, name
        if "(" in text:
            assert max(map(len, text.splitlines())) < 160, name


def test_no_name_is_in_the_reference_twice(built):
    names = [name for page in (built / "reference").glob("*.html") for name, _ in signatures_of(page)]
    assert len(names) == len(set(names))
    assert not [name for name in names if name.count("truemed_async") != 1]


def test_llms_files_have_every_page(built):
    listing = (built / "llms.txt").read_text(encoding="utf-8")
    full = (built / "llms-full.txt").read_text(encoding="utf-8")
    assert listing.startswith("# truemed-async\n\n> The Python client for")
    pages = {page.relative_to(ROOT / "docs").with_suffix(".html").as_posix() for page in (ROOT / "docs").rglob("*.md")}
    entries = re.findall(r"^- \[.+?\]\(([^)]+)\)(?:: .+)?$", listing, re.MULTILINE)
    assert set(entries) == pages - {"index.html"}
    assert re.findall(r"^<!-- (\S+\.html) -->$", full, re.MULTILINE) == ["index.html", *entries]


def test_llms_text_contains_what_is_generated(built):
    full = (built / "llms-full.txt").read_text(encoding="utf-8")
    assert "class truemed_async.AsyncTruemed(" in full
    assert "truemed payments refund --amount" in full
    assert 'emulator.faults.add("status", code=503' in full


@pytest.mark.skipif(find_spec("sphinx_copybutton") is None, reason="needs sphinx-copybutton, of the group docs")
def test_pages_have_copy_buttons_that_leave_out_the_prompt(built):
    script = (built / "_static" / "copybutton.js").read_text(encoding="utf-8")
    assert "$ " in script
    assert "copybutton.js" in (built / "quickstart.html").read_text(encoding="utf-8")
