"""Who visits: a secret cookie for everyone, a member for some."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sluice.studio.accounts.sessions import COOKIE
from sluice.studio.archive.tables import Member
from sluice.studio.archive.visibility import is_own
from sluice.studio.languages import choose_language, list_languages, set_language
from sluice.studio.security.keys import is_signature, sign
from sluice.studio.security.limits import KEEPER, hash_address

_WITHOUT_VISITOR = ("/static/", "/healthz", "/metrics", "/api/")
_FRESH, _COOKIES = "fresh_secret", "cookies"
LONGEST_SECONDS = 400 * 24 * 3600
"""For which browsers store a cookie."""


@dataclass(frozen=True)
class Visitor:
    """Who sent a request.

    Attributes:
        secret: of the cookie that every browser gets; it claims what was composed in it.
        address: the network address, as text.
        language: a code of `list_languages`.
        member: who is logged in.
        session_hash: of the member's session in this browser, or empty.
        key: the site's.
    """

    secret: str
    address: str
    language: str
    member: Member | None = None
    session_hash: str = ""
    key: bytes = field(default=b"", repr=False)

    @property
    def claim_hash(self) -> str:
        """What is stored beside what this browser made; not the secret; empty for programs."""
        return (
            "" if not self.secret else hashlib.sha256(f"claim {self.secret}".encode()).hexdigest()
        )

    @property
    def address_hash(self) -> str:
        """Digits in place of the address, for limits that hold for everyone there."""
        return hash_address(self.key, self.address)

    @property
    def who(self) -> str:
        """Whom limits count: the member, or the address of a visitor who is none."""
        if self.member is None:
            return self.address_hash
        return f"{KEEPER if self.member.is_keeper else 'member '}{self.member.id}"

    @property
    def csrf_token(self) -> str:
        """What the site's own forms carry and no other site knows."""
        return sign(self.key, "form", f"{self.secret} {self.session_hash}")

    def is_token_right(self, token: str) -> bool:
        """Whether a form came from this site's page in this browser."""
        return is_signature(self.key, "form", f"{self.secret} {self.session_hash}", token)

    def has_made(self, post: object) -> bool:
        """Whether this visitor made something: as its author or owner, or in this browser."""
        return is_own(post, self.member, self.claim_hash)


class VisitorMiddleware:
    """Gives each browser its secret cookie, and each request its language."""

    def __init__(self, app: ASGIApp, is_secure: bool, language: str) -> None:
        self._app, self._language = app, language
        self._name = get_cookie_name("visitor", is_secure)
        self._suffix = "; Secure" if is_secure else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_WITHOUT_VISITOR):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        cookies = parse_cookies(headers.get("cookie", ""))
        secret = cookies.get(self._name, "")
        is_new = not (len(secret) == 43 and secret.isascii())
        if is_new:
            secret = secrets.token_urlsafe(32)
        # Pages carry tokens and names: only this browser keeps them, a member's not even that.
        is_member = get_cookie_name(COOKIE, bool(self._suffix)) in cookies
        caching = "private, no-store" if is_member else "private, no-cache"
        language = cookies.get("language", "")
        if language not in list_languages():
            language = choose_language(headers.get("accept-language", ""), self._language)
        set_language(language)
        scope.setdefault("state", {})
        scope["state"]["secret"], scope["state"]["language"] = secret, language

        state = scope["state"]

        async def send_with_cookies(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.setdefault("cache-control", caching)
                fresh = state.get(_FRESH) or (secret if is_new else "")
                if fresh:
                    headers.append(
                        "set-cookie", self._write_cookie(self._name, fresh, LONGEST_SECONDS)
                    )
                for name, value, seconds in state.get(_COOKIES, ()):
                    headers.append("set-cookie", self._write_cookie(name, value, seconds))
            await send(message)

        await self._app(scope, receive, send_with_cookies)

    def _write_cookie(self, name: str, value: str, seconds: int) -> str:
        text = f"{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}"
        return text + self._suffix


def renew_secret(request: Request) -> None:
    """Give this browser another secret: what was composed in it is claimed by it no longer."""
    setattr(request.state, _FRESH, secrets.token_urlsafe(32))


def set_cookie(request: Request, name: str, value: str, seconds: int) -> None:
    """Let the answer store a cookie that no script can read; 0 seconds delete it."""
    cookies: list[tuple[str, str, int]] = getattr(request.state, _COOKIES, [])
    setattr(request.state, _COOKIES, [*cookies, (name, value, seconds)])


def get_cookie_name(name: str, is_secure: bool) -> str:
    """A cookie's name; over HTTPS with the prefix that binds it to this host."""
    return f"__Host-{name}" if is_secure else name


def parse_cookies(header: str) -> dict[str, str]:
    """The cookies of a request; none where the header cannot be read."""
    try:
        return {name: morsel.value for name, morsel in SimpleCookie(header).items()}
    except CookieError:
        return {}
