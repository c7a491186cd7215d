"""The model of chorales that comes with the package."""

from __future__ import annotations

from pathlib import Path

from sluice.chorales.composer import ChoraleComposer
from sluice.chorales.errors import ChoraleError
from sluice.files import StrPath

SHIPPED = Path(__file__).parent / "model" / "chorales.safetensors"
"""Its file; `model/README.md` says what it was trained on, and how well it predicts."""


def load_composer(path: StrPath | None = None) -> ChoraleComposer:
    """The composer of a model file; of the shipped one if none is named.

    Raises:
        ChoraleError: as `ChoraleComposer`; no shipped model in this installation.
        CheckpointError: a file that cannot be read.
    """
    if path is None and not SHIPPED.exists():
        raise ChoraleError(
            "This installation has no model of chorales; train one with `sluice train chorales` "
            "and name its file."
        )
    return ChoraleComposer.load(SHIPPED if path is None else path)
