"""Answers that a browser saves as a file."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote

from fastapi import Response


def answer_file(content: str | bytes, title: str, suffix: str, media_type: str) -> Response:
    """A file named after a title.

    >>> answer_file("", "Séan’s jig / no. 2", "abc", "text/plain").headers["content-disposition"]
    "attachment; filename=sean-s-jig-no-2.abc; filename*=UTF-8''s%C3%A9an-s-jig-no-2.abc"
    """
    full = re.sub(r"[\W_]+", "-", unicodedata.normalize("NFC", title).casefold()).strip("-")[:60]
    plain = unicodedata.normalize("NFKD", full).encode("ascii", "ignore").decode()
    name = f"{re.sub('-+', '-', plain).strip('-') or 'tune'}.{suffix}"
    disposition = f"attachment; filename={name}"
    if full:
        disposition += f"; filename*=UTF-8''{quote(f'{full}.{suffix}')}"
    return Response(content, media_type=media_type, headers={"content-disposition": disposition})
