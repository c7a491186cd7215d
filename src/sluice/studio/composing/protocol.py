"""What web workers and composing processes say to each other.

A connection carries one request. Both sides send *frames*: a length of four bytes, most significant
first, and so many bytes of JSON in UTF-8, an object. The process begins with

    {"protocol": 1, "nonce": "…"}

and waits at most ten seconds for the request, which over TCP carries the proof that its sender
knows the secret, HMAC-SHA256 of the nonce in hexadecimal digits:

    {"request": "stream", "code": "…", "options": {…}, "after": 0, "proof": "…"}

Other requests are `models`, `status`, `check` (`options`), `cancel` (`code`) and `replay` (`model`,
`tokens`, `rhythm`, `options`). The answers are

    {"events": [[1, "start", {…}], [2, "tokens", {…}]]}     some of a stream's events
    {"end": true}                                             nothing follows
    {"models": [{…}]}   {"status": {…}}   {"options": {…}}   {"cancelled": true}
    {"bytes": 110592}                                         so many bytes follow, and no frame
    {"refused": "sentence", "field": "…", "reason": "…"}

The events of a stream are numbered from 1 and depend on model and options alone: whoever asks again
with `after`, here or at another process, gets those that follow.

=========  =======================================================================================
`start`    `options`, `seed` (in digits, since scripts in pages lose some of a large number),
           `model`, `key`, `meter`, `dance`, `title`, `attempt`
`tokens`   `t`, the new tokens on a root of C; `abc`, the tune so far, where a bar or one of the
           first notes is new
`again`    `seed`, `attempt`: the draw was no tune, what came before is void
`progress` `fraction`, from 0 to 1, of a tune that is edited
`done`     `abc`, `title`, `tokens`, `key`, `meter`, `dance`, `octaves`, `measures`, `tune`
           (`stored_tune`)
`problem`  `sentence`, `field`: there will be no tune
=========  =======================================================================================
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from sluice.studio.errors import StudioError

VERSION = 1
MAX_REQUEST = 256 << 10
"""Bytes of a request, at most."""
MAX_ANSWER = 16 << 20
"""Bytes of a frame of an answer, at most."""
MAX_FILE = 64 << 20
"""Bytes that may follow a frame, at most."""
_LENGTH_BYTES = 4
_FINAL_KINDS = ("done", "problem")

Message = dict[str, Any]


class ComposingEvent(NamedTuple):
    """Something that happened while a tune was composed; see the module.

    Attributes:
        number: from 1.
        kind: `start`, `tokens`, `again`, `progress`, `done` or `problem`.
        data: by kind.
    """

    number: int
    kind: str
    data: Message

    @property
    def is_final(self) -> bool:
        """Whether no event follows."""
        return self.kind in _FINAL_KINDS


class ProtocolError(StudioError):
    """The other side of a connection does not keep to the protocol."""


def encode_frame(message: Mapping[str, Any]) -> bytes:
    """A message as it is sent."""
    body = json.dumps(message, separators=(",", ":"), allow_nan=False).encode()
    return len(body).to_bytes(_LENGTH_BYTES, "big") + body


def decode_message(body: bytes) -> Message:
    """The object that the body of a frame spells.

    Raises:
        ProtocolError: it is no object in JSON.
    """
    try:
        found = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise ProtocolError("A frame of the composing process must be JSON.") from None
    if not isinstance(found, dict):
        raise ProtocolError("A frame of the composing process must be an object.")
    return found


async def read_frame(reader: asyncio.StreamReader, limit: int) -> Message:
    """The next frame.

    Raises:
        ProtocolError: a frame of more than `limit` bytes, or no object in JSON.
        asyncio.IncompleteReadError: the connection ended.
        OSError: it broke.
    """
    length = int.from_bytes(await reader.readexactly(_LENGTH_BYTES), "big")
    if length > limit:
        raise ProtocolError(f"A frame must have at most {limit} bytes, got {length}.")
    return decode_message(await reader.readexactly(length))


def make_proof(secret: str, nonce: str) -> str:
    """That whoever sends this knows the secret, for one connection."""
    return hmac.new(secret.encode(), nonce.encode(), "sha256").hexdigest()


def is_proof(given: object, secret: str, nonce: str) -> bool:
    """Whether `given` is the proof, found in a time that does not depend on it."""
    text = given if isinstance(given, str) and given.isascii() else ""
    return hmac.compare_digest(text, make_proof(secret, nonce))


def _refuse_constant(name: str) -> None:
    raise ValueError(name)
