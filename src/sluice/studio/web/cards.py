"""Model cards: Markdown with tables, which the keeper's own files hold."""

from __future__ import annotations

from functools import lru_cache

from markdown_it import MarkdownIt
from markupsafe import Markup

_MOST = 50_000
_DEEPER = 2  # a card's title stands below the page's and the list's


@lru_cache(maxsize=32)
def render_card(text: str) -> Markup:
    """A card as HTML; links that lead into its repository are plain text, pictures are left out."""
    tokens = _markdown.parse(text[:_MOST])
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + _DEEPER)}"
        elif token.attrGet("style") == "text-align:right":
            token.attrs = {"class": "number"}
        else:  # the pages' policy allows no styles in attributes
            token.attrs.pop("style", None)
    html = _markdown.renderer.render(tokens, _markdown.options, {})
    # A table may be wider than a telephone.
    html = html.replace("<table>", '<div class="table-scroll"><table>')
    html = html.replace("</table>", "</table></div>")
    return Markup(html)


def _is_public_link(url: str) -> bool:
    return url.startswith(("https://", "http://"))


_markdown = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
_markdown.validateLink = _is_public_link  # type: ignore[method-assign]
