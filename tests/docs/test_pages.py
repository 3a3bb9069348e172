"""Pages outside of docs/: the two commands of the README, links, quoted code; reasons of dependencies."""

import re
import tomllib

import pytest

import truemed_async
from tests.support.paths import ROOT

COMMANDS = (
    "pip install '.[cli]' && truemed --env emulator sessions export --output sessions.csv",
    "pip install nox && nox",
)


def test_readme_has_the_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    for command in COMMANDS:
        assert command in readme


def links_of(page):
    return re.findall(
        r"\]\(([^)#\s]+)[^)]*\)", re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    )


@pytest.mark.parametrize("name", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_of_a_page_resolve(name):
    for link in links_of(ROOT / name):
        assert link.startswith("https://") or (ROOT / link).exists(), link


def without_whitespace(text):
    return "".join(text.split())


def test_snippets_of_contributing_match_the_code():
    """CONTRIBUTING.md quotes the code; an outdated quotation fails here."""
    quotes = re.findall(r"```python\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), re.DOTALL)
    assert quotes
    code = [without_whitespace(file.read_text(encoding="utf-8")) for file in (ROOT / "truemed_async").rglob("*.py")]
    for quote in quotes:
        for part in quote.split("..."):
            assert any(without_whitespace(part) in file for file in code), part


def test_every_dependency_has_a_reason():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)
    requirements = [
        *project["project"]["dependencies"],
        *(each for extra in project["project"]["optional-dependencies"].values() for each in extra),
        *(each for group in project["dependency-groups"].values() for each in group if isinstance(each, str)),
        *project["build-system"]["requires"],
    ]
    explained = re.findall(r'^  "([^"]+)",  # \S', text, re.MULTILINE)
    assert sorted(requirements) == sorted(explained), "give each requirement its own line and a comment with its reason"


def test_changelog_has_this_version():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## \[?{re.escape(truemed_async.__version__)}\b", changelog, re.MULTILINE)


@pytest.mark.parametrize(
    ("fixture", "described", "link"),
    [
        ("client", "quickstart.md", "quickstart.md#run-the-examples"),
        ("pytest", "testing.md", "testing.md#set-pytest-up"),
    ],
)
def test_guides_say_how_to_run_their_examples(fixture, described, link):
    """A reader may have only this page: it links what ``client`` is, and how its tests are run."""
    for page in (ROOT / "docs").glob("*.md"):
        text = page.read_text(encoding="utf-8")
        if page.name != described and re.search(rf"^<!-- fixture: [^>]*\b{fixture}\b", text, re.MULTILINE):
            assert f"]({link})" in text, page.name
