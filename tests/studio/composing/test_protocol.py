from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.studio.composing.addresses import Address
from sluice.studio.composing.protocol import (
    Message,
    ProtocolError,
    encode_frame,
    is_proof,
    make_proof,
    read_frame,
)
from sluice.studio.errors import StudioError


def read(content: bytes, limit: int = 1000) -> Message:
    async def read_all() -> Message:
        reader = asyncio.StreamReader()
        reader.feed_data(content)
        reader.feed_eof()
        return await read_frame(reader, limit)

    return asyncio.run(read_all())


@settings(deadline=None)
@given(st.dictionaries(st.text(), st.text() | st.integers() | st.none()))
def test_a_frame_is_read_as_it_was_sent(message: Message) -> None:
    assert read(encode_frame(message), 1 << 20) == message


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_a_message_or_refused(content: bytes) -> None:
    framed = len(content).to_bytes(4, "big") + content
    for given_bytes in (content, framed):
        with contextlib.suppress(ProtocolError, asyncio.IncompleteReadError):
            assert isinstance(read(given_bytes), dict)


@pytest.mark.parametrize(
    "body", [b"[]", b"1", b"{", b'{"a": NaN}', b"[" * 900, b'{"a":' + b"9" * 900, b"\xff{}"]
)
def test_what_is_no_object_is_refused(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        read(len(body).to_bytes(4, "big") + body)


def test_deep_nesting_does_not_end_the_process() -> None:
    body = b'{"a":' + b"[" * 200_000
    with pytest.raises(ProtocolError):
        read(len(body).to_bytes(4, "big") + body, 1 << 20)


def test_a_long_frame_is_refused_before_it_is_read() -> None:
    with pytest.raises(ProtocolError, match="at most 1000 bytes, got 4294967295"):
        read(b"\xff\xff\xff\xff")


def test_a_proof_is_of_one_secret_and_one_connection() -> None:
    proof = make_proof("secret", "nonce")
    assert len(proof) == 64 and is_proof(proof, "secret", "nonce")
    for other in ("", proof[:-1], proof.upper(), "é" * 64, None, 7, ["a"]):
        assert not is_proof(other, "secret", "nonce")
    assert not is_proof(proof, "other", "nonce") and not is_proof(proof, "secret", "other")


@pytest.mark.parametrize("text", ["unix:/run/a b", "tcp://host:80", "tcp://[::1]:1"])
def test_addresses(text: str) -> None:
    assert str(Address.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "unix:", "/run/socket", "tcp://host", "tcp://:5", "tcp://h:99999", "http://h:1"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(StudioError, match=r"unix:/path or tcp://host:port"):
        Address.parse(text)
