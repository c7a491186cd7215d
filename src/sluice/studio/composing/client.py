"""What a web worker asks of the composing processes."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager

from sluice.studio.composing.addresses import Address
from sluice.studio.composing.config import SECRET_VARIABLE
from sluice.studio.composing.model_info import ModelInfo, UnknownModelError
from sluice.studio.composing.options import ComposingOptions
from sluice.studio.composing.protocol import (
    MAX_ANSWER,
    MAX_FILE,
    VERSION,
    ComposingEvent,
    Message,
    ProtocolError,
    encode_frame,
    make_proof,
    read_frame,
)
from sluice.studio.errors import StudioError, UnavailableError
from sluice.studio.languages import gettext as _

_HELLO_SECONDS, _ANSWER_SECONDS = 3.0, 10.0
_EVENT_SECONDS = 90.0
"""After which a process that says nothing about a tune is given up."""
_REPLAY_SECONDS = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 0.5

_Broken = (OSError, EOFError, TimeoutError, ProtocolError)
"""What says that a process is gone, or is none of ours."""


class ComposingUnavailableError(UnavailableError):
    """No composing process can be reached."""


class ComposingBusyError(UnavailableError):
    """As many tunes wait as are allowed to wait."""


class ComposingClient:
    """Reaches the composing processes of a studio; one for each web worker.

    A tune is composed by the process that its code chooses among those that answer (rendezvous
    hashing), so that all workers ask the same one. Where that one ends, the next takes over.

    Args:
        addresses: `unix:/path` or `tcp://host:port` of each process.
        secret: shared with processes that are reached over TCP; that of the environment variable
            `config.SECRET_VARIABLE` if None.
        patience: the seconds for which none may answer before a request is given up.

    Raises:
        StudioError: no address, or one that is none.
    """

    def __init__(
        self, addresses: Iterable[str], secret: str | None = None, patience: float = 20.0
    ) -> None:
        self._addresses = [Address.parse(text) for text in addresses]
        if not self._addresses:
            raise StudioError("There is no composing process; give its address.")
        self._secret = os.environ.get(SECRET_VARIABLE, "") if secret is None else secret
        self._patience = patience

    async def list_models(self) -> list[ModelInfo]:
        """All models that compose.

        Raises:
            ComposingUnavailableError: no process answers.
        """
        found: dict[str, ModelInfo] = {}
        for answer in await self._ask_all({"request": "models"}):
            for given in (answer or {}).get("models", ()):
                info = ModelInfo.parse(given)
                found.setdefault(info.fingerprint, info)
        if not found:
            raise _make_unavailable()
        return [*found.values()]

    async def get_status(self) -> list[Message | None]:
        """What each process does at this moment, None for one that does not answer.

        `running`, `waiting` and `edits` count tunes, `connections` those who ask, `tokens` what was
        composed in all; beside them stand `tokens_per_second`, `models` and `process`.
        """
        answers = await self._ask_all({"request": "status"})
        return [answer.get("status") if answer else None for answer in answers]

    async def check(self, options: ComposingOptions) -> ComposingOptions:
        """The options with the fingerprint of their model.

        Raises:
            StudioError: an option that the model refuses, with its field.
            ComposingUnavailableError: no process answers.
        """
        message = {"request": "check", "options": options.to_mapping()}
        answer = await self._ask(str(options.seed), message, _ANSWER_SECONDS)
        return ComposingOptions.parse(answer["options"])

    async def cancel(self, code: str) -> bool:
        """Stop the tune of a code; whether it was being composed."""
        answers = await self._ask_all({"request": "cancel", "code": code})
        return any(answer and answer.get("cancelled") for answer in answers)

    async def replay(
        self,
        model: str,
        tokens: Sequence[str],
        rhythm: str = "",
        options: ComposingOptions | None = None,
    ) -> bytes:
        """The file of the glass box for a tune.

        Args:
            model: its fingerprint.
            tokens: the tune's.
            rhythm: its dance.
            options: what it was composed for, if it was composed.

        Raises:
            StudioError: another model is needed, or the tokens are no tune.
            ComposingUnavailableError: no process answers.
        """
        message: Message = {"request": "replay", "model": model, "tokens": [*tokens]}
        message |= {"rhythm": rhythm, "options": options and options.to_mapping()}
        answer = await self._ask(" ".join(tokens), message, _REPLAY_SECONDS)
        content: bytes = answer["content"]
        return content

    async def stream(
        self, code: str, options: ComposingOptions, after: int = 0
    ) -> AsyncGenerator[ComposingEvent, None]:
        """The events of the tune of a code, those behind the number `after`; it begins if no
        process knows it.

        Whoever stops iterating should close the generator (`contextlib.aclosing`); a tune that
        nobody listens to for ten seconds is cancelled.

        Raises:
            StudioError: an option that the model refuses, with its field.
            ComposingBusyError: too many tunes wait.
            ComposingUnavailableError: no process answers.
        """
        message: Message = {"request": "stream", "code": code, "options": options.to_mapping()}
        last_time, pause = time.monotonic(), _FIRST_PAUSE
        while True:
            refusal: StudioError | None = None
            for address in self._order(code):
                try:
                    async with aclosing(self._read_events(address, message, after)) as events:
                        async for event in events:
                            last_time, pause, after = time.monotonic(), _FIRST_PAUSE, event.number
                            yield event
                            if event.is_final:
                                return
                    return
                except UnknownModelError as error:
                    refusal = error
                except _Broken:
                    continue
            if refusal is not None:
                raise refusal
            if time.monotonic() - last_time > self._patience:
                raise _make_unavailable()
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _read_events(
        self, address: Address, message: Message, after: int
    ) -> AsyncGenerator[ComposingEvent, None]:
        async with self._send(address, {**message, "after": after}) as reader:
            while True:
                async with asyncio.timeout(_EVENT_SECONDS):
                    answer = _check_answer(await read_frame(reader, MAX_ANSWER))
                if "end" in answer:
                    return
                for number, kind, data in answer["events"]:
                    yield ComposingEvent(number, kind, data)

    async def _ask_all(self, message: Message) -> list[Message | None]:
        """The answer of each process, None for one that gives none."""

        async def ask(address: Address) -> Message | None:
            try:
                return await self._ask_one(address, message, _ANSWER_SECONDS)
            except (*_Broken, StudioError):
                return None

        return await asyncio.gather(*map(ask, self._addresses))

    async def _ask(self, code: str, message: Message, seconds: float) -> Message:
        """The answer of the first process that can give one."""
        start = time.monotonic()
        while True:
            refusal: StudioError | None = None
            for address in self._order(code):
                try:
                    return await self._ask_one(address, message, seconds)
                except UnknownModelError as error:
                    refusal = error
                except _Broken:
                    continue
            if refusal is not None:
                raise refusal
            if time.monotonic() - start > self._patience:
                raise _make_unavailable()
            await asyncio.sleep(_LONGEST_PAUSE)

    async def _ask_one(self, address: Address, message: Message, seconds: float) -> Message:
        async with asyncio.timeout(seconds), self._send(address, message) as reader:
            answer = _check_answer(await read_frame(reader, MAX_ANSWER))
            size = answer.get("bytes")
            if isinstance(size, int) and 0 <= size <= MAX_FILE:
                answer["content"] = await reader.readexactly(size)
            return answer

    @asynccontextmanager
    async def _send(
        self, address: Address, message: Message
    ) -> AsyncIterator[asyncio.StreamReader]:
        """A connection on which the request is sent."""
        reader, writer = await address.connect()
        try:
            async with asyncio.timeout(_HELLO_SECONDS):
                hello = await read_frame(reader, MAX_ANSWER)
                if hello.get("protocol") != VERSION:
                    raise ProtocolError("The composing process is of another version.")
                proof = make_proof(self._secret, str(hello.get("nonce")))
                writer.write(encode_frame({**message, "proof": proof}))
                await writer.drain()
            yield reader
        finally:
            writer.transport.abort()

    def _order(self, code: str) -> list[Address]:
        """The processes, the one that a code chooses first."""
        return sorted(
            self._addresses, key=lambda one: hashlib.sha256(f"{one} {code}".encode()).digest()
        )


def _check_answer(answer: Message) -> Message:
    """Raise what a process refuses."""
    if "refused" not in answer:
        return answer
    sentence, field = str(answer["refused"]), str(answer.get("field", ""))
    match answer.get("reason"):
        case "model":
            raise UnknownModelError(sentence, field)
        case "busy":
            raise ComposingBusyError(sentence, field)
        case "options" | "secret":
            raise StudioError(sentence, field)
        case _:
            raise ProtocolError(sentence)


def _make_unavailable() -> ComposingUnavailableError:
    return ComposingUnavailableError(
        _("Tunes cannot be composed at this moment; try again in a minute.")
    )
