"""Likelihoods of sequences, against torch's own modules one token at a time."""

from __future__ import annotations

import pytest
import torch

from sequence.generation.torch_reference import END, Plain, sharp
from sluice.sequence import SequenceError, log_likelihood

SEQUENCES = [[3, 4, 5, 3], [8], [5, 5, 5, 5, 5, 5, 7], [4, 6]]


@pytest.mark.parametrize("cell", ["lstm", "gru", "elman"])
def test_the_sum_over_tokens_and_the_end(cell: str) -> None:
    model = sharp(cell=cell)
    plain = Plain(model)
    expected = [plain.sum_of_logs([*ids, END]) for ids in SEQUENCES]
    assert log_likelihood(model, SEQUENCES).tolist() == pytest.approx(expected, rel=1e-9)
    unended = [plain.sum_of_logs(ids) for ids in SEQUENCES]
    assert log_likelihood(model, SEQUENCES, include_end=False).tolist() == pytest.approx(unended)


def test_the_prefix_is_read_but_not_scored() -> None:
    """Candidates for a gap, by the likelihood of its right side."""
    model = sharp()
    plain, right = Plain(model), [4, 4, 6]
    lefts = [[3], [7, 8], [], [5, 3, 3, 3]]
    found = log_likelihood(model, [right] * 4, lefts)
    expected = [plain.sum_of_logs([*right, END], left) for left in lefts]
    assert found.tolist() == pytest.approx(expected, rel=1e-9)
    assert len(set(found.tolist())) == 4


def test_more_sequences_than_a_batch_come_back_in_order() -> None:
    model = sharp()
    sequences = [[3 + (7 * n) % 6] * (1 + (5 * n) % 11) for n in range(150)]
    together = log_likelihood(model, sequences)
    for place in (0, 63, 64, 149):
        alone = log_likelihood(model, [sequences[place]])
        torch.testing.assert_close(together[place : place + 1], alone)


def test_scoring_uses_evaluation_mode_and_restores_training_mode() -> None:
    model = sharp()
    expected = log_likelihood(model, SEQUENCES)
    model.train()
    torch.testing.assert_close(log_likelihood(model, SEQUENCES), expected)
    assert model.training


def test_invalid_sequences_are_refused() -> None:
    model = sharp()
    with pytest.raises(SequenceError, match="at least one token"):
        log_likelihood(model, [])
    with pytest.raises(SequenceError, match="at least one token"):
        log_likelihood(model, [[3], []], include_end=False)
    with pytest.raises(SequenceError, match="from 0 to 8, got 9"):
        log_likelihood(model, [[9]])
    with pytest.raises(SequenceError, match="each of 2 sequences, got 1"):
        log_likelihood(model, [[3], [4]], [[3]])
