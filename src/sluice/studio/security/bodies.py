"""How large a request may be, and how slowly it may come."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import monotonic

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sluice.studio.languages import gettext as _
from sluice.studio.security.uploads import MAX_BYTES

_KB = 1024
_LIMITS = (
    ("/login", 8 * _KB),
    ("/logout", 8 * _KB),
    ("/sign-up", 8 * _KB),
    ("/password", 8 * _KB),
    ("/language", 8 * _KB),
    ("/compose", 64 * _KB),
    ("/submit", 2048 * _KB),
)
_DEFAULT = 1024 * _KB
_UPLOADS = ("/recordings", "/events", "/tunes")
_UPLOAD = MAX_BYTES + 64 * _KB  # with the other fields of its form
_PAUSE = 15.0
_BYTES_A_SECOND = 20 * _KB


class BodyLimitMiddleware:
    """Refuses bodies that are too large or too slow, before anything reads them."""

    def __init__(self, app: ASGIApp, session_cookie: str) -> None:
        self._app, self._cookie = app, session_cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit = self._choose_limit(scope["path"], headers)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 12 or int(length) > limit:
            await _refuse(send, 413)
            return
        await _LimitedRequest(self._app, limit, receive, send).run(scope)

    def _choose_limit(self, path: str, headers: Headers) -> int:
        if path.startswith(_UPLOADS) and f"{self._cookie}=" in headers.get("cookie", ""):
            return _UPLOAD
        return next((limit for prefix, limit in _LIMITS if path.startswith(prefix)), _DEFAULT)


class _LimitedRequest:
    """One request: counts what is received, and answers itself if that is too much."""

    def __init__(self, app: ASGIApp, limit: int, receive: Receive, send: Send) -> None:
        self._app, self._limit, self._receive, self._send = app, limit, receive, send
        self._start, self._count = monotonic(), 0
        self._is_whole = self._has_answered = False
        self._status = 0

    async def run(self, scope: Scope) -> None:
        with suppress(_BodyError):
            await self._app(scope, self._receive_limited, self._send_unless_refused)
        if self._status and not self._has_answered:
            await _refuse(self._send, self._status)

    async def _receive_limited(self) -> Message:
        if self._is_whole:  # then only the end of the connection is waited for
            return await self._receive()
        if self._status:
            raise _BodyError
        left = self._start + _PAUSE + self._count / _BYTES_A_SECOND - monotonic()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.01, left))
        except TimeoutError:
            self._status = 408
            raise _BodyError from None
        self._count += len(message.get("body", b""))
        self._is_whole = not message.get("more_body", False)
        if self._count > self._limit:
            self._status = 413
            raise _BodyError
        return message

    async def _send_unless_refused(self, message: Message) -> None:
        if not self._status:
            self._has_answered = True
            await self._send(message)


class _BodyError(Exception):
    """The body is not read any further."""


async def _refuse(send: Send, status: int) -> None:
    sentence = (
        _("This is too large to be sent here.")
        if status == 413
        else _("What you sent came too slowly. Please try again.")
    )
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": sentence.encode()})
