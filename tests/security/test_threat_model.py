"""The threat model promises nothing that no test holds."""

import re

import pytest

from tests.support.paths import ROOT

PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
TESTS = {
    name
    for file in (ROOT / "tests").rglob("test_*.py")
    for name in re.findall(r"^(?:async )?def (test_\w+)", file.read_text(encoding="utf-8"), re.MULTILINE)
}
NAMED = sorted(set(re.findall(r"`(test_\w+)`", PAGE)))


@pytest.mark.parametrize("name", NAMED)
def test_test_that_is_named_exists(name):
    assert name in TESTS


def test_every_row_names_a_test_or_leaves_the_matter_to_the_reader():
    rows = [line.strip("|").split(" | ") for line in PAGE.splitlines() if line.count(" | ") == 2 and "---" not in line]
    threats = [row for row in rows if row[0].strip() != "threat"]
    assert len(threats) >= 25
    for threat, existing, duty in threats:
        assert "`test_" in existing or "](" in existing or (not existing.strip() and duty.strip()), threat


def test_model_reference_is_linked():
    assert "(docs/threat-model.md)" in (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    assert re.search(r"^threat-model$", (ROOT / "docs" / "index.md").read_text(encoding="utf-8"), re.MULTILINE)
