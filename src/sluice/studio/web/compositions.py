"""Composing for pages and API: a row first, then the events of its tune, stored at the end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from functools import partial

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from sluice.studio.archive.compositions import (
    Claim,
    add_composition,
    count_running,
    find_composition,
    store_done,
    store_problem,
    store_state,
)
from sluice.studio.archive.tables import Composition
from sluice.studio.composing.options import ComposingOptions
from sluice.studio.composing.protocol import ComposingEvent
from sluice.studio.errors import LimitError, StudioError, UnavailableError
from sluice.studio.languages import ngettext
from sluice.studio.security.limits import allow
from sluice.studio.web.context import Studio, get_visitor
from sluice.studio.web.visitor import Visitor

MAX_RUNNING = 2
MAX_RUNNING_OF_A_FORM = 4
_SECONDS_TO_WAIT = 3
_HEARTBEAT_SECONDS = 15
_SECONDS_TO_FINISH = 8
_SECONDS_BETWEEN_TOKENS = 0.08
"""What comes within is sent together; the first note never waits."""


def get_claim(visitor: Visitor) -> Claim:
    """What a visitor may call their own."""
    return Claim(visitor.claim_hash, None if visitor.member is None else visitor.member.id)


async def start_compositions(
    studio: Studio,
    request: Request,
    wanted: Sequence[ComposingOptions],
    parent: str | None = None,
) -> list[Composition]:
    """Check options and commit a row for each tune; nothing runs before somebody listens.

    Args:
        parent: the code of the tune that they are made from.

    Raises:
        StudioError: the model does not know what an option asks for.
        LimitError: too many within a minute, or at once.
    """
    model = await studio.checks.find_model(wanted[0])
    options = [replace(one, model=model) for one in wanted]

    def add(session: Session) -> list[Composition]:
        visitor = get_visitor(request, session, studio)
        claim = get_claim(visitor)
        for _one in options:
            allow(session, visitor.who, "compose")
        running = count_running(session, claim)
        if running + len(options) > max(MAX_RUNNING, len(options)):
            raise LimitError(
                ngettext(
                    "{count} tune is still being written for you. Wait for it, "
                    "or try again in {seconds} seconds.",
                    "{count} tunes are still being written for you. Wait for them, "
                    "or try again in {seconds} seconds.",
                    running,
                ).format(count=running, seconds=_SECONDS_TO_WAIT),
                _SECONDS_TO_WAIT,
            )
        states = ["running" if wants_events(request) else "waiting", *["waiting"] * len(options)]
        return [
            add_composition(session, one.to_mapping(), claim, parent, state)
            for one, state in zip(options, states, strict=False)
        ]

    return await studio.writes.run(add)


async def read_composition(studio: Studio, code: str) -> Composition:
    """The composition of a code, for coroutines.

    Raises:
        NotFoundError: there is none.
    """

    def read() -> Composition:
        with studio.database.open_session() as session:
            return find_composition(session, code)

    return await run_in_threadpool(read)


async def follow_composition(
    studio: Studio, composition: Composition, after: int = 0
) -> AsyncGenerator[ComposingEvent]:
    """The events of a composition that follow number `after`; it is composed if nobody has.

    Whoever sees the last event stores it before passing it on.
    """
    code = composition.code
    if composition.state in ("done", "failed"):
        for event in _recall(composition, after):
            yield event
        return
    if composition.state == "waiting":
        studio.writes.post(partial(store_state, code=code, state="running"))
    is_finished = False
    try:
        async for event in _compose(studio, composition, after):
            is_finished = event.is_final
            if event.kind == "done":
                await studio.writes.run(
                    partial(store_done, code=code, number=event.number, data=event.data)
                )
            elif event.kind == "problem":
                await studio.writes.run(
                    partial(store_problem, code=code, sentence=event.data["sentence"])
                )
            yield event
    finally:
        if not is_finished:
            studio.writes.post(partial(store_state, code=code, state="waiting"))


async def _compose(
    studio: Studio, composition: Composition, after: int
) -> AsyncGenerator[ComposingEvent]:
    """What the composing process tells; that it refuses the tune is told as an event.

    Raises:
        UnavailableError: nothing composes at this moment; later something will.
    """
    options = ComposingOptions.parse(composition.options)
    try:
        async with aclosing(studio.composing.stream(composition.code, options, after)) as events:
            async for event in events:
                after = event.number
                yield event
    except UnavailableError:
        raise
    except StudioError as error:
        data = {"sentence": error.sentence, "field": error.field}
        yield ComposingEvent(after + 1, "problem", data)


async def finish_composition(studio: Studio, code: str) -> None:
    """Compose a tune to its end, or for some seconds at least, for who cannot listen."""
    composition = await read_composition(studio, code)
    try:
        async with asyncio.timeout(_SECONDS_TO_FINISH):
            async for _event in follow_composition(studio, composition):
                pass
    except (TimeoutError, StudioError):
        return  # the page says how far it is


def _recall(composition: Composition, after: int) -> list[ComposingEvent]:
    """The events of a finished tune from its row; the last one also for who has seen it all."""
    if composition.state == "failed":
        return [
            ComposingEvent(after + 1, "problem", {"sentence": composition.problem, "field": ""})
        ]
    result = dict(composition.result or {})
    number = result.pop("number", 1)
    events = []
    if after == 0:
        names = ("key", "meter", "dance", "title")
        start = {name: result.get(name, "") for name in names}
        start |= {"seed": str(composition.seed), "model": composition.model, "attempt": 1}
        events.append(ComposingEvent(1, "start", start | {"options": composition.options}))
        tokens = {"t": composition.tokens, "abc": composition.abc}
        events.append(ComposingEvent(max(2, number - 1), "tokens", tokens))
    return [*events, ComposingEvent(number, "done", result)]


def wants_events(request: Request) -> bool:
    """Whether a script asks for the events of the tune that it composes, in the same answer."""
    return "text/event-stream" in request.headers.get("accept", "")


def answer_events(events: AsyncGenerator[ComposingEvent], beginning: bytes = b"") -> Response:
    """The answer that sends events as they come."""
    return StreamingResponse(
        encode_events(events, beginning),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


async def encode_events(
    events: AsyncGenerator[ComposingEvent], beginning: bytes = b""
) -> AsyncIterator[bytes]:
    """Server-sent events, several at once where they come quickly, and signs of life."""
    yield b"retry: 1000\n\n" + beginning
    waiting: list[ComposingEvent] = []
    wake = asyncio.Event()

    async def read() -> None:
        try:
            async with aclosing(events):
                async for event in events:
                    waiting.append(event)
                    wake.set()
        finally:
            wake.set()

    reader = asyncio.create_task(read())
    has_notes = False
    try:
        while not (reader.done() and not waiting):
            try:
                async with asyncio.timeout(_HEARTBEAT_SECONDS):
                    await wake.wait()
            except TimeoutError:
                yield b": \n\n"
                continue
            wake.clear()
            if waiting:
                batch, waiting[:] = _merge(waiting), []
                yield b"".join(map(_encode, batch))
                if has_notes and not batch[-1].is_final:
                    await asyncio.sleep(_SECONDS_BETWEEN_TOKENS)
                has_notes = has_notes or any(event.data.get("abc") for event in batch)
        # Whoever listens asks again: later it is composed, from where this ends.
        with suppress(UnavailableError):
            await reader
    finally:
        reader.cancel()


def _merge(events: Sequence[ComposingEvent]) -> list[ComposingEvent]:
    """Tokens that follow each other as one event, with the number of the last."""
    merged: list[ComposingEvent] = []
    for event in events:
        last = merged[-1] if merged else None
        if event.kind == "tokens" and last is not None and last.kind == "tokens":
            data = {**last.data, **event.data, "t": [*last.data["t"], *event.data["t"]]}
            merged[-1] = ComposingEvent(event.number, "tokens", data)
        elif event.kind == "progress" and last is not None and last.kind == "progress":
            merged[-1] = event
        else:
            merged.append(event)
    return merged


def _encode(event: ComposingEvent) -> bytes:
    data = json.dumps(event.data, separators=(",", ":"), ensure_ascii=False)
    return f"id: {event.number}\nevent: {event.kind}\ndata: {data}\n\n".encode()
