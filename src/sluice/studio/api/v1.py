"""The first version of the API: all its operations."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sluice.studio.api import collections, compositions, tunes

ROUTERS: tuple[APIRouter, ...] = (
    compositions.router,
    compositions.models,
    tunes.router,
    collections.recordings,
    collections.books,
    collections.dataset,
)
DESCRIPTION = """\
Everything that this site shows to everyone, for programs: no key, no cookies.

Lists come in pages; `next` is the address of the following one. What is refused is answered with
one sentence, as `{"problem": "…", "field": "…"}`. Times are in UTC. Text is in UTF-8.
"""


def describe_api(app: FastAPI) -> None:
    """Say what is under `/api/v1`, and let scripts of other sites read it."""
    app.description = DESCRIPTION
    app.add_middleware(CrossOriginMiddleware)


class CrossOriginMiddleware:
    """Lets scripts of other sites read what the API shows to everyone, without cookies."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_reading = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        if not (is_reading and scope["path"].startswith(("/api/", "/data/"))):
            await self._app(scope, receive, send)
            return

        async def send_with_header(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)["access-control-allow-origin"] = "*"
            await send(message)

        await self._app(scope, receive, send_with_header)
