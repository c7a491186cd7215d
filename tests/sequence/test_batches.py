import torch

from sluice.sequence.batches import by_length, pad, shuffled

SEQUENCES = [[10 + number] * (1 + number * 7 % 23) for number in range(101)]


def contents(batches: list[torch.Tensor]) -> list[list[int]]:
    columns = [column.tolist() for batch in batches for column in batch.T]
    return sorted([number for number in column if number > 2] for column in columns)


def test_pad_marks_both_ends() -> None:
    batch = pad([[7], [8, 9, 8]])
    assert batch.dtype == torch.int64
    assert batch.T.tolist() == [[1, 7, 2, 0, 0], [1, 8, 9, 8, 2]]


def test_every_sequence_comes_once() -> None:
    for batches in (by_length(SEQUENCES, 4), shuffled(SEQUENCES, 4, torch.Generator())):
        assert contents(list(batches)) == sorted(SEQUENCES)


def test_batches_hold_similar_lengths() -> None:
    batches = list(shuffled(SEQUENCES, 4, torch.Generator().manual_seed(1)))
    padding = sum(int((batch == 0).sum()) for batch in batches)
    in_order = [pad(SEQUENCES[first : first + 4]) for first in range(0, len(SEQUENCES), 4)]
    assert padding < 0.2 * sum(int((batch == 0).sum()) for batch in in_order)


def test_the_generator_alone_decides_the_order() -> None:
    def order(seed: int) -> list[list[int]]:
        generator = torch.Generator().manual_seed(seed)
        return [batch.flatten().tolist() for batch in shuffled(SEQUENCES, 4, generator)]

    assert order(1) == order(1)
    assert order(1) != order(2)
