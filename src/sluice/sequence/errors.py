"""The errors of `sluice.sequence`."""

from __future__ import annotations

from sluice.errors import SluiceError


class SequenceError(SluiceError, ValueError):
    """Base of the errors of `sluice.sequence`."""


class UnknownTokenError(SequenceError):
    """A token or id that is not in the vocabulary."""


class DataError(SequenceError):
    """A file or folder that cannot be read as data, or not with these options."""


class CheckpointError(SequenceError):
    """A checkpoint that cannot be read, or that does not fit the model or data."""


class TrainingDivergedError(SequenceError):
    """The training loss became NaN or infinite."""
