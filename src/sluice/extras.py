"""Libraries that only a part of the house needs, each in an extra of the package."""

from __future__ import annotations


def format_install_hint(library: str, extra: str) -> str:
    """The sentence for a library that is not installed."""
    return (
        f"This needs the library {library}, which is not installed; "
        f"run: pip install 'sluice-rnn[{extra}]'"
    )


class MissingExtraError(ImportError):
    """A library that only this needs is not installed."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(format_install_hint(library, extra))
