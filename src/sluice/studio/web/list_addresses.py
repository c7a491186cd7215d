"""Addresses of lists: one for each choice of filters, without what is left empty."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request

MAX_PAGE = 1_000_000


def write_address(path: str, values: Mapping[str, str], **changes: str | int | None) -> str:
    """An address with a query in the order of `values`, some of them changed or left out.

    >>> write_address("/tunes", {"q": "reel", "dance": "", "page": "2"}, page=3)
    '/tunes?q=reel&page=3'
    """
    merged = {**values, **{name: "" if v is None else str(v) for name, v in changes.items()}}
    query = urlencode([(name, value) for name, value in merged.items() if value])
    return f"{path}?{query}" if query else path


def find_better_address(request: Request, values: Mapping[str, str]) -> str | None:
    """Where a request for a list should go instead; None if its address is the usual one.

    Args:
        values: the parameters in their order, as the list understood them.
    """
    sent: Sequence[tuple[str, str]] = parse_qsl(request.url.query, keep_blank_values=True)
    usual = [(name, value) for name, value in values.items() if value]
    return None if list(sent) == usual else write_address(request.url.path, values)


def read_page(text: str) -> int:
    """The number of a page, from 1; the first where there is none."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 1
    return min(max(number, 1), MAX_PAGE)
