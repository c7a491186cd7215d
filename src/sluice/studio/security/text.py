"""What members write: plain lines and Markdown, from which no script or picture can come."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup

from sluice.studio.errors import StudioError
from sluice.studio.languages import gettext as _

MAX_TEXT = 10_000
"""The longest text, in characters."""

_SCHEMES = ("http://", "https://", "mailto:")
_REL = "nofollow ugc noopener"
# Headings would break the order of those of the page.
_WITHOUT = ["image", "html_block", "html_inline", "heading", "lheading", "entity"]


def render_markdown(text: str) -> Markup:
    """Markdown as HTML: no tags of the writer's own, no pictures, links that lead away marked.

    Raises:
        StudioError: it is longer than `MAX_TEXT`.

    >>> render_markdown("*Slowly*, <b>please</b>")
    Markup('<p><em>Slowly</em>, &lt;b&gt;please&lt;/b&gt;</p>\\n')
    """
    if len(text) > MAX_TEXT:
        raise StudioError(
            _("The text has {count} characters; at most {limit} are taken.").format(
                count=len(text), limit=MAX_TEXT
            )
        )
    return Markup(_markdown.render(text))


def check_text(text: str, field: str, limit: int = MAX_TEXT, needed: bool = True) -> str:
    """A text as it is stored: lines end in newlines, nothing invisible, no space around it.

    Raises:
        StudioError: it is empty though needed, too long, or has control characters.
    """
    text = unicodedata.normalize("NFC", re.sub(r"\r\n?", "\n", text)).strip()
    if needed and not text:
        raise StudioError(_("Please write something here."), field)
    if len(text) > limit:
        raise StudioError(
            _("The text has {count} characters; at most {limit} are taken.").format(
                count=len(text), limit=limit
            ),
            field,
        )
    for character in text:
        if unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\t":
            raise StudioError(
                _("The text has the control character {code}; please take it out.").format(
                    code=f"U+{ord(character):04X}"
                ),
                field,
            )
    return text


def check_line(text: str, field: str, limit: int = 200, needed: bool = True) -> str:
    """A text of one line, such as a title: spaces in a row become one.

    Raises:
        StudioError: as `check_text`; also for characters that turn the direction of what
            follows them on the page.
    """
    text = check_text(re.sub(r"\s+", " ", text), field, limit, needed)
    if any(unicodedata.bidirectional(c) in _TURNING for c in text):
        raise StudioError(
            _("The text has invisible characters that turn its direction; take them out."), field
        )
    return text


_TURNING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def _is_link_allowed(url: str) -> bool:
    return url.lower().startswith(_SCHEMES)


def _open_link(
    renderer: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any
) -> str:
    tokens[index].attrSet("rel", _REL)
    return renderer.renderToken(tokens, index, options, env)


def _hide_empty_links(state: StateCore) -> None:
    """A link to nothing, such as [text](), is its text alone."""
    for block in state.tokens:
        opened = list[Token]()
        for token in block.children or ():
            if token.type == "link_open":
                opened.append(token)
                token.hidden = not token.attrGet("href")
            elif token.type == "link_close" and opened:
                token.hidden = opened.pop().hidden


def _create_markdown() -> MarkdownIt:
    markdown = MarkdownIt("commonmark", {"html": False, "maxNesting": 20})
    markdown.disable(_WITHOUT)
    markdown.validateLink = _is_link_allowed  # type: ignore[method-assign]
    markdown.core.ruler.push("hide_empty_links", _hide_empty_links)
    markdown.add_render_rule("link_open", _open_link)
    return markdown


_markdown = _create_markdown()
