"""Memory operations and constant spans, on gates whose values are set."""

from __future__ import annotations

from operator import itemgetter

import numpy as np
import pytest
import torch

import sluice
from sluice.cells.registry import list_cells
from sluice.insight import (
    MemoryOperationsError,
    classify_memory_operations,
    find_constant_spans,
)
from sluice.insight.measures.memory_operations import find_memory_gates

FORGET, INPUT, OUTPUT, UPDATE = map(itemgetter, ("forget", "input", "output", "update"))


@pytest.mark.parametrize(
    ("cell", "memory", "forget", "written", "shown"),
    [
        ("LSTM", "c", FORGET, INPUT, OUTPUT),
        ("PeepholeLSTM", "c", FORGET, INPUT, OUTPUT),
        ("LayerNormLSTM", "c", FORGET, INPUT, OUTPUT),
        ("LSTM1997", "c", lambda v: torch.ones_like(v["input"]), INPUT, OUTPUT),
        ("CIFG", "c", FORGET, lambda v: 1 - v["forget"], OUTPUT),
        ("GRU", "h", UPDATE, lambda v: 1 - v["update"], None),
        ("ResetBeforeGRU", "h", UPDATE, lambda v: 1 - v["update"], None),
        ("MGU", "h", lambda v: 1 - v["forget"], FORGET, None),
        ("JANET", "h", FORGET, INPUT, None),
    ],
)
def test_roles_follow_from_the_equations(cell, memory, forget, written, shown) -> None:  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    layer = sluice.nn.Recurrent(list_cells()[cell](), 3, 5)
    with torch.no_grad(), sluice.record(layer) as tape:
        layer(6 * torch.randn(12, 4, 3))
    found = classify_memory_operations(tape, shut=0.3, open=0.6)
    values = tape.layer(0)
    f, i = forget(values), written(values)
    assert found.memory == memory
    assert torch.equal(found.store, i > 0.6)
    assert torch.equal(found.delete, f < 0.3)
    assert torch.equal(found.keep, (f > 0.6) & (i < 0.3))
    assert found.store.any() and found.keep.any()
    if shown is None:
        assert found.load is None
    else:
        assert found.load is not None and torch.equal(found.load, shown(values) > 0.6)


def test_a_candidate_of_zero_writes_nothing_through_an_open_gate() -> None:
    layer = sluice.nn.LSTM(1, 3)
    with torch.no_grad(), sluice.record(layer) as tape:
        layer.weight_ih_l0.zero_()
        layer.bias_hh_l0.zero_()
        layer.weight_hh_l0.zero_()
        gates = [[9.0, 9, -9], [9, 9, -9], [0, 1, 1], [0, 0, 0]]  # i, f, g, o
        layer.bias_ih_l0.copy_(torch.tensor(gates).flatten())
        layer(torch.zeros(1, 1, 1))
    by_gates, by_effect = (classify_memory_operations(tape, negligible=n) for n in (0.0, 0.05))
    assert by_gates.store.flatten().tolist() == [True, True, False]
    assert not by_gates.keep.any()
    assert by_effect.store.flatten().tolist() == [False, True, False]
    assert by_effect.keep.flatten().tolist() == [True, False, False]
    assert torch.equal(by_effect.delete, by_gates.delete)


def test_there_is_no_operation_behind_the_end_of_a_sequence() -> None:
    layer, lengths = sluice.nn.LSTM(3, 5), torch.tensor([4, 2])
    with torch.no_grad(), sluice.record(layer) as tape:
        layer(torch.randn(4, 2, 3), lengths=lengths)
    found = classify_memory_operations(tape, shut=0.5, open=0.6, lengths=lengths)
    assert found.delete[:2, 1].any()
    assert not any(one[2:, 1].any() for one in (found.store, found.keep, found.delete, found.load))


@pytest.mark.parametrize("cell", ["Elman", "LEM", "MinLSTM", "LRU", "MatrixLSTM"])
def test_cells_without_gates_around_a_memory_are_refused(cell: str) -> None:
    with pytest.raises(MemoryOperationsError, match=f"{cell} have no gates around a memory"):
        find_memory_gates(list_cells()[cell]().graph)


def test_gates_that_were_not_recorded_and_strange_thresholds_are_refused() -> None:
    layer = sluice.nn.LSTM(3, 5)
    with torch.no_grad(), sluice.record(layer, names=["c", "forget"]) as tape:
        layer(torch.randn(4, 2, 3))
    with pytest.raises(MemoryOperationsError, match="was not recorded"):
        classify_memory_operations(tape)
    with pytest.raises(MemoryOperationsError, match="shut < open"):
        classify_memory_operations(tape, shut=0.9, open=0.1)


def test_spans_are_those_of_a_plain_search() -> None:
    generator = torch.Generator().manual_seed(0)
    jumps = torch.rand(80, 3, 4, generator=generator) < 0.1
    values = (jumps * torch.randn(80, 3, 4, generator=generator)).cumsum(0)
    values += 0.01 * torch.rand(80, 3, 4, generator=generator)
    values[..., 3] = 0.7  # never varies
    lengths = torch.tensor([80, 50, 7])
    found = find_constant_spans(values, tolerance=0.02, shortest=6, lengths=lengths)
    expected = set()
    for unit in range(3):
        kept = [values[: lengths[b], b, unit].double().numpy() for b in range(3)]
        allowed = 0.02 * float(np.ptp(np.concatenate(kept)))
        for sequence, v in enumerate(kept):
            start = 0
            while start < len(v):
                stop = start + 1
                while (
                    stop < len(v)
                    and float(v[start : stop + 1].max() - v[start : stop + 1].min()) <= allowed
                ):
                    stop += 1
                if stop - start >= 6:
                    expected.add((unit, sequence, start, stop))
                start = stop
    assert len(expected) > 10
    assert {(s.unit, s.sequence, s.start, s.stop) for s in found} == expected
    sizes = [span.stop - span.start for span in found]
    assert sizes == sorted(sizes, reverse=True)
    span = found[0]
    mean = values[span.start : span.stop, span.sequence, span.unit].double().mean()
    assert span.value == pytest.approx(float(mean), abs=1e-9)


def test_spans_of_nothing_and_of_a_plain_vector() -> None:
    assert find_constant_spans(torch.zeros(0, 2, 3)) == []
    with pytest.raises(ValueError, match="time, batch, hidden"):
        find_constant_spans(torch.zeros(20))
