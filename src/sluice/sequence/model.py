"""The language model; the other models are in `sluice.sequence.models`."""

from typing import Any

from sluice.sequence.models.language import LanguageModel as LanguageModel
from sluice.sequence.models.language import ModelConfig as ModelConfig

State = Any
"""What the layers carry from step to step: `h` (layers, batch, hidden), or the cell's states."""
