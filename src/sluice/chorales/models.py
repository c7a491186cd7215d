"""Which model files hold a model of chorales that this version can use."""

from __future__ import annotations

from sluice.chorales.errors import ChoraleError
from sluice.chorales.roll import CLOCK_WIDTH, PITCHES
from sluice.sequence import Checkpoint
from sluice.sequence.models.biaxial import BiaxialModel

_FINEST_GRID = 96


def require_chorale_model(checkpoint: Checkpoint) -> BiaxialModel:
    """The model of a file.

    Raises:
        ChoraleError: another model; or as `require_clock`.
    """
    model = checkpoint.model
    if not isinstance(model, BiaxialModel):
        raise ChoraleError(
            f"The file holds a {type(model).__name__}, no model of several voices; train one "
            "with `sluice train chorales`."
        )
    require_clock(model)
    return model


def require_clock(model: BiaxialModel) -> None:
    """Refuse a model that reads other numbers beside the notes than a roll gives.

    Raises:
        ChoraleError: a clock of another width, or notes beyond MIDI's.
    """
    config = model.config
    if config.clock != CLOCK_WIDTH:
        raise ChoraleError(
            f"The model reads {config.clock} numbers on where in the bar a step is, this version "
            f"of Sluice gives {CLOCK_WIDTH}; train it anew with `sluice train chorales`."
        )
    if config.lowest + config.features > PITCHES:
        raise ChoraleError(
            f"The model has notes up to {config.lowest + config.features - 1}, but MIDI's end at "
            f"{PITCHES - 1}; train it anew with `sluice train chorales`."
        )


def read_grid(checkpoint: Checkpoint) -> int:
    """The steps in a quarter note that a model was trained with.

    Raises:
        ChoraleError: the file says something else than a number of steps.
    """
    grid = checkpoint.metadata.get("grid", 4)
    if type(grid) is not int or not 1 <= grid <= _FINEST_GRID:
        raise ChoraleError(
            f"The model file says that a quarter note has {grid!r:.40} steps; give one that "
            "`sluice train chorales` wrote."
        )
    return grid
