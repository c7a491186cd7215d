"""The base of all errors that Sluice raises on purpose."""

from __future__ import annotations


class SluiceError(Exception):
    """Base of every error class in Sluice; the message says what to do.

    Each error is also the built-in kind that fits it: most are a `ValueError`, a missing library
    is an `ImportError`. Errors of the operating system stay `OSError`.

    >>> import sluice
    >>> try:
    ...     sluice.load_checkpoint("missing.safetensors")
    ... except sluice.SluiceError as error:
    ...     print(error)
    There is no file of weights at missing.safetensors; train first.
    """
