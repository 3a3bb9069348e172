"""What the pages promise: the README's two commands, every endpoint, every public name, and snippets that are true."""

import html
import re
import subprocess
import sys
from pathlib import Path

import pytest

import truemed_async
from truemed_async.endpoints import ENDPOINTS

ROOT = Path(__file__).parents[2]
COMMANDS = (
    "pip install '.[cli]' && truemed --env emulator sessions export --output sessions.csv",
    "pip install nox && nox",
)


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """Build the documentation as its readers get it; every warning and every dangling reference is an error."""
    folder = tmp_path_factory.mktemp("html")
    command = [sys.executable, "-m", "sphinx", "-nW", "--keep-going", "-q", "-b", "html", "-d", folder / "doctrees"]
    done = subprocess.run(
        [*command, ROOT / "docs", folder / "html"], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


def text_of(page):
    return html.unescape(re.sub(r"<[^>]+>", "", page.read_text(encoding="utf-8")))


def test_the_endpoint_table_lists_every_endpoint(built):
    table = re.search(r"<table.*?</table>", (built / "endpoints.html").read_text(encoding="utf-8"), re.DOTALL)
    rows = [html.unescape(re.sub(r"<[^>]+>", "", row)) for row in table[0].split("<tr")[2:]]
    assert len(rows) == len(ENDPOINTS)
    for row, endpoint in zip(rows, ENDPOINTS, strict=True):
        assert endpoint.name in row
        assert f"{endpoint.verb} {endpoint.path}" in row


def test_every_public_name_is_in_the_reference(built):
    reference = "".join(page.read_text(encoding="utf-8") for page in (built / "reference").glob("*.html"))
    anchors = set(re.findall(r'id="((?:truemed_async|module-truemed_async)[\w.]*)"', reference))
    modules = {"emulator", "errors"}
    for name in truemed_async.__all__:
        assert (f"module-truemed_async.{name}" if name in modules else f"truemed_async.{name}") in anchors, name


@pytest.mark.parametrize("module", [truemed_async.errors, truemed_async.emulator], ids=lambda module: module.__name__)
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


def test_the_readme_has_the_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    for command in COMMANDS:
        assert command in readme


def links_of(page):
    return re.findall(r"\]\(([^)#\s]+)[^)]*\)", re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL))


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_lead_somewhere(name):
    for link in links_of(ROOT / name):
        assert link.startswith("https://") or (ROOT / link).exists(), link


def test_the_snippets_of_contributing_are_the_code():
    """The walk-through quotes the code; a quotation that has aged fails here."""
    quotes = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL)
    assert quotes
    code = "".join(
        " ".join(file.read_text(encoding="utf-8").split()) for file in (ROOT / "truemed_async").rglob("*.py")
    )
    for quote in quotes:
        for part in quote.split("..."):
            assert " ".join(part.split()) in code, part


def test_contributing_explains_every_dependency():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = [
        *project["project"]["dependencies"],
        *(each for extra in project["project"]["optional-dependencies"].values() for each in extra),
        *(each for group in project["dependency-groups"].values() for each in group if isinstance(each, str)),
        *project["build-system"]["requires"],
    ]
    contributing = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for requirement in wanted:
        name = re.match(r"[\w-]+", requirement)[0]
        assert f"| `{name}` |" in contributing, name


def test_the_changelog_is_about_this_version():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[?{re.escape(truemed_async.__version__)}\b", changelog, re.MULTILINE)
