"""Where forms come from and where visitors are sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import Headers

from sluice.studio.security.origin import choose_next, find_page, is_foreign

HOSTILE = [
    "//evil.example", "///evil.example", r"/\evil.example", r"\\evil.example", "/%2f/evil.example",
    "/%2Fevil.example", "/%5cevil.example", "https://evil.example", "javascript:alert(1)",
    "/\t/evil.example", "/\n//evil.example",
    "/a\r\nSet-Cookie: b=c", "\x00/evil", " //evil.example",
    "/.//evil.example", "/./\\evil", "/..//evil.example", "/a/%0d%0aX:y", "evil.example", "",
    "/@evil.example/\\", "/tunes//evil.example", "/" + "a" * 600, "/tunes?a=%00",
]  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE)
def test_no_visitor_is_sent_elsewhere(path: str) -> None:
    assert choose_next(path) == "/"


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/tunes/3",
        "/tunes?page=2&q=slow%20air",
        "/c/abcdefghij/glass",
        "/tunes?q=%C3%A9t%C3%A9",
    ],
)
def test_own_paths_are_kept(path: str) -> None:
    assert choose_next(path) == path


@given(st.text(alphabet="/\\.:@%2f5c e\t\nvil?#&"))
def test_a_path_is_one_of_this_host(path: str) -> None:
    chosen = choose_next(path)
    assert chosen.startswith("/")
    assert not set(chosen) & set("\\\t\n\r\x00 ")
    assert "//" not in chosen


@pytest.mark.parametrize(
    ("headers", "address", "foreign"),
    [
        ({"host": "a.example"}, "", False),
        ({"host": "a.example", "sec-fetch-site": "same-origin"}, "", False),
        ({"host": "a.example", "sec-fetch-site": "cross-site"}, "", True),
        ({"host": "a.example", "sec-fetch-site": "same-site"}, "", True),
        ({"host": "a.example", "origin": "https://a.example"}, "", False),
        ({"host": "a.example", "origin": "https://evil.example"}, "", True),
        ({"host": "a.example", "origin": "null"}, "", True),
        ({"host": "127.0.0.1:8000", "origin": "https://a.example"}, "https://a.example", False),
        ({"host": "evil.example", "origin": "https://evil.example"}, "https://a.example", True),
    ],
)
def test_what_another_site_sent_is_foreign(
    headers: dict[str, str], address: str, foreign: bool
) -> None:
    assert is_foreign(Headers(headers), address) == foreign


@pytest.mark.parametrize(
    ("referer", "address", "page"),
    [
        ("http://a.example/tunes/3?page=2", "", "/tunes/3?page=2"),
        ("https://b.example/tunes/3", "https://b.example", "/tunes/3"),
        ("http://a.example/tunes/3", "https://b.example", "/"),
        ("http://evil.example/tunes/3", "", "/"),
        ("http://a.example//evil.example", "", "/"),
        ("http://a.example@evil.example/x", "", "/"),
        ("http://[/x", "", "/"),
        ("/tunes/3", "", "/"),
        ("", "", "/"),
    ],
)
def test_a_form_was_on_a_page_of_this_site(referer: str, address: str, page: str) -> None:
    assert find_page(Headers({"host": "a.example", "referer": referer}), address) == page
