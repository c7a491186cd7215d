"""Links to recordings elsewhere."""

from __future__ import annotations

import pytest

from sluice.studio.errors import StudioError
from sluice.studio.security.embeds import FRAME_SOURCES, parse_embed

GOOD = {
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ": ("youtube", "dQw4w9WgXcQ"),
    "https://m.youtube.com/watch?feature=share&v=dQw4w9WgXcQ&t=3": ("youtube", "dQw4w9WgXcQ"),
    "http://youtu.be/dQw4w9WgXcQ": ("youtube", "dQw4w9WgXcQ"),
    "https://www.youtube.com/shorts/dQw4w9WgXcQ": ("youtube", "dQw4w9WgXcQ"),
    " https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ ": ("youtube", "dQw4w9WgXcQ"),
    "https://vimeo.com/123456789": ("vimeo", "123456789"),
    "https://vimeo.com/123456789/0a1b2c3d4e": ("vimeo", "123456789/0a1b2c3d4e"),
    "https://player.vimeo.com/video/123456789?h=0a1b2c3d4e": ("vimeo", "123456789/0a1b2c3d4e"),
    "https://soundcloud.com/oconaillfolk/the-drunken-landlady": (
        "soundcloud", "oconaillfolk/the-drunken-landlady",
    ),
    "https://m.soundcloud.com/oconaillfolk/sets/march": ("soundcloud", "oconaillfolk/sets/march"),
}  # fmt: skip
HOSTILE = [
    "",
    "javascript:alert(1)//youtube.com/watch?v=dQw4w9WgXcQ",
    "data:text/html,https://youtu.be/dQw4w9WgXcQ",
    "ftp://youtube.com/watch?v=dQw4w9WgXcQ",
    "//youtube.com/watch?v=dQw4w9WgXcQ",
    "https://youtube.com.evil.example/watch?v=dQw4w9WgXcQ",
    "https://evilyoutube.com/watch?v=dQw4w9WgXcQ",
    "https://evil.example/?https://youtube.com/watch?v=dQw4w9WgXcQ",
    "https://youtube.com@evil.example/watch?v=dQw4w9WgXcQ",
    "https://user:password@youtube.com/watch?v=dQw4w9WgXcQ",
    r"https://evil.example\@youtube.com/watch?v=dQw4w9WgXcQ",
    r"https:\\youtube.com\watch?v=dQw4w9WgXcQ",
    "https://youtube.com:22/watch?v=dQw4w9WgXcQ",
    "https://youtube.com:x/watch?v=dQw4w9WgXcQ",
    "https://youtube.com/watch?v=dQw4w9WgXcQ%22onload=1",
    "https://youtube.com/watch?v=../../redirect?q=evil",
    "https://www.youtube.com/redirect?q=https://evil.example",
    "https://www.youtube.com/watch?v=<script>alert(1)</script>",
    "https://youtu.be/dQw4w9WgXcQ/../../evil",
    "https://youtu.be/dQw4w9WgXcQ\nSet-Cookie: a=b",
    "https://youtu.be/dQw4w9WgX\x00cQ",
    "https://y\u043eutube.com/watch?v=dQw4w9WgXcQ",
    "https://youtube.com\u3002evil.example/watch?v=dQw4w9WgXcQ",
    "https://[::1]/watch?v=dQw4w9WgXcQ",
    "https://[youtube.com/watch?v=dQw4w9WgXcQ",
    "http://127.0.0.1/watch?v=dQw4w9WgXcQ",
    "https://vimeo.com/123/../../evil",
    "https://player.vimeo.com/video/123?h=\"onload=1",
    "https://soundcloud.com/you/likes",
    "https://soundcloud.com/a/b&auto_play=true",
    "https://soundcloud.com/%2e%2e/evil",
    "https://soundcloud.com/a/../b",
    "https://on.soundcloud.com/abc",
    "https://youtu.be/" + "a" * 600,
]  # fmt: skip


@pytest.mark.parametrize(("link", "found"), GOOD.items())
def test_a_link_to_a_known_host_is_read(link: str, found: tuple[str, str]) -> None:
    embed = parse_embed(link)
    assert (embed.host, embed.host_id) == found
    assert embed.frame_url.startswith(tuple(f"{source}/" for source in FRAME_SOURCES))
    assert parse_embed(embed.page_url) == embed


@pytest.mark.parametrize("link", HOSTILE)
def test_a_hostile_link_is_refused(link: str) -> None:
    with pytest.raises(StudioError) as caught:
        parse_embed(link)
    assert caught.value.field == "url"
