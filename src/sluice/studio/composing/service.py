"""Answers the requests of web workers; see `sluice.studio.composing.protocol`."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from sluice.errors import SluiceError
from sluice.studio.composing.config import ComposingConfig
from sluice.studio.composing.edit_queue import QueueIsFullError
from sluice.studio.composing.jobs import Job, JobBoard
from sluice.studio.composing.model_info import UnknownModelError
from sluice.studio.composing.models import LoadedModel, ModelShelf
from sluice.studio.composing.options import ComposingOptions
from sluice.studio.composing.protocol import (
    MAX_REQUEST,
    VERSION,
    Message,
    ProtocolError,
    encode_frame,
    is_proof,
    read_frame,
)
from sluice.studio.errors import StudioError

_log = logging.getLogger("sluice.studio.composing")

_REQUEST_SECONDS = 10.0
_SEND_SECONDS = 30.0
"""How long a reader may take nothing of what is sent."""
_MAX_CODE, _MAX_TOKENS, _MAX_AFTER = 64, 4000, 1_000_000
_EVENTS_AT_ONCE = 32

Replay = Callable[[LoadedModel, list[str], str, ComposingOptions | None], bytes]
"""Makes the file of the glass box, of a tune's tokens, its dance and what it was asked for."""


class ComposingService:
    """Answers one request for each connection.

    Args:
        shelf: the models.
        board: composes.
        replay: see `Replay`.
        config: with the secret, if clients must know one.
    """

    def __init__(
        self, shelf: ModelShelf, board: JobBoard, replay: Replay, config: ComposingConfig
    ) -> None:
        self._shelf, self._board, self._replay = shelf, board, replay
        self._secret = config.secret
        self.num_connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read a request, answer it, and close the connection."""
        self.num_connections += 1
        connection = _Connection(writer)
        try:
            await self._answer(reader, connection)
        except (ProtocolError, OSError, EOFError, TimeoutError):
            pass  # nobody is there to be told
        except asyncio.CancelledError:
            writer.transport.abort()  # the process ends; the client goes on elsewhere
        except Exception:
            _log.exception("A request failed.")
        finally:
            self.num_connections -= 1
            await connection.close()

    async def _answer(self, reader: asyncio.StreamReader, connection: _Connection) -> None:
        nonce = secrets.token_hex(16)
        await connection.send({"protocol": VERSION, "nonce": nonce})
        async with asyncio.timeout(_REQUEST_SECONDS):
            request = await read_frame(reader, MAX_REQUEST)
        if self._secret and not is_proof(request.get("proof"), self._secret, nonce):
            await connection.refuse(StudioError("The secret is wrong."), "secret")
            return
        try:
            await self._answer_request(request, reader, connection)
        except UnknownModelError as error:
            await connection.refuse(error, "model")
        except QueueIsFullError as error:
            await connection.refuse(error, "busy")
        except ProtocolError as error:
            await connection.refuse(error, "protocol")
        except SluiceError as error:
            await connection.refuse(error, "options")

    async def _answer_request(
        self, request: Message, reader: asyncio.StreamReader, connection: _Connection
    ) -> None:
        match request.get("request"):
            case "models":
                await connection.send({"models": self._shelf.list_infos()})
            case "status":
                await connection.send({"status": self.get_status()})
            case "check":
                options = _read_options(request)
                checked = self._shelf.find(options.model).check(options)
                await connection.send({"options": checked.to_mapping()})
            case "cancel":
                found = self._board.cancel(_read_code(request))
                await connection.send({"cancelled": found})
            case "replay":
                await connection.send_bytes(await self._make_replay(request))
            case "stream":
                await self._stream(request, reader, connection)
            case _:
                raise ProtocolError("There is no such request.")

    def get_status(self) -> dict[str, Any]:
        """What is going on."""
        return {
            "process": os.getpid(),
            "running": self._board.num_running,
            "waiting": self._board.num_waiting,
            "edits": self._board.edits.count,
            "connections": self.num_connections,
            "tokens": self._board.counter.total,
            "tokens_per_second": round(self._board.counter.per_second, 1),
            "models": [model.info.fingerprint for model in self._shelf],
        }

    async def _make_replay(self, request: Message) -> bytes:
        tokens, rhythm = request.get("tokens"), request.get("rhythm", "")
        is_right = isinstance(tokens, list) and len(tokens) <= _MAX_TOKENS
        is_right = is_right and all(isinstance(token, str) for token in tokens or ())
        if not isinstance(tokens, list) or not is_right or not isinstance(rhythm, str):
            raise ProtocolError("The tokens must be a list of texts.")
        model = self._shelf.find(_read_text(request, "model"))
        options = _read_options(request) if request.get("options") else None

        def make() -> bytes:
            self._board.edits.wait_for_tunes()
            return self._replay(model, tokens, rhythm, options)

        return await self._board.edits.run(make)

    async def _stream(
        self, request: Message, reader: asyncio.StreamReader, connection: _Connection
    ) -> None:
        after = request.get("after", 0)
        if isinstance(after, bool) or not isinstance(after, int) or not 0 <= after <= _MAX_AFTER:
            raise ProtocolError("after must be the number of an event.")
        job = self._board.find_or_begin(_read_code(request), _read_options(request))
        self._board.begin_listening(job)
        sending = asyncio.ensure_future(_send_events(job, after, connection))
        gone = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait((sending, gone), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            self._board.end_listening(job)
            for task in (sending, gone):
                task.cancel()
            await asyncio.gather(sending, gone, return_exceptions=True)


async def _send_events(job: Job, after: int, connection: _Connection) -> None:
    async for events in job.follow(after):
        for place in range(0, len(events), _EVENTS_AT_ONCE):
            part = events[place : place + _EVENTS_AT_ONCE]
            await connection.send({"events": [[*event] for event in part]})
    await connection.send({"end": True})


def _read_options(request: Message) -> ComposingOptions:
    given = request.get("options")
    if not isinstance(given, dict):
        raise ProtocolError("The options must be an object.")
    return ComposingOptions.parse(given)


def _read_code(request: Message) -> str:
    code = _read_text(request, "code")
    if not code or len(code) > _MAX_CODE:
        raise ProtocolError(f"A code must have 1 to {_MAX_CODE} characters.")
    return code


def _read_text(request: Message, name: str) -> str:
    value = request.get(name, "")
    if not isinstance(value, str):
        raise ProtocolError(f"{name} must be text.")
    return value


class _Connection:
    """What is sent to one client, who may be slow or gone."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer

    async def send(self, message: Message) -> None:
        """Send a frame; wait while the client has much to read.

        Raises:
            OSError, TimeoutError: the client is gone, or has read nothing for long.
        """
        await self._write(encode_frame(message))

    async def send_bytes(self, content: bytes) -> None:
        """Send a file; errors as of `send`."""
        await self.send({"bytes": len(content)})
        await self._write(content)

    async def refuse(self, error: SluiceError, reason: str) -> None:
        """Say why a request is not answered; errors as of `send`."""
        field = error.field if isinstance(error, StudioError) else ""
        await self.send({"refused": str(error), "field": field, "reason": reason})

    async def _write(self, content: bytes) -> None:
        self._writer.write(content)
        async with asyncio.timeout(_SEND_SECONDS):
            await self._writer.drain()

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_SEND_SECONDS):
                await self._writer.wait_closed()
