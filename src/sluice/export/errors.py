"""Why something cannot be exported."""

from __future__ import annotations

from sluice.errors import SluiceError


class ExportError(SluiceError, ValueError):
    """What was asked for cannot be written for the target, or what was written differs from ours.

    The message names what the target lacks, or how far apart the two are.
    """
