"""What the caller of an evaluation may choose."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.files import StrPath


@dataclass(frozen=True)
class EvaluationSettings:
    """Choices that a kind of model may need.

    Attributes:
        period: the length of a season in steps, for the baselines of a forecast; default that of
            the training.
        held_out: the part of each series, at its end, that is forecast; default a tenth.
        origins: forecast from at most so many rows of a series; default 100.
        stride: forecast from every so many rows, in place of `origins`.
        target_file: a file with the target of each line of the data, for a model of pairs.
        num_beams, length_penalty: as in `sluice.sequence.generate_outputs`, for a model of pairs.
    """

    period: int | None = None
    held_out: float | None = None
    origins: int | None = None
    stride: int | None = None
    target_file: StrPath | None = None
    num_beams: int = 1
    length_penalty: float = 1.0
