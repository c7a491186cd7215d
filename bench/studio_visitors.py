"""Visitors of a studio for `studio.py`: plain sockets, which cost the machine little."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

CSRF = re.compile(r'name="csrf-token" content="(\w+)"')
COOKIE = re.compile(r"set-cookie: (visitor=[^;]+)", re.IGNORECASE)


@dataclass
class Figures:
    """Seconds of a run: to the first note and to the end of each tune, and of pages meanwhile."""

    first: list[float] = field(default_factory=list)
    whole: list[float] = field(default_factory=list)
    pages: list[float] = field(default_factory=list)


class Visitor:
    """A browser with an address of its own in 127.0.0.0/8, since limits count by address."""

    def __init__(self, site: str, number: int) -> None:
        parts = urlsplit(site)
        self.host, self.port = parts.hostname or "127.0.0.1", parts.port or 80
        self.address = f"127.1.{number // 200}.{1 + number % 200}"
        self.cookie, self.token = "", ""

    async def arrive(self) -> None:
        """Open the first page, for the cookie and the token of its forms."""
        page = await self.read("/")
        found, token = COOKIE.search(page), CSRF.search(page)
        assert found and token, page[:500]
        self.cookie, self.token = found[1], token[1]

    async def read(self, path: str) -> str:
        """A whole answer."""
        reader, writer = await self._send(f"GET {path}", "")
        content = await reader.read()
        writer.close()
        return content.decode("utf-8", "replace")

    async def compose(self, figures: Figures) -> None:
        """Send the form as it stands, and follow the tune."""
        body = urlencode({"sent": "1", "form": "1", "count": "1", "temperature": "0.9"})
        start, has_note, kind = time.perf_counter(), False, ""
        reader, writer = await self._send("POST /compose", body)
        while line := (await reader.readline()).decode():
            if line.startswith("event: "):
                kind = line[7:].strip()
            elif kind == "tokens" and not has_note and '"abc":' in line:
                has_note = True
                figures.first.append(time.perf_counter() - start)
            elif kind == "problem" and line.startswith("data: "):
                raise RuntimeError(line)
            elif kind == "done" and line.startswith("data: "):
                figures.whole.append(time.perf_counter() - start)
                break
        assert has_note, "the answer ended without a note"
        writer.close()

    async def _send(
        self, request: str, body: str
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(
            self.host, self.port, local_addr=(self.address, 0)
        )
        headers = [
            f"{request} HTTP/1.1",
            f"host: {self.host}:{self.port}",
            "connection: close",
            f"cookie: {self.cookie}",
        ]
        if body:
            headers += [
                "content-type: application/x-www-form-urlencoded",
                f"content-length: {len(body)}",
                f"x-csrf-token: {self.token}",
                "accept: text/event-stream, application/json",
            ]
        writer.write("\r\n".join([*headers, "", body]).encode())
        return reader, writer


async def compose_together(site: str, count: int, numbers: int, pages: list[str]) -> Figures:
    """So many visitors compose at once; another one reads pages meanwhile, one after the other.

    Args:
        numbers: of the visitors, from there on.
        pages: their paths; nobody reads if there are none.
    """
    figures = Figures()
    visitors = [Visitor(site, numbers + place) for place in range(count)]
    for visitor in visitors:
        await visitor.arrive()
    await asyncio.sleep(0.5)
    reading = asyncio.create_task(_read_pages(site, numbers + count, pages, figures))
    await asyncio.sleep(0.2)
    figures.pages.clear()
    await asyncio.gather(*(visitor.compose(figures) for visitor in visitors))
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    return figures


async def _read_pages(site: str, number: int, pages: list[str], figures: Figures) -> None:
    visitor = Visitor(site, number)
    while pages:
        for path in pages:
            start = time.perf_counter()
            assert " 200 " in (await visitor.read(path))[:20]
            figures.pages.append(time.perf_counter() - start)
            await asyncio.sleep(0.01)
