"""Check what is about to be released: two builds are equal, and the files, the metadata and the changelog are right.

``python -m tests.wheel.check_release FIRST SECOND OUTPUT [TAG]``: the folders of two builds, and where the notes go.
"""

from __future__ import annotations

import hashlib
import re
import sys
import tarfile
from pathlib import Path, PurePosixPath

from tests.wheel.check_contents import check_contents

ROOT = Path(__file__).parents[2]


def digests(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def check_source(archive: Path) -> None:
    with tarfile.open(archive) as source:
        names = {PurePosixPath(*PurePosixPath(member.name).parts[1:]) for member in source.getmembers()}
    for needed in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "noxfile.py", "tests/conftest.py"):
        assert PurePosixPath(needed) in names, f"the source archive has no {needed}"


def read_notes(version: str, tag: str | None) -> str:
    """Return the section of the changelog; with a tag, it has to be of that version, and dated."""
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    heading, _, text = changelog.split("\n## ", 1)[1].partition("\n")
    assert heading.split()[0] == version, f"the changelog begins with {heading!r}, and the version is {version}"
    if tag is not None:
        assert tag == f"v{version}", f"the tag is {tag}, and the version is {version}"
        assert re.fullmatch(re.escape(version) + r" \(\d{4}-\d\d-\d\d\)", heading), f"no date in {heading!r}"
    return text.split("\n## ")[0].strip() + "\n"


def main(first: str, second: str, output: str, tag: str | None = None) -> None:
    one, two = digests(Path(first)), digests(Path(second))
    assert one == two, f"two builds of one commit differ: {one} and {two}"
    (wheel,) = Path(first).glob("*.whl")
    (source,) = Path(first).glob("*.tar.gz")
    version = check_contents(wheel)
    check_source(source)
    Path(output).write_text(read_notes(version, tag), "utf-8")
    for name, digest in one.items():
        print(f"{digest}  {name}")


if __name__ == "__main__":
    main(*sys.argv[1:])
