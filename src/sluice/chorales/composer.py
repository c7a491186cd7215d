"""`ChoraleComposer`: chorales from a model, new, continued, or under a given melody."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sluice.chorales.errors import ChoraleError
from sluice.chorales.models import read_grid, require_chorale_model
from sluice.chorales.plan import METERS, Plan
from sluice.chorales.roll import Roll
from sluice.files import StrPath
from sluice.sequence import Checkpoint
from sluice.sequence.generation.note_sampling import NoteSampler, compute_masses
from sluice.sequence.generation.random_numbers import UniformNumbers
from sluice.sequence.models.biaxial import HELD, SILENT, STRUCK, BiaxialModel

VOICES = 4
PARTICLES = 16
"""Pieces that grow side by side, of which one remains."""


@dataclass(frozen=True)
class ComposedChorale:
    """A piece that was composed.

    Attributes:
        roll: its notes.
        nats_per_step: its negative log-likelihood under the model, at temperature 1.
    """

    roll: Roll
    nats_per_step: float


class ChoraleComposer:
    """Composes in four parts with a trained `BiaxialModel`.

    Several candidates grow side by side (a particle filter, Gordon, Salmond & Smith 1993). At every
    step each draws its notes from the model; a candidate with more than four notes is given up, and
    where a melody is given, the candidates whose lower notes made its next note likely go on in the
    place of those that made it unlikely. So what is given later decides what is chosen before.

    Args:
        checkpoint: a model from `sluice train chorales`, with its grid.

    Raises:
        ChoraleError: another model, one of an earlier version, or one that does not know which
            notes are struck.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        model = require_chorale_model(checkpoint)
        if not model.config.strikes:
            raise ChoraleError(
                "The model was trained on piano rolls, which do not say which notes are struck, so "
                "that it cannot compose; train one on MusicXML or MIDI."
            )
        self.model: BiaxialModel = model.eval()
        self.grid = read_grid(checkpoint)
        self.metadata: dict[str, Any] = dict(checkpoint.metadata)

    @classmethod
    def load(cls, path: StrPath) -> ChoraleComposer:
        """The composer of a model file.

        Raises:
            CheckpointError: a file that cannot be read.
            ChoraleError: as `ChoraleComposer`.
        """
        return cls(Checkpoint.load(path))

    @property
    def low(self) -> int:
        """The lowest note of the model."""
        return self.model.config.lowest

    @property
    def high(self) -> int:
        """The highest note of the model."""
        return self.low + self.model.config.features - 1

    def compose(
        self,
        plan: Plan | None = None,
        *,
        seed: int = 0,
        temperature: float = 0.9,
        particles: int = PARTICLES,
        on_progress: Callable[[float], None] = lambda fraction: None,
    ) -> ComposedChorale:
        """A new piece; the same seed gives the same piece on one machine.

        Args:
            plan: its form; default six phrases in 4/4.
            seed: of the random numbers.
            temperature: below 1 makes likely notes likelier.
            particles: candidates that grow side by side.
            on_progress: called after each step with the fraction of the piece that is done.

        Raises:
            SequenceError: a temperature that is not above 0, or a negative seed.
            ChoraleError: no candidate.
        """
        silent = (plan or Plan()).make_roll(self.grid)
        return self._grow(silent, 0, None, seed, temperature, particles, on_progress)

    def extend(
        self,
        beginning: Roll,
        plan: Plan | None = None,
        *,
        seed: int = 0,
        temperature: float = 0.9,
        particles: int = PARTICLES,
        on_progress: Callable[[float], None] = lambda fraction: None,
    ) -> ComposedChorale:
        """A beginning and what follows it: as many phrases as the plan has, in its meter.

        The beginning stays as it is, but for silence at its end: its notes end where they end.

        Raises:
            ChoraleError: notes outside the model's, or another grid.
            SequenceError: as `compose`.
        """
        self._check(beginning)
        sounding = np.flatnonzero((beginning.states > SILENT).any(axis=1))
        known = int(sounding[-1]) + 1
        form = (plan or Plan()).make_roll(self.grid)
        meter = int(beginning.meters[known - 1])
        if int(form.meters[0]) != meter:
            raise ChoraleError(
                f"The beginning has bars of {meter / self.grid:g} quarter notes, the plan of "
                f"{form.meters[0] / self.grid:g}; what goes on is in {' or '.join(METERS)}, like "
                "its beginning."
            )
        place = (int(beginning.places[known - 1]) + 1) % meter
        skip = next(k for k in range(len(form)) if form.places[k] == place)
        beat_types = [beginning.read_meter(step)[1] for step in range(known)]
        whole = replace(
            beginning,
            states=np.concatenate((beginning.states[:known], form.states[skip:])),
            places=np.concatenate((beginning.places[:known], form.places[skip:])),
            meters=np.concatenate((beginning.meters[:known], form.meters[skip:])),
            fermatas=np.concatenate((beginning.fermatas[:known], form.fermatas[skip:])),
            beat_types=np.array(beat_types + [4] * (len(form) - skip)),
            is_metered=True,
        )
        return self._grow(whole, known, None, seed, temperature, particles, on_progress)

    def harmonise(
        self,
        melody: Roll,
        *,
        seed: int = 0,
        temperature: float = 0.9,
        particles: int = 2 * PARTICLES,
        on_progress: Callable[[float], None] = lambda fraction: None,
    ) -> ComposedChorale:
        """A melody with three parts below it: of a piece in parts, its highest notes.

        Raises:
            ChoraleError: notes outside the model's, or another grid.
            SequenceError: as `compose`.
        """
        top = extract_melody(melody)
        self._check(replace(melody, states=top))
        return self._grow(
            replace(melody, states=top), 0, top, seed, temperature, particles, on_progress
        )

    def _check(self, roll: Roll) -> None:
        low, high = roll.span
        if low > high:
            raise ChoraleError(f"{roll.name or 'The piece'} holds no notes.")
        if not self.low <= low <= high <= self.high:
            raise ChoraleError(
                f"{roll.name or 'The piece'} has notes from {low} to {high} (MIDI numbers), but "
                f"the model knows {self.low} to {self.high}; transpose it."
            )
        if roll.grid != self.grid:
            raise ChoraleError(
                f"The model has {self.grid} steps in a quarter note, the piece {roll.grid}; read "
                "it on that grid."
            )

    def _grow(
        self,
        form: Roll,
        known: int,
        melody: np.ndarray[Any, np.dtype[np.uint8]] | None,
        seed: int,
        temperature: float,
        particles: int,
        on_progress: Callable[[float], None],
    ) -> ComposedChorale:
        """Steps from `known` on; those before are read."""
        uniforms = UniformNumbers(seed)
        sampler = NoteSampler(self.model, particles)
        notes = self.model.config.features
        given = torch.from_numpy(form.states[:, self.low : self.high + 1].astype(np.int64))
        top = None if melody is None else torch.from_numpy(melody[:, self.low : self.high + 1])
        clock = torch.from_numpy(form.clock())
        grown: list[tuple[Tensor, Tensor | None]] = []
        before = torch.zeros(particles, notes, dtype=torch.int64)
        weights = torch.zeros(particles, dtype=torch.float64)
        costs = torch.zeros(particles, dtype=torch.float64)
        for step in range(len(form)):
            hidden = sampler.read(before, clock[step])
            allowed = None
            if step < known:
                drawn = given[step].expand(particles, -1)
            else:
                chance = uniforms.draw(notes * particles).view(notes, particles)
                begins = step == known  # what a given beginning holds ends with it
                allowed = _list_allowed(
                    torch.zeros_like(before) if begins else before,
                    None if top is None else top[step].long(),
                )
                drawn = sampler.draw(hidden, chance, allowed, temperature)
                is_good = (_penalise(drawn) == 0) & (weights > _GIVEN_UP / 2)
                if not is_good.any():
                    drawn = _leave_four(drawn)
            logits = sampler.compute_logits(hidden, drawn).double().log_softmax(dim=-1)
            if allowed is not None:
                weights += _penalise(drawn)
                weights += 0 if top is None else compute_masses(logits, allowed)
            costs -= logits.gather(-1, drawn[..., None]).sum(dim=(1, 2))
            before = drawn
            parents: Tensor | None = None
            if step >= known and _is_uneven(weights):
                parents = _resample(weights, float(uniforms.draw(1)))
                sampler.rearrange(parents)
                before, costs = before[parents], costs[parents]
                weights = torch.zeros_like(weights)
            grown.append((drawn.to(torch.uint8), parents))
            on_progress((step + 1) / len(form))
        best = int(_resample(weights, float(uniforms.draw(1)))[0])
        states = np.zeros_like(form.states)
        states[:, self.low : self.high + 1] = _trace_back(grown, best)
        return ComposedChorale(replace(form, states=states), float(costs[best]) / len(form))


