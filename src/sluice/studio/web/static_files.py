"""The files that pages load: named by the hash of all of them, so that browsers may keep them."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from functools import lru_cache
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

FOLDER = Path(__file__).parents[1] / "static"
PREFIX = "/static"
_FOREVER = "public, max-age=31536000, immutable"
_TYPES = {".js": "text/javascript", ".md": "text/plain", ".mp3": "audio/mpeg"}
_COMPRESSED = (".css", ".js", ".svg")


class StaticFiles:
    """An ASGI application for the files of a folder, to be mounted at `PREFIX`.

    A file's address is `/static/VERSION/own/score.js`, where the version is a hash of the whole
    folder: modules import each other by relative addresses, and what a browser has kept is right.
    An address of another version is answered with today's file, not to be kept.
    """

    def __init__(self, folder: Path = FOLDER) -> None:
        self.paths = {
            path.relative_to(folder).as_posix(): path
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
        digest = hashlib.sha256()
        for name, path in self.paths.items():
            digest.update(f"{name}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
        self.version = digest.hexdigest()[:12]

    def url(self, name: str) -> str:
        """The address of a file such as `own/studio.css`, or of a folder that ends with `/`.

        Raises:
            ValueError: there is no such file.
        """
        known = name in self.paths or any(path.startswith(name) for path in self.paths)
        if not known or (name not in self.paths and not name.endswith("/")):
            raise ValueError(f"There is no static file {name!r}.")
        return f"{PREFIX}/{self.version}/{name}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._respond(Request(scope))(scope, receive, send)

    def _respond(self, request: Request) -> Response:
        if request.method not in {"GET", "HEAD"}:
            return PlainTextResponse("Method Not Allowed", 405, {"Allow": "GET, HEAD"})
        relative = request.scope["path"].removeprefix(request.scope.get("root_path", ""))
        version, _, name = relative.lstrip("/").partition("/")
        path = self.paths.get(name)
        if path is None:
            return PlainTextResponse("Not Found", 404)
        headers = {
            "Cache-Control": _FOREVER if version == self.version else "no-cache",
            "X-Content-Type-Options": "nosniff",
        }
        kind = _TYPES.get(path.suffix) or mimetypes.guess_type(name)[0] or "text/plain"
        if path.suffix not in _COMPRESSED:
            return FileResponse(path, headers=headers, media_type=kind)
        headers["Vary"] = "Accept-Encoding"
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return FileResponse(path, headers=headers, media_type=kind)
        headers["Content-Encoding"] = "gzip"
        content = b"" if request.method == "HEAD" else _compress(path)
        return Response(content, headers=headers, media_type=kind)


@lru_cache(maxsize=64)
def _compress(path: Path) -> bytes:
    return gzip.compress(path.read_bytes(), 9, mtime=0)
