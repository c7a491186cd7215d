import pytest
import torch

from sluice.sequence import SequenceError
from sluice.sequence.batch import Batch
from sluice.sequence.batching.pairs import PairBatches
from sluice.sequence.models import Seq2Seq, Seq2SeqConfig

SOURCES = [[3 + n % 5] * (1 + n % 7) for n in range(50)]
TARGETS = [[*source, 8] for source in SOURCES]


def rows(batch: Batch) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    both = zip(batch.inputs.T.tolist(), batch.targets.T.tolist(), strict=True)
    return [(tuple(x for x in s if x), tuple(x for x in t if x)) for s, t in both]


def test_every_pair_comes_once_in_an_epoch_and_stays_together() -> None:
    pairs = PairBatches(SOURCES, TARGETS, batch_size=4, seed=3)
    batches = list(pairs.batches(0))
    assert len(batches) == len(pairs) == 13
    found = sorted(row for batch in batches for row in rows(batch))
    expected = zip(SOURCES, TARGETS, strict=True)
    assert found == sorted((tuple(s), (*t, 2)) for s, t in expected)
    for batch in batches:
        assert batch.lengths is not None
        assert batch.lengths.tolist() == [len(source) for source, _ in rows(batch)]


def test_an_epoch_repeats_resumes_at_any_batch_and_differs_from_the_next() -> None:
    pairs = PairBatches(SOURCES, TARGETS, batch_size=4, seed=3)
    epoch = [rows(batch) for batch in pairs.batches(1)]
    assert [rows(batch) for batch in pairs.batches(1, first=5)] == epoch[5:]
    assert [rows(batch) for batch in pairs.batches(2)] != epoch


def test_a_model_learns_from_them() -> None:
    (batch,) = PairBatches(SOURCES[:4], [[], [5], [5, 6], [7]], batch_size=4, seed=0).batches(0)
    (total, items), _ = Seq2Seq(Seq2SeqConfig(9, 9, hidden_size=4)).loss(batch)
    assert items == 4 + 4 and total.isfinite()


def test_all_tensors_of_a_batch_move_to_a_device() -> None:
    (batch,) = PairBatches([[3]], [[4]], batch_size=1, seed=0).batches(0)
    moved = batch.to("meta")
    assert moved.inputs.is_meta and moved.targets.is_meta and moved.lengths.is_meta
    assert moved.resets is None and batch.inputs.device == torch.device("cpu")


def test_unequal_pairs_are_refused() -> None:
    with pytest.raises(SequenceError, match="each of 2 sources, got 1"):
        PairBatches([[3], [4]], [[3]], 2, 0)
    with pytest.raises(SequenceError, match="at least one token"):
        PairBatches([[3], []], [[3], [4]], 2, 0)
