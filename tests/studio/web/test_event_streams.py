"""Events as they are sent: together, with signs of life, and no longer than somebody listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from sluice.studio.composing.protocol import ComposingEvent
from sluice.studio.errors import UnavailableError
from sluice.studio.web import compositions
from sluice.studio.web.compositions import encode_events


def send(number: int, kind: str = "tokens", **data: object) -> ComposingEvent:
    return ComposingEvent(number, kind, data)


def collect(events: AsyncGenerator[ComposingEvent]) -> str:
    async def work() -> str:
        return "".join([part.decode() async for part in encode_events(events)])

    return asyncio.run(work())


def test_tokens_that_wait_are_sent_as_one_event_with_the_last_number() -> None:
    async def compose() -> AsyncGenerator[ComposingEvent]:
        yield send(1, "start", title="A")
        yield send(2, t=["G"], abc="G")
        yield send(3, t=["A", "2"])
        yield send(4, t=["|"], abc="GA2|")
        yield send(5, "done", title="A")

    text = collect(compose())
    assert text.startswith("retry: 1000\n\nid: 1\nevent: start\n")
    assert 'id: 4\nevent: tokens\ndata: {"t":["G","A","2","|"],"abc":"GA2|"}\n\n' in text
    assert text.endswith('id: 5\nevent: done\ndata: {"title":"A"}\n\n')
    assert text.count("event: tokens") == 1


def test_while_nothing_comes_there_are_signs_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compositions, "_HEARTBEAT_SECONDS", 0.02)

    async def compose() -> AsyncGenerator[ComposingEvent]:
        await asyncio.sleep(0.1)
        yield send(1, "done")

    text = collect(compose())
    assert text.count(": \n\n") >= 2
    assert "event: done" in text


def test_who_goes_away_ends_what_was_listened_to() -> None:
    closed = []

    async def compose() -> AsyncGenerator[ComposingEvent]:
        try:
            yield send(1, t=["G"], abc="G")
            await asyncio.sleep(60)
        finally:
            closed.append(True)

    async def work() -> None:
        sent = encode_events(compose())
        await anext(sent)
        await anext(sent)
        await sent.aclose()  # type: ignore[attr-defined]
        await asyncio.sleep(0.01)

    asyncio.run(work())
    assert closed


def test_an_answer_ends_where_nothing_composes_any_longer() -> None:
    async def compose() -> AsyncGenerator[ComposingEvent]:
        yield send(1, t=["G"], abc="G")
        raise UnavailableError("gone")

    text = collect(compose())
    assert "id: 1\nevent: tokens" in text
    assert "problem" not in text
