"""For mkdocs: a link that leaves docs/ (``../bench/...``) names the file instead of linking to it."""

from __future__ import annotations

import re
from typing import Any


def on_page_markdown(markdown: str, **_: Any) -> str:
    """The page with links to files outside the site as plain code."""
    return re.sub(r"\[([^\]]+)\]\((?:\.\./)+((?:src|bench|examples)/[^)]+)\)", r"\1 (`\2`)", markdown)
