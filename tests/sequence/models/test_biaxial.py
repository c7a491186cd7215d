"""The biaxial model against plain torch: values, gradients, losses, and files."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from sluice.sequence import Checkpoint
from sluice.sequence.batch import Batch
from sluice.sequence.errors import SequenceError
from sluice.sequence.models import BiaxialConfig, BiaxialModel
from sluice.sequence.models.biaxial import compute_sounding_losses
from sluice.sequence.models.note_inputs import build_note_inputs, count_note_inputs

NOTES, LOWEST, CLOCK = 15, 55, 3


def _make_model(strikes: bool = True, **options: object) -> BiaxialModel:
    torch.manual_seed(3)
    config = BiaxialConfig(
        features=NOTES, lowest=LOWEST, clock=CLOCK, strikes=strikes, hidden_size=6,
        note_hidden_size=5, dropout=0.0, **options,  # type: ignore[arg-type]
    )  # fmt: skip
    return BiaxialModel(config).double()


def _make_batch(steps: int = 5, pieces: int = 2, states: int = 3) -> Batch:
    generator = torch.Generator().manual_seed(5)
    rolls = torch.randint(0, states, (steps + 1, pieces, NOTES), generator=generator).double()
    clock = torch.randn(steps, pieces, CLOCK, generator=generator, dtype=torch.float64)
    return Batch(torch.cat((rolls[:-1], clock), dim=-1), rolls[1:])


def _list_inputs(roll: Tensor, clock: Tensor, note: int, strikes: bool) -> list[float]:
    """What a note reads, written out number by number."""
    pitch = LOWEST + note
    found = [(pitch - 60) / 24, *(float(pitch % 12 == c) for c in range(12))]
    sounds = [float(state > 0) for state in roll]
    for marks in [sounds, [float(state > 1) for state in roll]][: 1 + strikes]:
        for place in range(note - 12, note + 13):
            found.append(marks[place] if 0 <= place < NOTES else 0.0)
    for above in range(12):
        members = [k for k in range(NOTES) if (LOWEST + k) % 12 == (pitch + above) % 12]
        found.append(sum(sounds[k] for k in members))
    return [*found, *clock.tolist()]


def _run_plainly(model: BiaxialModel, batch: Batch) -> Tensor:
    """The logits by torch's own LSTM, a note and a step at a time."""
    strikes = model.config.strikes
    over_time = nn.LSTM(count_note_inputs(CLOCK, strikes), 6, 2).double()
    over_notes = nn.LSTM(6 + 1 + strikes, 5, 2).double()
    parameters: dict[str, Tensor] = {}
    for name, ours, plain in (
        ("time", model.layers, over_time), ("note", model.note_layers, over_notes)
    ):  # fmt: skip
        own = dict(ours.named_parameters())
        parameters |= {f"{name}.{key}": own[key] for key, _ in plain.named_parameters()}
    steps, pieces = batch.targets.shape[:2]
    logits = torch.empty(steps, pieces, NOTES, 2 + strikes, dtype=torch.float64)
    for piece in range(pieces):
        read = torch.tensor(
            [
                [_list_inputs(row[:NOTES], row[NOTES:], note, strikes) for note in range(NOTES)]
                for row in batch.inputs[:, piece]
            ]
        ).double()
        hidden, _ = torch.func.functional_call(
            over_time, {k[5:]: v for k, v in parameters.items() if k[:4] == "time"}, (read,)
        )
        for step in range(steps):
            chord = batch.targets[step, piece]
            rows = []
            order = list(range(NOTES))[:: -1 if model.config.descending else 1]
            for place, note in enumerate(order):
                last = float(chord[order[place - 1]]) if place else 0.0
                decided = [float(last > 0), float(last > 1)][: 1 + strikes]
                rows.append(torch.cat((hidden[step, note], torch.tensor(decided).double())))
            over, _ = torch.func.functional_call(
                over_notes,
                {k[5:]: v for k, v in parameters.items() if k[:4] == "note"},
                (torch.stack(rows),),
            )
            found = over @ model.readout.weight.T + model.readout.bias
            logits[step, piece, order] = found
    return logits


