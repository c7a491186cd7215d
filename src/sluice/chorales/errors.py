"""The error of music in parts; each message says what to do."""

from sluice.errors import SluiceError


class ChoraleError(SluiceError, ValueError):
    """Music in parts that cannot be composed, read or written."""
