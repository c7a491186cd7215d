"""Autoregressive generation, compared with a Python loop over `nn.LSTM`: μs a token.

    python bench/generation.py

Embedding, LSTM layers, readout, a draw; a vocabulary of 90, as for folk tunes, 500 tokens. The
first model is that of `make train`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from paired import Report, measure_paired
from torch import nn

from sluice.sequence import Sampling, generate
from sluice.sequence.models import LanguageModel, LanguageModelConfig
from sluice.sequence.vocabulary import END

TOKENS, VOCABULARY = 500, 90
MODELS = ((64, 256, 1), (128, 128, 2), (256, 256, 2), (512, 512, 2))
"""Embedding, hidden units, layers."""


class LoopModel(nn.Module):
    """The same model, written with torch."""

    def __init__(self, embedding: int, size: int, layers: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, embedding)
        self.layers = nn.LSTM(embedding, size, layers)
        self.readout = nn.Linear(size, VOCABULARY)

    @torch.inference_mode()
    def draw(self, batch: int) -> list[torch.Tensor]:
        token, state, ids = torch.ones(1, batch, dtype=torch.int64), None, []
        for _ in range(TOKENS):
            y, state = self.layers(self.embedding(token), state)
            token = torch.multinomial(self.readout(y[0]).softmax(-1), 1).T
            ids.append(token)
        return ids


def ours(model: LanguageModel, precision: str, batch: int) -> object:
    model.layers.precision = precision
    return generate(model, range(batch), sampling=Sampling(max_length=TOKENS))


def main() -> None:
    report = Report(
        "generation",
        f"Generation: μs a token, {TOKENS} tokens, LSTM layers, a vocabulary of {VOCABULARY}",
        [
            "embedding",
            "H",
            "layers",
            "sequences",
            "torch loop",
            "fp32",
            "×",
            "bf16",
            "×",
            "int8",
            "×",
        ],
        ["Everything from the weights to the list of tokens is counted."],
    )
    for embedding, size, layers in MODELS:
        sizes = {"embedding_size": embedding, "hidden_size": size, "num_layers": layers}
        model = LanguageModel(LanguageModelConfig(VOCABULARY, **sizes)).eval()
        with torch.no_grad():
            model.readout.bias[END] = -1e4  # so that all sequences are equally long
        loop = LoopModel(embedding, size, layers).eval()
        for batch in (1, 16):
            precisions = ("float32", "bfloat16", "int8")

            functions: dict[str, Callable[[], object]] = {"torch": partial(loop.draw, batch)}
            functions |= {p: partial(ours, model, p, batch) for p in precisions}
            found = measure_paired(functions, rounds=5)
            scale = 1e6 / TOKENS / batch
            row = [
                str(embedding),
                str(size),
                str(layers),
                str(batch),
                f"{found['torch'] * scale:.1f}",
            ]
            for p in precisions:
                row += [f"{found[p] * scale:.1f}", f"{found['torch'] / found[p]:.1f}"]
            report.add(*row)
    report.keep()


if __name__ == "__main__":
    main()