@pytest.mark.parametrize(("strikes", "descending"), [(True, False), (False, True), (True, True)])
def test_values_and_gradients_are_those_of_plain_torch(strikes: bool, descending: bool) -> None:
    model = _make_model(strikes, descending=descending)
    batch = _make_batch(states=2 + strikes)
    logits, _ = model(batch.inputs, batch.targets)
    expected = _run_plainly(model, batch)
    torch.testing.assert_close(logits, expected, rtol=1e-8, atol=1e-9)
    upstream = torch.randn(logits.shape, generator=torch.Generator().manual_seed(1)).double()
    names = [name for name, _ in model.named_parameters()]
    found = torch.autograd.grad(logits, list(model.parameters()), upstream)
    plain = torch.autograd.grad(expected, list(model.parameters()), upstream)
    for name, one, other in zip(names, found, plain, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-8, msg=name)


def test_the_loss_is_the_negative_log_likelihood_of_each_step_and_padding_costs_nothing() -> None:
    model, batch = _make_model(), _make_batch()
    logits, _ = model(batch.inputs, batch.targets)
    expected = torch.zeros(5, 2, dtype=torch.float64)
    for step, piece, note in itertools.product(range(5), range(2), range(NOTES)):
        weights = [math.exp(float(one)) for one in logits[step, piece, note].detach()]
        chosen = weights[int(batch.targets[step, piece, note])]
        expected[step, piece] -= math.log(chosen / sum(weights))
    steps = model.step_losses(batch)
    torch.testing.assert_close(steps.losses, expected)
    targets = batch.targets.clone()
    targets[3:, 1] = torch.nan
    short = Batch(batch.inputs, targets, torch.tensor([5, 3]))
    loss, _ = model.loss(short)
    assert loss.items == 8
    expected[3:, 1] = 0
    torch.testing.assert_close(loss.total, expected.sum())


def test_a_chord_has_probability_one_among_all_chords_that_could_follow() -> None:
    torch.manual_seed(0)
    config = BiaxialConfig(features=3, clock=0, hidden_size=4, note_hidden_size=4)
    model = BiaxialModel(config).double().eval()
    chords = torch.tensor(list(itertools.product(range(3), repeat=3))).double()[None]
    before = torch.tensor([2.0, 0.0, 1.0]).double().expand(1, 27, 3)
    losses = model.step_losses(Batch(before, chords)).losses
    torch.testing.assert_close(losses.neg().exp().sum(), torch.ones((), dtype=torch.float64))


def test_sounding_losses_do_not_tell_held_from_struck() -> None:
    logits = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(2)).double()
    held, struck = torch.ones(4, 5), torch.full((4, 5), 2.0)
    torch.testing.assert_close(
        compute_sounding_losses(logits, held), compute_sounding_losses(logits, struck)
    )
    by_hand = -(1 - logits.softmax(-1)[..., 0]).log().sum(-1)
    torch.testing.assert_close(compute_sounding_losses(logits, held), by_hand)


def test_inputs_move_with_the_notes() -> None:
    roll = torch.zeros(1, 1, 40)
    roll[0, 0, [14, 18, 21]] = 2.0
    higher = roll.roll(3, dims=-1)
    clock = torch.zeros(1, 1, 0)
    low, high = (build_note_inputs(one, clock, 40, True) for one in (roll, higher))
    # All but the height and the pitch class.
    torch.testing.assert_close(low[0, 0, 12:-15, 13:], high[0, 0, 15:-12, 13:])


def test_a_state_continues_and_a_file_keeps_the_model(tmp_path: object) -> None:
    model, batch = _make_model(), _make_batch(steps=6)
    whole, _ = model(batch.inputs, batch.targets)
    first, state = model(batch.inputs[:2], batch.targets[:2])
    second, _ = model(batch.inputs[2:], batch.targets[2:], state)
    torch.testing.assert_close(torch.cat((first, second)), whole)
    path = f"{tmp_path}/model.safetensors"
    Checkpoint(model.float(), columns=tuple(map(str, range(NOTES)))).save(path)
    loaded = Checkpoint.load(path, kind=BiaxialModel).model
    assert loaded.config == model.config
    torch.testing.assert_close(
        loaded(batch.inputs.float(), batch.targets)[0],
        model(batch.inputs.float(), batch.targets)[0],
    )


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(SequenceError, match="note_hidden_size must be an integer of at least 1"):
        BiaxialConfig(features=3, note_hidden_size=0)
    with pytest.raises(SequenceError, match="must not see what it predicts"):
        BiaxialConfig(features=3, bidirectional=True)
