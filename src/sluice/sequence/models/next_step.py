"""What the configurations of models of the next step share."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.sequence.errors import SequenceError
from sluice.sequence.models.shape import SequenceModelConfig, require_sizes


@dataclass(frozen=True)
class _FeatureCount:
    features: int


@dataclass(frozen=True, kw_only=True)
class NextStepConfig(SequenceModelConfig, _FeatureCount):
    """The configuration of a model that reads values and must not see what it predicts."""

    embedding_size: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        require_sizes(self, features=1)
        if self.bidirectional:
            raise SequenceError(
                "A model of the next values must not see what it predicts; leave bidirectional out."
            )
