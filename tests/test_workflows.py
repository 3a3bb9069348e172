"""The workflows name sessions and Python versions that exist, and pin every action to a commit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
NOXFILE = (ROOT / "noxfile.py").read_text("utf-8")
PYTHONS = re.findall(r'"(.+?)"', NOXFILE.split("PYTHONS = [")[1].split("]")[0])
SESSIONS = {
    named or function
    for named, function in re.findall(r'@nox\.session(?:\((?:name="(.+?)"|.*?)\))?\s+def (\w+)', NOXFILE)
}


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.stem)
def test_workflow_pins_actions_and_names_their_versions(workflow):
    used = re.findall(r"uses: (.+)", workflow.read_text("utf-8"))
    assert used
    for each in used:
        assert each.startswith("./") or re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.stem)
def test_workflow_runs_sessions_that_exist(workflow):
    text = workflow.read_text("utf-8").replace("tests-${{ matrix.python }}", "tests")
    for line in re.findall(r"nox -s (.+)", text):
        assert set(line.partition(" --")[0].split()) <= SESSIONS


def test_tests_workflow_covers_every_supported_python():
    text = (ROOT / ".github" / "workflows" / "tests.yml").read_text("utf-8")
    assert re.findall(r'"(3\.\d+)"', re.search(r"python: \[.+\]", text)[0]) == PYTHONS
    classifiers = re.findall(
        r'"Programming Language :: Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text("utf-8")
    )
    assert classifiers == PYTHONS
