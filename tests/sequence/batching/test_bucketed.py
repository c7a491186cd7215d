import torch

from sluice.sequence.batching.bucketed import BucketBatches, pad, shuffle_batches
from sluice.sequence.vocabulary import PADDING

SEQUENCES = [[10 + number] * (1 + number * 7 % 23) for number in range(101)]


def contents(batches: list[torch.Tensor]) -> list[list[int]]:
    columns = [column.tolist() for batch in batches for column in batch.T]
    return sorted([number for number in column if number > 2] for column in columns)


def test_pad_marks_both_ends() -> None:
    batch = pad([[7], [8, 9, 8]])
    assert batch.dtype == torch.int64
    assert batch.T.tolist() == [[1, 7, 2, 0, 0], [1, 8, 9, 8, 2]]


def test_every_sequence_comes_once() -> None:
    batches = shuffle_batches(SEQUENCES, 4, torch.Generator())
    assert contents(list(batches)) == sorted(SEQUENCES)


def test_batches_hold_similar_lengths() -> None:
    batches = list(shuffle_batches(SEQUENCES, 4, torch.Generator().manual_seed(1)))
    padding = sum(int((batch == 0).sum()) for batch in batches)
    in_order = [pad(SEQUENCES[first : first + 4]) for first in range(0, len(SEQUENCES), 4)]
    assert padding < 0.2 * sum(int((batch == 0).sum()) for batch in in_order)


def test_the_generator_alone_decides_the_order() -> None:
    def order(seed: int) -> list[list[int]]:
        generator = torch.Generator().manual_seed(seed)
        return [batch.flatten().tolist() for batch in shuffle_batches(SEQUENCES, 4, generator)]

    assert order(1) == order(1)
    assert order(1) != order(2)


def test_an_epoch_repeats_and_starts_at_any_batch() -> None:
    source = BucketBatches([[3] * (1 + place % 7) for place in range(50)], batch_size=4, seed=5)
    once, again = (list(source.batches(2)) for _ in range(2))
    rest = list(source.batches(2, first=5))
    assert len(once) == len(source) == 13
    assert all(torch.equal(a.inputs, b.inputs) for a, b in zip(once, again, strict=True))
    assert all(torch.equal(a.targets, b.targets) for a, b in zip(once[5:], rest, strict=True))
    other = list(source.batches(3))
    assert [b.inputs.shape for b in other] != [b.inputs.shape for b in once]
    assert sum(int((b.targets > PADDING).sum()) for b in other) == sum(
        len(sequence) + 1 for sequence in source.sequences
    )
