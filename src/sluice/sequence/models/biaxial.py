"""`BiaxialModel`: the notes of the next step, each from those before it in time and below it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice.sequence.batch import Batch, ModelState
from sluice.sequence.models.base import SequenceModel, StepLosses, run_layers
from sluice.sequence.models.next_step import NextStepConfig
from sluice.sequence.models.note_inputs import build_note_inputs, count_note_inputs
from sluice.sequence.models.shape import build_layers, require_sizes

SILENT, HELD, STRUCK = 0, 1, 2
"""What a note does in a time step."""


@dataclass(frozen=True, kw_only=True)
class BiaxialConfig(NextStepConfig):
    """The configuration of a `BiaxialModel`.

    Attributes:
        features: the number of notes, in semitones from `lowest` up.
        lowest: the MIDI number of the lowest note.
        clock: how many numbers say where in the bar a step is.
        strikes: whether notes are silent, held or struck; else silent or sounding.
        hidden_size, num_layers: of the layers over time, which all notes share.
        note_hidden_size, note_layers: of the layers over the notes of a step.
        descending: whether those go from the highest note down, so that a melody above is known to
            the parts below it; else from the lowest up.
        dropout: between layers, and on the output of both stacks.

    Otherwise as `SequenceModelConfig`.

    Raises:
        SequenceError: as `SequenceModelConfig`; an embedding, or bidirectional layers.
    """

    lowest: int = 21
    clock: int = 0
    strikes: bool = True
    hidden_size: int = 128
    note_hidden_size: int = 64
    note_layers: int = 2
    descending: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        require_sizes(self, lowest=0, clock=0, note_hidden_size=1, note_layers=1)

    @property
    def states(self) -> int:
        """What a note may be: silent or sounding, or, with `strikes`, silent, held or struck."""
        return 3 if self.strikes else 2


class BiaxialModel(SequenceModel):
    """Recurrent layers along two axes: over time for each note, then over the notes of a step.

    The *biaxial* network of Johnson 2015, "Composing music with recurrent neural networks"
    (BALSTM in Johnson 2017, "Generating polyphonic music using tied parallel networks"). All notes
    share the layers over time, for which they are a batch; a note reads `build_note_inputs`, which
    changes little if the music is transposed. The layers over notes go up from the lowest note of
    a step; they read the layers over time, and what was decided for the note below.

    Johnson's two outputs of a note, that it sounds and, if so, that it is struck, are here one
    choice of three: P(sounds) = P(held) + P(struck). The loss is the negative log-likelihood of a
    time step in nats, summed over its notes. With `descending` the layers over notes go down from
    the highest note: what is said of the notes below holds of those above.

    Attributes:
        layers: over time, from (time, batch × notes, inputs).
        note_layers: over notes, from (notes, time × batch, hidden_size + decisions).
        decisions: (states, columns), what the next note reads of a state: whether it sounds and,
            with strikes, whether it is struck.

    >>> model = BiaxialModel(BiaxialConfig(features=13, lowest=60, hidden_size=8))
    >>> rolls = torch.zeros(20, 5, 13)
    >>> logits, state = model(rolls, rolls)
    >>> logits.shape                                            # time, batch, notes, states
    torch.Size([20, 5, 13, 3])
    """

    config_type = BiaxialConfig
    config: BiaxialConfig
    decisions: Tensor

    def __init__(self, config: BiaxialConfig) -> None:
        super().__init__()
        self._build(config, features=count_note_inputs(config.clock, config.strikes))
        decisions = torch.tensor([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
        decisions = decisions[: config.states, : config.states - 1]
        self.register_buffer("decisions", decisions, persistent=False)
        over_notes = replace(
            config, hidden_size=config.note_hidden_size, num_layers=config.note_layers
        )
        width = self.layers.output_features + decisions.shape[1]
        self.note_layers = build_layers(over_notes, width)
        self.readout = nn.Linear(self.note_layers.output_features, config.states)

    def forward(
        self,
        inputs: Tensor,
        roll: Tensor,
        state: ModelState = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, ModelState]:
        """Logits (time, batch, notes, states) of the steps in `roll`, and the state over time.

        Args:
            inputs: (time, batch, notes + clock), the step before each: 0 for a silent note, 1 for
                one that sounds on, 2 for a struck one; then the clock of the step to predict.
            roll: (time, batch, notes), the steps to predict, of which each note reads the ones
                below it.
            state: what an earlier call returned; None for the initial state.
            lengths, resets: as in `Batch`.
        """
        hidden, state = self.run_over_time(inputs, state, lengths, resets)
        time, batch, notes = roll.shape
        logits = self.run_over_notes(hidden.flatten(0, 1), roll.flatten(0, 1).long())
        return logits.view(time, batch, notes, -1), state

    def run_over_notes(self, hidden: Tensor, chords: Tensor) -> Tensor:
        """The logits of known steps, (steps, notes, states).

        Args:
            hidden: what the layers over time say of each note, (steps, notes, features).
            chords: what each note does, (steps, notes), int64.
        """
        hidden, chords = self.order_notes(hidden), self.order_notes(chords)
        below = functional.pad(chords, (1, 0))[:, :-1]
        read = torch.cat((hidden, self.decisions[below]), dim=-1)
        over_notes, _ = self.note_layers(read.movedim(1, 0).contiguous())
        logits: Tensor = self.readout(self.dropout(over_notes))
        return self.order_notes(logits.movedim(0, 1))

    def order_notes(self, values: Tensor, dim: int = 1) -> Tensor:
        """Values with an axis of notes, in the order in which the layers over notes read them.

        Applied twice it gives the values back.
        """
        return values.flip(dim) if self.config.descending else values

    def run_over_time(
        self,
        inputs: Tensor,
        state: ModelState = None,
        lengths: Tensor | None = None,
        resets: Tensor | None = None,
    ) -> tuple[Tensor, ModelState]:
        """The output of the layers over time, (time, batch, notes, features), and their state.

        Arguments as for `forward`.
        """
        notes = self.config.features
        roll, clock = inputs[..., :notes], inputs[..., notes:]
        read = build_note_inputs(roll, clock, self.config.lowest, self.config.strikes)
        if lengths is not None:
            lengths = lengths.repeat_interleave(notes)
        if resets is not None:
            resets = resets.repeat_interleave(notes, dim=1)
        embedded = self.embedding_dropout(self.embedding(read.flatten(1, 2)))
        hidden, state = run_layers(self.layers, embedded, state, lengths, resets)
        return self.dropout(hidden).unflatten(1, (-1, notes)), state

    @property
    def loss_unit(self) -> str:
        """The unit of the loss per item."""
        return "nats per step"

    def step_losses(self, batch: Batch, state: ModelState = None) -> StepLosses:
        """The logits, and nats of each step whose targets are not NaN; an item is a step."""
        roll = batch.targets.nan_to_num()
        logits, state = self(batch.inputs, roll, state, batch.lengths, batch.resets)
        known = ~batch.targets.isnan().any(dim=-1)
        nats = functional.cross_entropy(logits.movedim(-1, 1), roll.long(), reduction="none")
        losses = torch.where(known, nats.sum(dim=-1), 0)
        return StepLosses(logits, losses, known.long(), None, state)


def compute_sounding_losses(logits: Tensor, roll: Tensor) -> Tensor:
    """Nats of which notes sound, whether held or struck, summed over the notes of a step.

    The figure of the literature on piano rolls, which do not say what is struck. Where they do,
    it is not above the whole loss.

    Args:
        logits: (..., notes, states).
        roll: (..., notes), 0 for silent notes.

    >>> compute_sounding_losses(torch.zeros(2, 3), torch.tensor([1.0, 0.0])) # -ln(2/3) - ln(1/3)
    tensor(1.5041)
    """
    nats = logits.log_softmax(dim=-1)
    sounding = nats[..., 1:].logsumexp(dim=-1)
    return -torch.where(roll > 0, sounding, nats[..., 0]).sum(dim=-1)
