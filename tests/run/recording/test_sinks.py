"""Several recordings of one pass: all are complete, and none outlives its owners."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

import sluice
from cell_list import CELLS
from run.cases import draw
from sluice.equations.specs import Sizes
from sluice.run import chunked_recording, reference
from sluice.run.kernels import fused
from sluice.run.recording.record_spec import RecordSpec
from sluice.run.recording.recorded_pass import Recording
from sluice.run.recording.sinks import RecordingGroup

RUNS: dict[str, Callable[..., Any]] = {"fused": fused.run, "reference": reference.run}


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@pytest.mark.parametrize("backend", RUNS)
def test_an_autograd_graph_keeps_no_recording_alive(backend: str) -> None:
    job = draw(CELLS["gru"]().graph, Sizes(3, 5), 4, 2)
    first, second = Recording(job, None), Recording(job, None, RecordSpec(frozenset({"update"})))
    with no_garbage_collection():
        y, _ = RUNS[backend](job, recording=RecordingGroup([first, second]))
        gone = weakref.ref(first)
        del first
        assert gone() is None
        y.sum().backward(retain_graph=True)
        assert second.names == ("update",)
        once = second.gradient("update")
        assert once.abs().max() > 0
        gone = weakref.ref(second)
        del second
        assert gone() is None
    y.sum().backward()  # without a recording to deliver to


@pytest.mark.parametrize("backend", RUNS)
def test_all_recordings_of_a_group_get_all_values(backend: str) -> None:
    job = draw(CELLS["lstm"]().graph, Sizes(3, 5), 4, 2)
    alone, *together = (Recording(job, None) for _ in range(3))
    for sink in (alone, RecordingGroup(together)):
        y, _ = RUNS[backend](job, recording=sink)
        y.square().sum().backward()
    for one in together:
        assert one.backend == backend
        for name in alone.names:
            assert torch.equal(one.value(name), alone.value(name))
            assert torch.equal(one.gradient(name), alone.gradient(name))


@pytest.mark.parametrize("reverse", [False, True])
def test_a_group_runs_in_chunks(reverse: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    layer = sluice.nn.LSTM(3, 5, bidirectional=reverse)
    x, lengths = torch.randn(23, 2, 3), torch.tensor([19, 23])
    with torch.no_grad():
        with sluice.record(layer) as whole:
            y, _ = layer(x, lengths=lengths)
        calls = []
        plain = chunked_recording.slice_spec

        def count(*args: Any) -> Any:
            calls.append(args[1])
            return plain(*args)

        monkeypatch.setattr(chunked_recording, "slice_spec", count)
        monkeypatch.setattr(chunked_recording, "_CHUNK_BYTES", 2000)
        with (
            sluice.record(layer, names=["forget"], every=3) as some,
            sluice.record(layer, names=["c", "forget"]) as others,
        ):
            second, _ = layer(x, lengths=lengths)
    assert len(calls) >= 3
    torch.testing.assert_close(second, y)
    direction = {"layer": 0, "reverse": reverse}
    expected = whole.layer(**direction)
    torch.testing.assert_close(some.layer(**direction).forget, expected.forget[::3])
    torch.testing.assert_close(others.layer(**direction).forget, expected.forget)
    torch.testing.assert_close(others.layer(**direction).c, expected.c)
