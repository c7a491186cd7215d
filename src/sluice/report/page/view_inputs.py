"""What a page needs to know of each kind of data, beyond tensors, to draw it.

A `View` holds all sequences of `sluice.report.page.inputs.ReportInputs`, in the same order, and
whole: a page shows a window of one. What the model makes of them is in the
`sluice.report.page.forward.ForwardRecord`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from torch import Tensor

from sluice.report.music import TokenMusic
from sluice.report.properties import Properties
from sluice.sequence.data.ragged import Array

StepAxis: TypeAlias = str
"""``"steps"``: the steps of the only axis; of pairs ``"source"`` or ``"target"``."""


@dataclass(frozen=True)
class TextView:
    """A text, or any sequence of tokens.

    Attributes:
        pieces: For each sequence what every step reads, as text; a mark such as ``⟨start⟩`` first.
            Without the marks they are joined by ``separator`` to the text itself.
        separator: ``""`` for characters and subwords, ``" "`` for tokens.
    """

    pieces: Sequence[Sequence[str]]
    separator: str = ""


class ErrorInterval(NamedTuple):
    """An interval around a forecast: quantiles of the model's own errors on the data read.

    It is for a model that forecasts no quantiles.

    Attributes:
        coverage: The share of errors inside, such as 0.8.
        lower, upper: ``(horizon, targets)``, to be added to a forecast; in the data's units.
    """

    coverage: float
    lower: Array
    upper: Array


@dataclass(frozen=True)
class SeriesView:
    """Series of numbers in the data's own units.

    Attributes:
        columns: The names of what the model reads.
        values: For each sequence ``(rows, columns)``, float64, NaN where missing; row t is read at
            step t. There may be more rows than steps: what is still to come.
        times: For each sequence the time stamp of each row, ``(rows,)``, float64 or datetime64;
            None where the data have none.
        time_name: The name of that column.
        targets: The names of what is forecast; empty for a model of labels.
        horizon: How many steps are forecast at each step; 0 without a forecast.
        ahead: The forecast made at step t begins at row t + ahead: 1 for the next step, 0 where an
            output belongs to its own step.
        interval: Of the forecast's errors; None without a forecast, with too few errors, or for a
            model with quantiles, which are in the `ForwardRecord`.
    """

    columns: tuple[str, ...]
    values: Sequence[Array]
    times: Sequence[Array] | None = None
    time_name: str = ""
    targets: tuple[str, ...] = ()
    horizon: int = 0
    ahead: int = 1
    interval: ErrorInterval | None = None

    def split_horizon(self, outputs: Tensor) -> Array:
        """A model's outputs, or its targets, ``(time, horizon × targets)`` in the data's units, as
        ``(time, horizon, targets)``, float64."""
        shape = (len(outputs), self.horizon, len(self.targets))
        return outputs.detach().double().cpu().numpy().reshape(shape)


@dataclass(frozen=True)
class LabelsView:
    """Sequences with a label each, or one for every step.

    The probability of every label over time is `ForwardRecord.label_chances`.

    Attributes:
        labels: The names of the labels, in the order of the model's outputs.
        per_step: Whether every step has a label.
        read: What the model reads: a text or a series.
    """

    labels: tuple[str, ...]
    per_step: bool
    read: TextView | SeriesView


@dataclass(frozen=True)
class RollView:
    """Piano rolls: at every step the keys that sound.

    Attributes:
        pitches: The MIDI number of each column.
        rolls: For each sequence ``(time, keys)``, bool: what sounds at each step, which is the
            model's target there; it reads the step before.
        step_seconds: How long a step sounds.
        has_tempo: Whether the data say so; else ``step_seconds`` is a usual value.
    """

    pitches: tuple[int, ...]
    rolls: Sequence[Array]
    step_seconds: float = 0.5
    has_tempo: bool = False


@dataclass(frozen=True)
class TunesView:
    """Tunes, or other music in tokens, whose score can be drawn and sounded.

    Attributes:
        pieces: As in `TextView`.
        read_music: From one sequence's ``pieces`` the music, whose notes have the steps of these
            pieces; None where it cannot be read as music.
    """

    pieces: Sequence[Sequence[str]]
    read_music: Callable[[Sequence[str]], TokenMusic | None] = field(repr=False)


@dataclass(frozen=True)
class PairsView:
    """Sources and targets, with layers that step along one or the other.

    A page's window and losses are of the target's steps; a source is shown whole. The weights of
    attention are `ForwardRecord.attention`, ``(target steps, source steps)``.

    Attributes:
        sources: For each sequence what each step of the encoder reads.
        targets: For each sequence what each step of the decoder is to give, ``⟨end⟩`` last; it
            reads the one before.
        source_modules: The names of the modules that step along the source, such as ``layers``;
            all others step along the target. None where the number of its steps shows it, and where
            both have as many, that the first module called reads the source.
        separators: Between the source's and the target's pieces.
        source_properties: Of each step of the sources, for the encoder's units to follow;
            `ReportInputs.properties` are of the targets.
    """

    sources: Sequence[Sequence[str]]
    targets: Sequence[Sequence[str]]
    source_modules: tuple[str, ...] | None = ("layers",)
    separators: tuple[str, str] = ("", "")
    source_properties: Properties = field(default_factory=dict)


View: TypeAlias = TextView | SeriesView | LabelsView | RollView | TunesView | PairsView


def view_kind(view: View | None) -> str:
    """The key of the page's table of views: ``text``, ``series``, ``labels``, ``roll``, ``tunes``
    or ``pairs``; nothing without a view."""
    return "" if view is None else type(view).__name__.removesuffix("View").lower()