def _trace_back(
    grown: Sequence[tuple[Tensor, Tensor | None]], candidate: int
) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """(steps, notes): a candidate's steps, from what all drew and from whom they went on."""
    steps = []
    for drawn, parents in reversed(grown):
        candidate = candidate if parents is None else int(parents[candidate])
        steps.append(drawn[candidate].numpy())
    return np.stack(steps[::-1])


def extract_melody(roll: Roll) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The highest note of each step, (steps, 128); it is struck where a lower one was before."""
    top = np.zeros_like(roll.states)
    last = -1
    for step, row in enumerate(roll.states):
        sounding = np.flatnonzero(row)
        if len(sounding):
            pitch = int(sounding[-1])
            top[step, pitch] = HELD if row[pitch] == HELD and pitch == last else STRUCK
            last = pitch
        else:
            last = -1
    return top


_GIVEN_UP = -1e3
"""The weight of a candidate for each note beyond four."""


def _penalise(drawn: Tensor) -> Tensor:
    """(pieces,): 0 for chords of four parts."""
    beyond = ((drawn > SILENT).sum(dim=1) - VOICES).clamp(min=0)
    return _GIVEN_UP * beyond.double()


def _leave_four(drawn: Tensor) -> Tensor:
    """Chords without the inner notes beyond four: for a step that no candidate managed.

    Held notes stay before struck ones, and lower before higher ones.
    """
    left = drawn.clone()
    for row in left:
        inner = row.nonzero().flatten().tolist()[1:-1]
        inner.sort(key=lambda note: (int(row[note]) == STRUCK, note))
        row[inner[VOICES - 2 :]] = SILENT
    return left


def _list_allowed(before: Tensor, top: Tensor | None) -> Tensor:
    """(notes, pieces, 3): held is only what sounded before; a melody's note, and nothing above."""
    pieces, notes = before.shape
    allowed = torch.ones(notes, pieces, 3, dtype=torch.bool)
    allowed[:, :, HELD] = before.T > SILENT
    if top is not None and bool((top > SILENT).any()):
        pitch = int(top.argmax())
        allowed[pitch + 1 :, :, HELD:] = False
        allowed[pitch] = False
        allowed[pitch, :, int(top[pitch])] = True
    elif top is not None:
        allowed[:, :, HELD:] = False
    return allowed


def _is_uneven(weights: Tensor) -> bool:
    """Whether fewer than half of the candidates carry the weight."""
    shares = weights.softmax(dim=0)
    return bool(1 / (shares**2).sum() < len(weights) / 2)


def _resample(weights: Tensor, chance: float) -> Tensor:
    """The candidates that go on, each as often as its weight says (systematic resampling)."""
    count = len(weights)
    reached = weights.softmax(dim=0).cumsum(dim=0)
    points = (torch.arange(count, dtype=torch.float64) + chance) / count
    return torch.searchsorted(reached, points).clamp(max=count - 1)
