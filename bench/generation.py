"""Tokens drawn one after another, beside a Python loop over `nn.LSTM`: μs a token.

    python bench/generation.py

Embedding, two LSTM layers, readout, a draw; a vocabulary of 90, as for folk tunes, 500 tokens.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from paired import Report, paired
from torch import nn

from sluice.sequence import Sampling, generate
from sluice.sequence.model import LanguageModel, ModelConfig
from sluice.sequence.vocabulary import END

TOKENS, VOCABULARY = 500, 90


class Looped(nn.Module):
    """The same model as one writes it with torch."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, size)
        self.layers = nn.LSTM(size, size, 2)
        self.readout = nn.Linear(size, VOCABULARY)

    @torch.inference_mode()
    def draw(self, batch: int) -> list[torch.Tensor]:
        token, state, drawn = torch.ones(1, batch, dtype=torch.int64), None, []
        for _ in range(TOKENS):
            y, state = self.layers(self.embedding(token), state)
            token = torch.multinomial(self.readout(y[0]).softmax(-1), 1).T
            drawn.append(token)
        return drawn


def ours(model: LanguageModel, precision: str, batch: int) -> object:
    model.layers.precision = precision
    return generate(model, range(batch), sampling=Sampling(max_length=TOKENS))


def main() -> None:
    report = Report(
        "generation",
        f"Generation: μs a token, {TOKENS} tokens, two LSTM layers, a vocabulary of {VOCABULARY}",
        ["H", "sequences", "torch loop", "fp32", "×", "bf16", "×", "int8", "×"],
        [],
    )
    for size in (128, 256, 512):
        model = LanguageModel(ModelConfig(VOCABULARY, "lstm", size, size)).eval()
        with torch.no_grad():
            model.readout.bias[END] = -1e4  # so that all sequences are equally long
        loop = Looped(size).eval()
        for batch in (1, 16):
            precisions = ("float32", "bfloat16", "int8")

            functions: dict[str, Callable[[], object]] = {"torch": partial(loop.draw, batch)}
            functions |= {p: partial(ours, model, p, batch) for p in precisions}
            found = paired(functions, rounds=5)
            scale = 1e6 / TOKENS / batch
            row = [str(size), str(batch), f"{found['torch'] * scale:.1f}"]
            for p in precisions:
                row += [f"{found[p] * scale:.1f}", f"{found['torch'] / found[p]:.1f}"]
            report.add(*row)
    report.keep()


if __name__ == "__main__":
    main()
