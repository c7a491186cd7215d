"""Sampling note by note: the kernels' loop, a loop in torch, and the model run whole."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from sluice.sequence.errors import SequenceError
from sluice.sequence.generation.note_sampling import NoteSampler, compute_masses
from sluice.sequence.models import BiaxialConfig, BiaxialModel

NOTES, CLOCK = 14, 2


def _make_model(strikes: bool = True, descending: bool = False) -> BiaxialModel:
    torch.manual_seed(0)
    config = BiaxialConfig(
        features=NOTES, lowest=50, clock=CLOCK, strikes=strikes, hidden_size=8, note_hidden_size=6,
        descending=descending,
    )  # fmt: skip
    model = BiaxialModel(config).double().eval()
    for parameter in model.parameters():
        parameter.data.mul_(4)  # so that the notes below decide
    return model


def _draw_plainly(
    model: BiaxialModel, before: Tensor, clock: Tensor, chance: Tensor, blocked: Tensor
) -> list[int]:
    """The next chord by runs of the whole model on what is known so far, one for each note."""
    chord = torch.zeros(1, 1, NOTES).double()
    inputs = torch.cat((before, clock.expand(len(before), 1, -1)), dim=-1)
    for note in range(NOTES)[:: -1 if model.config.descending else 1]:
        rolls = torch.cat((before[1:], chord))
        logits = model(inputs, rolls)[0][-1, 0, note]
        weights = logits.softmax(-1) * ~blocked[note]
        reached = weights.cumsum(-1) / weights.sum() > chance[note]
        chord[0, 0, note] = int(reached.long().argmax())
    return [int(state) for state in chord.flatten()]


@pytest.mark.parametrize(("strikes", "descending"), [(True, False), (False, True), (True, True)])
def test_chords_are_those_of_the_whole_model_in_either_loop(
    strikes: bool, descending: bool
) -> None:
    model = _make_model(strikes, descending)
    generator = torch.Generator().manual_seed(4)
    samplers = [NoteSampler(model, 3), NoteSampler(model, 3)]
    samplers[1]._native = None
    before = torch.zeros(1, 3, NOTES).double()
    clock = torch.tensor([0.5, -1.0]).double()
    for _ in range(3):
        chance = torch.rand(NOTES, 3, generator=generator, dtype=torch.float64)
        blocked = torch.rand(NOTES, 3, 2 + strikes, generator=generator) < 0.2
        blocked[..., 0] = False
        drawn = []
        for sampler in samplers:
            hidden = sampler.read(before[-1], clock)
            drawn.append(sampler.draw(hidden, chance, ~blocked))
        assert torch.equal(*drawn)
        with torch.no_grad():
            for piece in range(3):
                expected = _draw_plainly(
                    model, before[:, piece : piece + 1], clock, chance[:, piece], blocked[:, piece]
                )
                assert drawn[0][piece].tolist() == expected
        before = torch.cat((before, drawn[0][None].double()))


@pytest.mark.parametrize("descending", [False, True])
def test_step_by_step_the_likelihood_is_that_of_the_whole_run(descending: bool) -> None:
    model = _make_model(descending=descending)
    sampler = NoteSampler(model, 2)
    generator = torch.Generator().manual_seed(9)
    chords, logits = [torch.zeros(2, NOTES).double()], []
    clock = torch.randn(5, CLOCK, generator=generator).double()
    for step in range(5):
        hidden = sampler.read(chords[-1], clock[step])
        chance = torch.rand(NOTES, 2, generator=generator, dtype=torch.float64)
        chords.append(sampler.draw(hidden, chance).double())
        logits.append(sampler.compute_logits(hidden, chords[-1].long()))
    rolls = torch.stack(chords)
    inputs = torch.cat((rolls[:-1], clock[:, None].expand(-1, 2, -1)), dim=-1)
    with torch.no_grad():
        whole, _ = model(inputs, rolls[1:])
    torch.testing.assert_close(torch.stack(logits), whole, rtol=1e-12, atol=1e-12)


def test_masses_are_the_probability_of_what_was_allowed() -> None:
    torch.manual_seed(1)
    config = BiaxialConfig(features=4, clock=0, strikes=False, hidden_size=4, note_hidden_size=4)
    model = BiaxialModel(config).double().eval()
    chords = torch.tensor(list(itertools.product(range(2), repeat=4)))
    sampler = NoteSampler(model, len(chords))
    hidden = sampler.read(torch.zeros(16, 4), torch.zeros(0))
    odds = sampler.compute_logits(hidden, chords).log_softmax(-1)
    nats = odds.gather(-1, chords[..., None]).sum((1, 2))
    allowed = torch.ones(4, 16, 2, dtype=torch.bool)
    allowed[3, :, 0] = False  # the highest note must sound
    kept = chords[:, 3] == 1
    masses = compute_masses(sampler.compute_logits(hidden, chords), allowed)
    # A chord drawn under the mask has the model's probability over its own mass.
    proposal = (nats - masses).exp()[kept]
    torch.testing.assert_close(proposal.sum(), torch.ones((), dtype=torch.float64))


def test_pieces_go_on_from_what_others_have_read() -> None:
    model = _make_model()
    sampler = NoteSampler(model, 2)
    clock = torch.zeros(CLOCK).double()
    first = torch.zeros(2, NOTES).double()
    first[1, 3] = 2.0
    sampler.read(first, clock)
    sampler.rearrange(torch.tensor([1, 1]))
    hidden = sampler.read(first[[1, 1]], clock)
    torch.testing.assert_close(hidden[0], hidden[1])


def test_what_cannot_be_drawn_is_refused() -> None:
    model = _make_model()
    sampler = NoteSampler(model, 1)
    hidden = sampler.read(torch.zeros(1, NOTES), torch.zeros(CLOCK))
    with pytest.raises(SequenceError, match="temperature must be above 0"):
        sampler.draw(hidden, torch.zeros(NOTES, 1).double(), temperature=0.0)
    hidden = torch.full_like(hidden, torch.nan)
    with pytest.raises(SequenceError, match="computes NaN"):
        sampler.draw(hidden, torch.zeros(NOTES, 1).double())
