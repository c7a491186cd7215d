"""Check that everything names the version that is being released.

python tools/check_release.py v0.2.0            the tag against the version, changelog, citation
python tools/check_release.py v0.2.0 --notes    print what CHANGELOG.md says of it
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def read_version(root: Path = ROOT) -> str:
    text = (root / "src/sluice/_version.py").read_text(encoding="utf-8")
    found = re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)
    if found is None:
        raise ValueError("src/sluice/_version.py has no line __version__ = ...")
    return found.group(1)


def read_notes(version: str, root: Path = ROOT) -> tuple[str, str]:
    """The heading of a version's section in CHANGELOG.md, and what stands below it."""
    text = (root / "CHANGELOG.md").read_text(encoding="utf-8")
    for section in text.split("\n## ")[1:]:
        heading, _, notes = section.partition("\n")
        if heading.startswith(f"[{version}]"):
            return heading, notes.strip()
    return "", ""


def list_faults(tag: str, root: Path = ROOT) -> list[str]:
    """One sentence for each thing that must be changed before the tag can be released."""
    version, faults = read_version(root), []
    if tag != f"v{version}":
        faults.append(f"The tag is {tag}, and src/sluice/_version.py has {version}.")
    heading, notes = read_notes(version, root)
    if not re.fullmatch(rf"\[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d", heading) or not notes:
        faults.append(f"CHANGELOG.md needs '## [{version}] - YYYY-MM-DD' with notes below it.")
    if read_notes("Unreleased", root)[1]:
        faults.append(f"CHANGELOG.md: move what stands under [Unreleased] to [{version}].")
    citation = (root / "CITATION.cff").read_text(encoding="utf-8").splitlines()
    if f"version: {version}" not in citation:
        faults.append(f"CITATION.cff needs the line 'version: {version}'.")
    return faults


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tag")
    parser.add_argument("--notes", action="store_true", help="print the notes of the version")
    arguments = parser.parse_args()
    if arguments.notes:
        print(read_notes(arguments.tag.removeprefix("v"))[1])
    elif faults := list_faults(arguments.tag):
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
