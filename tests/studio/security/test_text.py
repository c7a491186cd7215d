"""What members write becomes text, never script."""

from __future__ import annotations

import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.studio.errors import StudioError
from sluice.studio.security.text import MAX_TEXT, check_line, check_text, render_markdown

TAGS = {"p", "em", "strong", "a", "ul", "ol", "li", "blockquote", "code", "pre", "br", "hr"}
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "![x](javascript:alert(1))",
    "![x](https://example.org/x.png)",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](&#x6A&#x61;vascript:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](vbscript:msgbox(1))",
    "[x](//evil.example)",
    "[x](/logout)",
    '[x](https://a.example "onmouseover=alert(1)")',
    '[x](https://a.example/"onmouseover="alert(1))',
    "<javascript:alert(1)>",
    "<https://a.example/><b>",
    "[x]: javascript:alert(1)\n\n[x]",
    "```\n</code></pre><script>alert(1)</script>\n```",
    '``` "><script>alert(1)</script>\nx\n```',
    "<!-- --><svg/onload=alert(1)>",
    "`<b>`",
    "# Heading\n\nOther\n=====",
    "[x]()",
    "[x](<> 'title') [y](https://a.example)",
]


class Reader(HTMLParser):
    """Notes the tags that a browser would make of a text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def check(text: str) -> None:
    for tag, attributes in Reader(render_markdown(text)).tags:
        assert tag in TAGS
        assert set(attributes) <= {"href", "rel", "title", "class", "start"}
        if tag == "a":
            assert (attributes["href"] or "").lower().startswith(("http://", "https://", "mailto:"))
            assert attributes["rel"] == "nofollow ugc noopener"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_markdown_becomes_text(text: str) -> None:
    check(text)


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(["<", ">", "[", "](", ")", "!", "`", '"', "&", "#", ";", ":", "\n",
                                 "script", "javascript:", "http://a", "*", "_", "\\", " "]),
                max_size=40))  # fmt: skip
def test_any_markdown_becomes_known_tags(parts: list[str]) -> None:
    check("".join(parts))


def test_markdown_has_its_usual_marks() -> None:
    text = render_markdown("*a* **b** [c](https://example.org/?q=1&r=2)\n\n- d\n")
    assert text == (
        '<p><em>a</em> <strong>b</strong> <a href="https://example.org/?q=1&amp;r=2"'
        ' rel="nofollow ugc noopener">c</a></p>\n<ul>\n<li>d</li>\n</ul>\n'
    )


@pytest.mark.parametrize("part", ["[", "](", "> ", "*a **", "`", "<", "- ", "[a](b", "\\", "&#"])
def test_the_longest_text_is_read_at_once(part: str) -> None:
    text = (part * MAX_TEXT)[:MAX_TEXT]
    start = time.process_time()
    render_markdown(text)
    assert time.process_time() - start < 30  # nesting that is searched again takes minutes
    with pytest.raises(StudioError, match="at most 10000"):
        render_markdown(text + "x")


def test_text_is_stored_with_plain_newlines() -> None:
    assert check_text("  a\r\nb\rc \n", "text") == "a\nb\nc"
    assert check_line(" a \t b\n", "title") == "a b"
    assert check_text(" ", "text", needed=False) == ""


@pytest.mark.parametrize("text", ["", " \n", "a\x00b", "a\x1bb", "x" * 201, "\u202eevil", "\ud800"])
def test_text_that_is_not_taken_names_its_field(text: str) -> None:
    with pytest.raises(StudioError) as caught:
        check_line(text, "title")
    assert caught.value.field == "title"
