"""Libraries that only some of the insight needs."""


class MissingExtra(ImportError):
    """A library that only this needs is not installed."""

    def __init__(self, library: str, extra: str) -> None:
        super().__init__(
            f"This needs the library {library}, which is not installed; "
            f"run: pip install 'sluice-rnn[{extra}]'"
        )
