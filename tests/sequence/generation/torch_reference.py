"""Language models written with torch alone, and their log-probabilities step by step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sluice.sequence import LanguageModel, LanguageModelConfig

START, END = 1, 2


def sharp(vocabulary: int = 9, cell: str = "lstm", layers: int = 2) -> LanguageModel:
    """An untrained model in float64 with large weights, so that its predictions are not uniform."""
    torch.manual_seed(1)
    config = LanguageModelConfig(vocabulary, cell, 6, 10, layers)  # type: ignore[arg-type]
    model = LanguageModel(config).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3)
    return model


class Plain(nn.Module):
    """The same model in torch's own modules, with copied weights."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        config = model.config
        kind = {"lstm": nn.LSTM, "gru": nn.GRU, "elman": nn.RNN}[config.cell]
        self.embedding = nn.Embedding(config.vocabulary_size, config.embedding_size)
        self.layers = kind(config.embedding_size, config.hidden_size, config.num_layers)
        self.readout = nn.Linear(config.hidden_size, config.vocabulary_size)
        self.double().load_state_dict(model.state_dict())

    @torch.no_grad()
    def logs(self, ids: Sequence[int]) -> Tensor:
        """log p of every token after `START` and `ids`, read from the start: (vocabulary,)."""
        tokens = torch.tensor([START, *ids])[:, None]
        hidden, _ = self.layers(self.embedding(tokens))
        logs: Tensor = self.readout(hidden[-1, 0]).log_softmax(0)
        return logs

    def sum_of_logs(self, ids: Sequence[int], prefix: Sequence[int] = ()) -> float:
        """log p of `ids` after `prefix`, one token at a time."""
        return sum(
            float(self.logs([*prefix, *ids[:place]])[token]) for place, token in enumerate(ids)
        )
