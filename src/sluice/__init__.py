"""Recurrent networks whose cell is written once, as its update equations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice import cells as cells
from sluice import insight as insight
from sluice import nn as nn
from sluice._version import __version__ as __version__
from sluice.cells import Cell as Cell
from sluice.cells import Gate as Gate
from sluice.cells import Map as Map
from sluice.cells import Mask as Mask
from sluice.cells import Norm as Norm
from sluice.cells import State as State
from sluice.cells import Vector as Vector
from sluice.equations import EquationError as EquationError
from sluice.equations import absolute as absolute
from sluice.equations import detach as detach
from sluice.equations import exp as exp
from sluice.equations import greater as greater
from sluice.equations import log as log
from sluice.equations import log_sigmoid as log_sigmoid
from sluice.equations import maximum as maximum
from sluice.equations import minimum as minimum
from sluice.equations import relu as relu
from sluice.equations import sigmoid as sigmoid
from sluice.equations import sqrt as sqrt
from sluice.equations import tanh as tanh
from sluice.equations import where as where
from sluice.errors import SluiceError as SluiceError
from sluice.extras import MissingExtraError as MissingExtraError
from sluice.files import StrPath
from sluice.insight import record as record
from sluice.run.kernels.extension import get_num_threads as get_num_threads
from sluice.run.kernels.extension import set_num_threads as set_num_threads

if TYPE_CHECKING:
    from sluice.sequence.checkpoint import Checkpoint


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
