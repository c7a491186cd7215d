"""What holds for every architecture of pairs: steps, padding, one matrix for two, smoothing."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from sequence.models.pair_models import ARCHITECTURES, LENGTHS, build_small, make_sources
from sluice.sequence import Batch, SequenceError
from sluice.sequence.models import ConvSeq2SeqConfig, PairModel, decode


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_decoding_with_states_is_teacher_forcing(architecture: str) -> None:
    model, sources = build_small(architecture), make_sources()
    targets = torch.randint(2, 9, (7, 3))
    whole, weights = model(sources, targets, LENGTHS)
    memory, state = model.encode(sources, LENGTHS)
    before = torch.cat((torch.ones(1, 3, dtype=torch.int64), targets[:-1]))
    parts = []
    for tokens in before.split([1, 1, 3, 2]):
        logits, looked, state = model.step(tokens, memory, state)
        parts.append((logits, looked))
    torch.testing.assert_close(torch.cat([one for one, _ in parts]), whole)
    torch.testing.assert_close(torch.cat([one for _, one in parts]), weights)
    torch.testing.assert_close(weights.sum(-1), torch.ones(7, 3))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_neither_the_batch_nor_padding_matters(architecture: str) -> None:
    model, sources = build_small(architecture), make_sources()
    targets = torch.randint(2, 9, (5, 3))
    together, weights = model(sources, targets, LENGTHS)
    for column, length in enumerate(LENGTHS.tolist()):
        alone, looked = model(sources[:length, [column]], targets[:, [column]])
        torch.testing.assert_close(together[:, column], alone[:, 0])
        torch.testing.assert_close(weights[:, column, :length], looked[:, 0])
    with torch.no_grad():
        model.embedding.weight[0] = torch.nan  # that of padding
    torch.testing.assert_close(model(sources, targets, LENGTHS)[0], together)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_later_target_changes_no_earlier_logits(architecture: str) -> None:
    model, sources = build_small(architecture), make_sources()
    targets = torch.randint(3, 6, (5, 3))
    other = torch.cat((targets[:3], targets[3:] + 3))
    first, second = (model(sources, one, LENGTHS)[0] for one in (targets, other))
    assert first[:4].equal(second[:4]) or torch.allclose(first[:4], second[:4], atol=1e-6)
    assert not torch.allclose(first[4], second[4])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_one_matrix_serves_for_embeddings_and_readout(architecture: str) -> None:
    model = build_small(architecture, tied=True, joint=True)
    apart = build_small(architecture)
    saved = sum(one.numel() for one in apart.parameters()) - sum(
        one.numel() for one in model.parameters()
    )
    assert saved > 0 and len(set(model.state_dict()) & {"readout.weight"}) == 0
    assert not any(name.startswith("target_embedding") for name in model.state_dict())
    sources, targets = make_sources(), torch.randint(2, 9, (5, 3))
    memory, state = model.encode(sources, LENGTHS)
    before = torch.cat((torch.ones(1, 3, dtype=torch.int64), targets[:-1]))
    seen, *_ = model.decode_steps(before, memory, state)
    expected = functional.linear(seen, model.embedding.weight, model.readout.bias)
    torch.testing.assert_close(model(sources, targets, LENGTHS)[0], expected)


@pytest.mark.parametrize("architecture", ["recurrent", "convs2s"])
def test_smoothing_is_torchs_in_training_alone(architecture: str) -> None:
    model = build_small(architecture, label_smoothing=0.2)
    targets = torch.tensor([[3, 4, 2], [5, 2, 0], [2, 0, 0]])
    batch = Batch(make_sources(), targets, LENGTHS)
    logits = model(batch.inputs, targets, LENGTHS)[0].flatten(0, 1)
    for share in (0.2, 0.0):
        expected = functional.cross_entropy(
            logits, targets.flatten(), ignore_index=0, reduction="sum", label_smoothing=share
        )
        (total, items), _ = model.train(share > 0).loss(batch)
        assert items == 6
        torch.testing.assert_close(total, expected)


def count_work(model: PairModel, steps: int) -> list[int]:
    """The multiplications and additions of each step of decoding."""
    memory, state = model.encode(make_sources(), LENGTHS)
    found = []
    for _ in range(steps):
        with FlopCounterMode(display=False) as counter:
            _, _, state = model.step(torch.full((1, 3), 4), memory, state)
        found.append(counter.get_total_flops())
    return found


def test_what_a_token_costs_in_decoding() -> None:
    """The convolutions' columns are as many at every step; a transformer's keys are ever more."""
    convolutions, transformer = (
        count_work(build_small(one), 12) for one in ("convs2s", "transformer")
    )
    assert len(set(convolutions)) == 1
    grows = {later - earlier for earlier, later in pairwise(transformer)}
    assert len(grows) == 1 and min(grows) > 0


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_states_follow_their_beams(architecture: str) -> None:
    """Among many beams every hypothesis has the probability that teacher forcing gives it."""
    model, sources = build_small(architecture), make_sources()
    for column, found in enumerate(decode(model, sources, LENGTHS, num_beams=5, max_length=6)):
        ids = torch.tensor([*found.ids, 2] if found.is_complete else found.ids)[:, None]
        logits, weights = model(sources[: LENGTHS[column], [column]], ids)
        expected = logits[:, 0].log_softmax(-1).gather(1, ids).sum()
        assert found.log_probability == pytest.approx(expected.item(), abs=1e-4)
        steps = weights.shape[-1]
        torch.testing.assert_close(found.attention[:, :steps], weights[:, 0])


def test_sizes_that_cannot_be() -> None:
    with pytest.raises(SequenceError, match="one vocabulary"):
        ConvSeq2SeqConfig(9, 8, joint=True)
    with pytest.raises(SequenceError, match="label_smoothing"):
        ConvSeq2SeqConfig(9, 9, label_smoothing=1.0)
