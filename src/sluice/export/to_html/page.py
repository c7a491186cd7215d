"""A page in one file: its style and scripts inside, and nothing else allowed to run or load."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from sluice.export.errors import ExportError


@dataclass(frozen=True)
class PageScript:
    """A script of a page; a module may not be read by other scripts."""

    text: str
    is_module: bool = True


def build_page(
    title: str, body: str, style: str, scripts: Sequence[PageScript], hashes: Sequence[str] = ()
) -> str:
    """The HTML of a page whose policy allows these scripts and this style by their hashes.

    WebAssembly may be compiled, and nothing is fetched. ``hashes`` are those of styles that a
    script adds.

    Raises:
        ExportError: a script holds what ends a script in HTML.
    """
    for script in scripts:
        if "</script" in script.text.lower() or "<!--" in script.text:
            raise ExportError("a script of a page must not hold </script or <!--")
    allowed = " ".join(_hash(script.text) for script in scripts)
    styles = " ".join([_hash(style), *(f"'{one}'" for one in hashes)])
    policy = (
        f"default-src 'none'; script-src {allowed} 'wasm-unsafe-eval'; style-src {styles}; "
        "base-uri 'none'; form-action 'none'"
    )
    tags = "\n".join(
        f"<script type={'module' if script.is_module else 'text/javascript'}>{script.text}</script>"
        for script in scripts
    )
    return f"""\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>{style}</style>
<body>
{body}
{tags}
</html>
"""


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
