"""Optional libraries: each comes with an extra of the package."""

from __future__ import annotations

from sluice.errors import SluiceError


class MissingExtraError(SluiceError, ImportError):
    """An optional library is not installed; the message names the extra to install.

    >>> print(MissingExtraError("mido", extra="tunes"))
    This needs the library mido, which is not installed; run: pip install 'sluice-rnn[tunes]'
    """

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(
            f"This needs the library {library}, which is not installed; "
            f"run: pip install 'sluice-rnn[{extra}]'"
        )
        self.library, self.extra = library, extra
