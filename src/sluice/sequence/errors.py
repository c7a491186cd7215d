"""What can go wrong with sequences, each said in one sentence with what to do."""


class SequenceError(ValueError):
    """Base of this package's errors; its message is meant for people."""


class UnknownTokenError(SequenceError):
    """A token or id that the vocabulary does not hold."""


class DataError(SequenceError):
    """A file or folder that cannot be read as data, or not in the way that was asked for."""


class CheckpointError(SequenceError):
    """A file of weights that cannot be read, or does not fit what it is asked to fit."""


class TrainingDivergedError(SequenceError):
    """The training loss stopped being a finite number."""
