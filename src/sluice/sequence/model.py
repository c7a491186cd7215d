"""A language model: which token comes next, given those before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor, nn
from torch.nn import functional

from sluice.nn import GRU, LSTM, RNN
from sluice.sequence.batch import Batch, Loss
from sluice.sequence.errors import SequenceError
from sluice.sequence.vocabulary import PADDING

CellName = Literal["lstm", "gru", "elman"]
State = Tensor | tuple[Tensor, Tensor]
"""What the layers carry from step to step: `h` (layers, batch, hidden), with `c` for an LSTM."""

_LAYERS: dict[str, Callable[..., LSTM | GRU | RNN]] = {"lstm": LSTM, "gru": GRU, "elman": RNN}


@dataclass(frozen=True)
class ModelConfig:
    """The shape of a `LanguageModel`; it is saved with the weights.

    `tied` reads out through the embedding's own weights (Press & Wolf 2017), which needs
    `embedding_size == hidden_size`.

    Raises:
        SequenceError: an unknown cell, a size below one, a dropout outside [0, 1).
    """

    vocabulary_size: int
    cell: CellName = "lstm"
    embedding_size: int = 128
    hidden_size: int = 256
    num_layers: int = 2
    dropout: float = 0.2
    embedding_dropout: float = 0.0
    tied: bool = False

    def __post_init__(self) -> None:
        if self.cell not in get_args(CellName):
            known = ", ".join(get_args(CellName))
            raise SequenceError(f"The cell is one of {known}, but {self.cell!r} came.")
        for name in ("vocabulary_size", "embedding_size", "hidden_size", "num_layers"):
            size = getattr(self, name)
            if not isinstance(size, int) or size < 1:
                raise SequenceError(f"{name} is a whole number of at least 1, but {size!r} came.")
        for name in ("dropout", "embedding_dropout"):
            part = getattr(self, name)
            if not 0 <= part < 1:
                raise SequenceError(f"{name} lies in [0, 1), but {part!r} came.")
        if self.tied and self.embedding_size != self.hidden_size:
            raise SequenceError(
                "Tied weights need embedding_size == hidden_size, but "
                f"{self.embedding_size} and {self.hidden_size} came."
            )


class LanguageModel(nn.Module):
    """Embedding, stacked recurrent layers, dropout, readout.

    >>> import torch
    >>> model = LanguageModel(ModelConfig(vocabulary_size=40, hidden_size=16))
    >>> logits, state = model(torch.tensor([[1, 1], [5, 9]]))   # time, batch
    >>> logits.shape                                            # time, batch, vocabulary
    torch.Size([2, 2, 40])
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(
            config.vocabulary_size, config.embedding_size, padding_idx=PADDING
        )
        self.layers = _LAYERS[config.cell](
            config.embedding_size,
            config.hidden_size,
            config.num_layers,
            dropout=config.dropout if config.num_layers > 1 else 0.0,
        )
        self.dropout = nn.Dropout(config.dropout)
        self.readout = nn.Linear(config.hidden_size, config.vocabulary_size)
        if config.tied:
            # One parameter under one name, so that a file of weights holds it once.
            self.readout.register_parameter("weight", None)
            nn.init.normal_(self.embedding.weight, std=config.embedding_size**-0.5)

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Logits for the token after each of `tokens`, and the state to carry on from.

        Args:
            tokens: ids (time, batch), int64. Padding may stand at the end of a sequence: what
                comes later cannot reach back, so its logits are simply not used.
            state: what an earlier call returned; none starts afresh.

        Returns:
            Logits (time, batch, vocabulary) in the dtype of the weights, and the state.
        """
        embedded = functional.dropout(
            self.embedding(tokens), self.config.embedding_dropout, self.training
        )
        hidden, state = self.layers(embedded, state)
        weight = self.embedding.weight if self.config.tied else self.readout.weight
        return functional.linear(self.dropout(hidden), weight, self.readout.bias), state

    def loss(self, batch: Batch, state: State | None = None) -> tuple[Loss, State]:
        """Cross-entropy in nats, summed over the targets that are no padding."""
        logits, state = self(batch.inputs, state)
        targets = batch.targets.flatten()
        total = functional.cross_entropy(
            logits.flatten(0, 1), targets, ignore_index=PADDING, reduction="sum"
        )
        return Loss(total, int((targets != PADDING).sum())), state
