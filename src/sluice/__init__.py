"""Recurrent networks whose cell is written once, as its update equations.

Nothing here imports torch until a name is used, so that the command line starts at once.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from sluice._version import __version__ as __version__
from sluice.files import StrPath
from sluice.import_hook import call_after_import
from sluice.locks import first_use

if TYPE_CHECKING:
    from sluice import cells as cells
    from sluice import export as export
    from sluice import insight as insight
    from sluice import nn as nn
    from sluice._public import *  # noqa: F403
    from sluice.sequence.checkpoint import Checkpoint

_SUBMODULES = ("cells", "export", "insight", "nn")

# Exported programs that are loaded later name our operators.
call_after_import("torch", lambda: import_module("sluice.torch_operators"))


if not TYPE_CHECKING:  # else any name would seem to be there

    def __getattr__(name: str) -> object:
        if name in _SUBMODULES:
            with first_use.hold():
                return import_module(f"sluice.{name}")
        if name.startswith("__"):
            raise AttributeError(f"module 'sluice' has no attribute {name!r}")
        try:
            with first_use.hold():
                value = getattr(import_module("sluice._public"), name)
        except AttributeError:
            raise AttributeError(f"module 'sluice' has no attribute {name!r}") from None
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        public = vars(import_module("sluice._public"))
        return sorted({*globals(), *_SUBMODULES, *(name for name in public if name[0] != "_")})


def load_checkpoint(path: StrPath) -> Checkpoint:
    """What `sluice.sequence.Checkpoint.save` wrote, of any kind: the model, and what names it.

    Raises:
        sluice.sequence.CheckpointError: a file that is missing, damaged, or none of ours.

    >>> import sluice, tempfile
    >>> from pathlib import Path
    >>> from sluice.sequence import Checkpoint
    >>> from sluice.sequence.models import Forecaster, ForecasterConfig
    >>> path = Path(tempfile.mkdtemp()) / "weather.safetensors"
    >>> Checkpoint(Forecaster(ForecasterConfig(2)), columns=("rain", "wind")).save(path)
    >>> sluice.load_checkpoint(path).columns
    ('rain', 'wind')
    """
    from sluice.sequence.checkpoint import Checkpoint

    return Checkpoint.load(path)
