"""The error of a monitor."""

from __future__ import annotations

from sluice.errors import SluiceError


class MonitorError(SluiceError, ValueError):
    """A model, an argument or a file that a monitor cannot use; the message says what to do."""
