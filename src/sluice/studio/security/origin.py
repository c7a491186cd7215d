"""Where a request was sent from, and where a visitor may be sent on to."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers


def is_foreign(headers: Headers, address: str = "") -> bool:
    """Whether a browser says that a page of another site sent this request.

    Args:
        address: the site's public address; without one, that of the request.
    """
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return True
    origin = headers.get("origin")
    if origin is None:
        return False
    own = urlsplit(address).netloc if address else headers.get("host", "")
    return urlsplit(origin).netloc.lower() != own.lower()


def find_page(headers: Headers, address: str = "") -> str:
    """The path of this site's page on which a form was sent, as the browser says; else `/`.

    Args:
        address: as for `is_foreign`.
    """
    try:
        parts = urlsplit(headers.get("referer", ""))
        own = urlsplit(address).netloc if address else headers.get("host", "")
    except ValueError:
        return "/"
    if not own or parts.netloc.lower() != own.lower():
        return "/"
    return choose_next(f"{parts.path}?{parts.query}" if parts.query else parts.path)


_PATH = re.compile(
    r"/(?![/\\])[A-Za-z0-9/_.~?=&+,;:@!$'()*-]*(?:%[0-9A-Fa-f]{2}[^\\\s\x00-\x20]*)*"
)
_HIDDEN = re.compile(r"%(?:0[0-9A-Fa-f]|1[0-9A-Fa-f]|2[fF]|5[cC]|7[fF])")


def choose_next(path: str, default: str = "/") -> str:
    """The path to send a visitor to, if it is one of this site's; else `default`.

    >>> choose_next("/tunes/3?page=2"), choose_next("//evil.example/")
    ('/tunes/3?page=2', '/')
    """
    if len(path) > 500 or not _PATH.fullmatch(path) or _HIDDEN.search(path):
        return default
    # Dots could lead to two slashes at the beginning.
    return default if "//" in path or "/." in path else path
