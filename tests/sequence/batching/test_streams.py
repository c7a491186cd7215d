import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from sluice.sequence import Batch, BucketBatches, SequenceError, StreamBatches, WindowBatches
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.targets import NextToken, NextValues, SequenceLabels

SEQUENCES = [[10 + number] * (number * 7 % 23) + [9] for number in range(41)]
IDS = RaggedArray.of(SEQUENCES)
SOURCES: dict[str, Callable[..., Any]] = {
    "bucketed": lambda **share: BucketBatches(NextToken(IDS), batch_size=6, seed=3, **share),
    "streams": lambda **share: StreamBatches(
        NextToken(IDS), batch_size=6, seq_len=11, seed=3, **share
    ),
    "windows": lambda **share: WindowBatches(
        NextToken(IDS), seq_len=8, batch_size=6, seed=3, **share
    ),
}


def same(a: Batch, b: Batch) -> bool:
    return torch.equal(a.inputs, b.inputs) and torch.equal(a.targets, b.targets)


def column(batch: Batch, number: int) -> list[tuple[int, int]]:
    pairs = zip(batch.inputs[:, number].tolist(), batch.targets[:, number].tolist(), strict=True)
    return [pair for pair in pairs if pair[1] != 0]


@pytest.mark.parametrize("name", SOURCES)
def test_an_epoch_repeats_and_starts_anywhere(name: str) -> None:
    source = SOURCES[name]()
    once, again = list(source.batches(1)), list(source.batches(1))
    assert len(once) == len(source) > 3
    assert all(map(same, once, again))
    assert all(map(same, once[3:], source.batches(1, first=3)))
    assert not all(map(same, once, source.batches(2)))


@pytest.mark.parametrize("world", [2, 4, 6])
@pytest.mark.parametrize("name", SOURCES)
def test_processes_together_read_the_batches_of_one(name: str, world: int) -> None:
    whole = list(SOURCES[name]().batches(0))
    shares = [list(SOURCES[name](rank=rank, world_size=world).batches(0)) for rank in range(world)]
    for place, batch in enumerate(whole):
        width = batch.inputs.shape[1]
        parts = [share[place] for share in shares]
        for number in range(width):
            theirs = column(parts[number % world], number // world)
            assert theirs == column(batch, number)
        counted = sum(int((part.targets != 0).sum()) for part in parts)
        assert counted == int((batch.targets != 0).sum())


def test_streams_carry_each_sequence_on_and_mark_where_it_begins() -> None:
    source = SOURCES["streams"]()
    batches = list(source.batches(0))
    assert source.stateful
    inputs = torch.cat([batch.inputs for batch in batches])
    resets = torch.cat([batch.resets for batch in batches])
    flat, begins = inputs.T.flatten(), resets.T.flatten()
    ends = torch.cat([batch.targets for batch in batches]).T.flatten()
    flat, begins, ends = (marks[ends != 0] for marks in (flat, begins, ends))
    assert len(flat) == sum(len(sequence) + 1 for sequence in SEQUENCES)
    assert torch.equal(begins, flat == 1)
    starts = [*torch.nonzero(begins)[:, 0].tolist(), len(flat)]
    found = [flat[a + 1 : b].tolist() for a, b in pairwise(starts)]
    assert sorted(found) == sorted(SEQUENCES)
    assert all(ends[b - 1] == 2 for b in starts[1:])
    inside = ~torch.cat([begins[1:], torch.tensor([True])])
    assert torch.equal(ends[inside], flat[1:][inside[:-1]])


def test_streams_pad_only_the_last() -> None:
    steps = NextToken(RaggedArray.of([[5] * 20]))
    batches = list(StreamBatches(steps, batch_size=4, seq_len=4, seed=0).batches(0))
    assert [tuple(batch.inputs.shape) for batch in batches] == [(4, 4), (2, 4)]
    assert sum(int((batch.targets == 0).sum()) for batch in batches) == 4 * 6 - 21


def test_windows_cover_every_step() -> None:
    values = RaggedArray.of([np.arange(n, dtype=float)[:, None] for n in (30, 9, 3, 1)], np.float32)
    source = WindowBatches(NextValues(values, values), seq_len=8, batch_size=3, seed=0)
    seen = set()
    for batch in source.batches(0):
        assert batch.inputs.shape[0] <= 8
        seen |= set(batch.targets[~batch.targets.isnan()].tolist())
        lengths = batch.lengths if batch.lengths is not None else [8] * batch.inputs.shape[1]
        for number, length in enumerate(lengths):
            inputs = batch.inputs[: int(length), number, 0]
            assert torch.equal(batch.targets[: int(length), number, 0], inputs + 1)
            assert batch.targets[int(length) :, number].isnan().all()
    assert seen == set(range(1, 30))
    assert len(source) == math.ceil((4 + 1 + 1) / 3)


def test_a_stride_of_one_takes_every_window() -> None:
    values = RaggedArray.of([np.arange(10.0)[:, None]], np.float32)
    source = WindowBatches(NextValues(values, values), seq_len=4, batch_size=99, seed=0, stride=1)
    (batch,) = source.batches(0)
    assert sorted(batch.inputs[0, :, 0].tolist()) == list(range(6))


def test_a_process_without_a_sequence_gets_a_padded_one() -> None:
    labelled = SequenceLabels(RaggedArray.of([[[1.0]], [[2.0]], [[3.0]]], np.float32), [0, 1, 2])
    last = list(BucketBatches(labelled, batch_size=2, seed=0, rank=1, world_size=2).batches(0))
    empty = [batch for batch in last if batch.targets.tolist() == [-100]]
    assert len(last) == 2 and len(empty) == 1
    assert empty[0].lengths is not None and empty[0].lengths.tolist() == [0]
    logits = torch.zeros(1, 3)
    loss = torch.nn.functional.cross_entropy(logits, empty[0].targets, reduction="sum")
    assert loss.item() == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BucketBatches([], 2, 0), "no sequences"),
        (lambda: BucketBatches([[3]], 2, 0, rank=2, world_size=2), "0 to 1, got 2"),
        (lambda: BucketBatches([[3]], 2, 0, rank=0, world_size=3), "all 3 processes"),
        (lambda: StreamBatches(NextToken(IDS), 2, 0, 0), "at least 1 step, got 0"),
        (lambda: WindowBatches(NextToken(IDS), 4, 2, 0, stride=0), "stride must be at least 1"),
        (lambda: StreamBatches(SequenceLabels(IDS, [0] * 41), 2, 3, 0), "use BucketBatches"),
        (lambda: WindowBatches(SequenceLabels(IDS, [0] * 41), 2, 3, 0), "use BucketBatches"),
    ],
)
def test_invalid_arguments_are_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(SequenceError, match=message):
        make()
