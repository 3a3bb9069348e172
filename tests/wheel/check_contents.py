"""Check the files and the metadata of a wheel: ``python -m tests.wheel.check_contents WHEEL``."""

from __future__ import annotations

import re
import sys
import zipfile
from email.parser import BytesParser
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
SUFFIXES = {".py", ".typed", ".html", ".css", ".lua"}  # pictures belong to the docs


def check_contents(wheel: Path) -> str:
    """Check the files and the metadata of the wheel, and return its version."""
    with zipfile.ZipFile(wheel) as archive:
        names = [PurePosixPath(name) for name in archive.namelist()]
        (metadata,) = [name for name in names if name.name == "METADATA"]
        fields = BytesParser().parsebytes(archive.read(str(metadata)))
    code = [name for name in names if name.parts[0] == "truemed_async"]
    others = {name.parts[0] for name in names} - {"truemed_async", metadata.parts[0]}
    assert not others, f"the wheel installs {others}"
    assert "_codegen.py" not in {name.name for name in code}, "the generator is not for users"
    assert {name.suffix for name in code} <= SUFFIXES, sorted({name.suffix for name in code} - SUFFIXES)
    assert not [name for name in code if name.name.startswith("test_") or "tests" in name.parts]
    assert {"py.typed", "sync/_generated.py"} <= {str(name.relative_to("truemed_async")) for name in code}
    assert any(name.name == "LICENSE" for name in names)
    pythons = re.findall(r'"(3\.\d+)"', (ROOT / "noxfile.py").read_text("utf-8").split("PYTHONS = ")[1].split("]")[0])
    declared = [each.rpartition(" ")[2] for each in fields.get_all("Classifier") if " :: 3." in each]
    assert declared == pythons, f"the classifiers declare {declared}, and the tests run on {pythons}"
    assert all(re.search(r"[<>=]", each) for each in fields.get_all("Requires-Dist")), "a dependency has no lower bound"
    return fields["Version"]


if __name__ == "__main__":
    check_contents(Path(sys.argv[1]))
