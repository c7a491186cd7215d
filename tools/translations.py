"""Bring the studio's catalogues of texts up to date.

    python tools/translations.py            add new texts to every catalogue, drop unused ones
    python tools/translations.py --check    only say what is missing

Texts stand in templates and Python files as ``_("…")`` and ``ngettext("…", "…", n)``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

STUDIO = Path(__file__).parents[1] / "src/sluice/studio"
LOCALES = STUDIO / "locales"
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2)}


def extract_texts() -> Catalog:
    """All texts of the studio, with the files that have them."""
    catalog = Catalog(project="sluice", charset="utf-8", fuzzy=False)
    found = extract_from_dir(
        STUDIO, METHODS, keywords=KEYWORDS, comment_tags=("Translators:",),
        options_map={"templates/**.html": {"trimmed": "true", "silent": "false"}},
    )  # fmt: skip
    for name, _, message, comments, context in found:
        catalog.add(message, locations=[(Path(name).as_posix(), 0)], auto_comments=comments,
                    context=context)  # fmt: skip
    return catalog


def read_catalog(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.stem)


def list_problems(catalog: Catalog, texts: Catalog) -> Iterator[str]:
    """Texts that a catalogue lacks, has in vain, or has with other placeholders."""
    for message in texts:
        if message.id:
            entry = catalog.get(message.id)
            words = () if entry is None else entry.string
            words = words if isinstance(words, list | tuple) else (words,)
            if entry is None or not words or not all(words) or entry.fuzzy:
                yield f"not translated: {message.id!r}"
            elif errors := list(entry.check(catalog)):
                yield f"{message.id!r}: {errors[0]}"
    for entry in catalog:
        if entry.id and texts.get(entry.id) is None:
            yield f"unused: {entry.id!r}"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    options = parser.parse_args()
    texts, count = extract_texts(), 0
    for path in sorted(LOCALES.glob("*.po")):
        catalog = read_catalog(path)
        if not options.check:
            catalog.update(texts, no_fuzzy_matching=True)
            catalog.obsolete.clear()
            with path.open("wb") as file:
                write_po(file, catalog, width=100, sort_output=True, omit_header=False)
        for problem in list_problems(catalog, texts):
            print(f"{path.name}: {problem}")
            count += 1
    print(f"{len(texts)} texts, {count} to mend")
    return min(count, 1)


if __name__ == "__main__":
    sys.exit(main())
