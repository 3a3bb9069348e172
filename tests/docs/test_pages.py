"""What the pages outside of docs/ promise: the README's two commands, links, quotations of the code, dependencies."""

import re
import tomllib

import pytest

import truemed_async
from tests.support.paths import ROOT

COMMANDS = (
    "pip install '.[cli]' && truemed --env emulator sessions export --output sessions.csv",
    "pip install nox && nox",
)


def test_the_readme_has_the_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    for command in COMMANDS:
        assert command in readme


def links_of(page):
    return re.findall(
        r"\]\(([^)#\s]+)[^)]*\)", re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    )


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_lead_somewhere(name):
    for link in links_of(ROOT / name):
        assert link.startswith("https://") or (ROOT / link).exists(), link


def without_blanks(text):
    return "".join(text.split())


def test_the_snippets_of_contributing_are_the_code():
    """The walk-through quotes the code; a quotation that has aged fails here."""
    quotes = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL)
    assert quotes
    code = [without_blanks(file.read_text(encoding="utf-8")) for file in (ROOT / "truemed_async").rglob("*.py")]
    for quote in quotes:
        for part in quote.split("..."):
            assert any(without_blanks(part) in file for file in code), part


def test_contributing_explains_every_dependency():
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
