"""Whatever a socket sends, the process goes on."""

from __future__ import annotations

import json
import socket
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from composing_process import stream
from sluice.studio.composing.client import ComposingClient
from sluice.studio.composing.options import ComposingOptions

leaf = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
anything = st.recursive(
    leaf,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
kinds = st.sampled_from(["models", "status", "check", "cancel", "replay", "stream", "other"])
fields = ("code", "options", "after", "model", "tokens", "rhythm", "proof")
requests = st.builds(
    lambda kind, values: json.dumps({**values, "request": kind}).encode(),
    kinds | anything,
    st.dictionaries(st.sampled_from(fields), anything, max_size=5),
)
framed = st.builds(
    lambda body, change: (len(body) + change).to_bytes(4, "big") + body,
    requests | st.binary(max_size=80),
    st.sampled_from([0, 0, 0, 1, 5, 1 << 24]),
)


def send(address: str, content: bytes, cut: int) -> dict[str, Any] | None:
    """Send this, of which the end may be missing; the answer behind the greeting, if there is."""
    with socket.socket(socket.AF_UNIX) as opened:
        opened.settimeout(5)
        opened.connect(address.removeprefix("unix:"))
        opened.sendall(content[: len(content) - cut])
        opened.shutdown(socket.SHUT_WR)
        received = b""
        while part := opened.recv(65536):
            received += part
    greeting = int.from_bytes(received[:4], "big")
    answer = received[4 + greeting :]
    return json.loads(answer[4:]) if len(answer) > 4 else None


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(framed | st.binary(max_size=40), st.integers(0, 6))
def test_hostile_frames_are_refused_or_ignored(
    composing_address: str, content: bytes, cut: int
) -> None:
    answer = send(composing_address, content, cut)
    if answer is not None and "refused" in answer:
        assert answer["refused"].endswith(".") and answer["reason"] != ""


def test_it_composes_all_the_same(client_of_process: ComposingClient) -> None:
    assert stream(client_of_process, "after all", ComposingOptions())[-1].kind == "done"
