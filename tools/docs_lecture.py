"""For mkdocs: the lecture's pages, notebooks, slides and sheets, made of its sources."""

from __future__ import annotations

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from lecture_export.site import write_files


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add everything under ``lecture/``; the parts' code is run once."""
    for path, content in write_files().items():
        files.append(File.generated(config, f"lecture/{path}", content=content))
    return files
