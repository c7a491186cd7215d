"""Links to recordings elsewhere: only their number is taken, and the address is built anew.

Nothing here asks the network; whether the recording exists is seen by who plays it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote, urlsplit

from sluice.studio.errors import StudioError
from sluice.studio.languages import gettext as _

FRAME_SOURCES = (
    "https://www.youtube-nocookie.com",
    "https://player.vimeo.com",
    "https://w.soundcloud.com",
)
"""For the `frame-src` of pages that show recordings."""

_YOUTUBE = re.compile(r"[A-Za-z0-9_-]{11}")
_VIMEO = re.compile(r"[0-9]{1,12}(?:/[0-9a-f]{6,20})?")
_SOUNDCLOUD = re.compile(r"[a-z0-9_-]{1,60}/(?:sets/)?[a-z0-9_-]{1,120}(?:/s-[A-Za-z0-9]{1,20})?")
_SOUNDCLOUD_PAGES = {
    "albums", "comments", "followers", "following", "likes", "popular-tracks", "reposts", "sets",
    "tracks",
}  # fmt: skip
_SOUNDCLOUD_SITE = {"charts", "discover", "pages", "search", "settings", "stream", "tags", "you"}


@dataclass(frozen=True)
class Embed:
    """A recording on a known host.

    Attributes:
        host: `youtube`, `vimeo` or `soundcloud`.
        host_id: what the host calls it.
    """

    host: str
    host_id: str

    @property
    def name(self) -> str:
        """The host's name as people know it."""
        return {"youtube": "YouTube", "vimeo": "Vimeo", "soundcloud": "SoundCloud"}[self.host]

    @property
    def page_url(self) -> str:
        """The recording's page at the host."""
        if self.host == "youtube":
            return f"https://www.youtube.com/watch?v={self.host_id}"
        if self.host == "vimeo":
            return f"https://vimeo.com/{self.host_id}"
        return f"https://soundcloud.com/{self.host_id}"

    @property
    def frame_url(self) -> str:
        """The address of the host's player, for a frame that a click loads."""
        if self.host == "youtube":
            return f"https://www.youtube-nocookie.com/embed/{self.host_id}"
        if self.host == "vimeo":
            number, _slash, unlisted = self.host_id.partition("/")
            suffix = f"?h={unlisted}" if unlisted else ""
            return f"https://player.vimeo.com/video/{number}{suffix}"
        return f"https://w.soundcloud.com/player/?url={quote(self.page_url, safe='')}"


def parse_embed(link: str, field: str = "url") -> Embed:
    """The recording that a link leads to.

    Raises:
        StudioError: the link is none to a recording on YouTube, Vimeo or SoundCloud.

    >>> parse_embed("https://youtu.be/dQw4w9WgXcQ?t=10")
    Embed(host='youtube', host_id='dQw4w9WgXcQ')
    """
    found = _find_embed(link.strip())
    if found is None:
        raise StudioError(
            _(
                "This is no link to a recording on YouTube, Vimeo or SoundCloud. Copy the address"
                " of the recording's page there, such as https://youtu.be/…"
            ),
            field,
        )
    return found


def _find_embed(link: str) -> Embed | None:
    # What browsers and Python read differently is refused before it is read.
    if len(link) > 500 or not re.fullmatch(r"[!-\[\]-~]+", link):
        return None
    try:
        parts = urlsplit(link)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or port is not None or "@" in parts.netloc:
        return None
    host = parts.netloc.lower().removeprefix("www.").removeprefix("m.")
    path, query = parts.path.strip("/"), dict(parse_qsl(parts.query))
    if host in ("youtube.com", "youtube-nocookie.com", "music.youtube.com", "youtu.be"):
        return _make("youtube", _YOUTUBE, _get_youtube_id(host, path, query))
    if host in ("vimeo.com", "player.vimeo.com"):
        number = path.removeprefix("video/") if host == "player.vimeo.com" else path
        unlisted = f"/{query['h']}" if "h" in query and "/" not in number else ""
        return _make("vimeo", _VIMEO, number + unlisted)
    if host == "soundcloud.com":
        names = path.split("/")
        if names[0] in _SOUNDCLOUD_SITE or names[-1] in _SOUNDCLOUD_PAGES:
            return None
        return _make("soundcloud", _SOUNDCLOUD, path)
    return None


def _get_youtube_id(host: str, path: str, query: dict[str, str]) -> str:
    if host == "youtu.be":
        return path
    if path == "watch":
        return query.get("v", "")
    kind, _slash, name = path.partition("/")
    return name if kind in ("embed", "shorts", "live", "v") else ""


def _make(host: str, pattern: re.Pattern[str], host_id: str) -> Embed | None:
    return Embed(host, host_id) if pattern.fullmatch(host_id) else None
