"""The errors of tunes; each message says what to do."""

from sluice.errors import SluiceError
from sluice.files import StrPath


class TuneError(SluiceError, ValueError):
    """Base of the errors of `sluice.tunes`."""


class NoTunesError(TuneError):
    """A file or folder in which no tune could be read at all."""


class AbcSyntaxError(TuneError):
    """Something in a tune that cannot be read: what, and on which line of its file."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line


class InvalidTokensError(TuneError):
    """A sequence of tokens that is no valid tune: what is wrong, and at which token."""

    def __init__(self, reason: str, place: int) -> None:
        super().__init__(f"Token {place}: {reason}")
        self.reason = reason
        self.position = place


def make_read_error(path: StrPath, error: OSError) -> TuneError:
    """The error for a file that cannot be opened."""
    return TuneError(f"Cannot read {path}: {error.strerror or error}; check the path.")
