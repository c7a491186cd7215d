"""For mkdocs: the lecture's pages, notebooks, slides and sheets, made of its sources."""

from __future__ import annotations

import os

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from lecture_export.site import write_files


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add everything under ``lecture/``; the code of all parts is run, or of those that
    SLUICE_LECTURE names."""
    names = os.environ.get("SLUICE_LECTURE")
    for path, content in write_files(names.split() if names else None).items():
        files.append(File.generated(config, f"lecture/{path}", content=content))
    return files
