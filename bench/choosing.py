"""Sampling and beam search on the model of `make train`: μs a token.

    python bench/choosing.py

One sequence of 500 tokens, a vocabulary of 90; the grammar allows everything, so that what it
costs is the way through Python. The prompt has 5,000 tokens, which are read and not sampled.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from paired import Report, measure_paired
from torch import Tensor

from sluice.sequence import LanguageModel, LanguageModelConfig, Sampling, beam_search, generate
from sluice.sequence.vocabulary import END

TOKENS, VOCABULARY, BEGINNING = 500, 90, 5000


class AnyToken:
    """The simplest grammar: one state, and no end."""

    mask = torch.ones(VOCABULARY, dtype=torch.bool)
    mask[END] = False

    def start(self) -> int:
        return 0

    def allowed(self, state: int) -> Tensor:
        return self.mask

    def advance(self, state: int, token: int) -> int:
        return state


def main() -> None:
    torch.manual_seed(0)
    sizes = {"embedding_size": 64, "hidden_size": 256, "num_layers": 1}
    model = LanguageModel(LanguageModelConfig(VOCABULARY, **sizes)).eval()
    with torch.no_grad():
        model.readout.bias[END] = -1e4  # so that all sequences are equally long
    draw = partial(generate, model, [0])
    search = partial(beam_search, model, max_length=TOKENS)
    read = [[5]] * BEGINNING
    functions: dict[str, Callable[[], object]] = {
        "free": partial(draw, sampling=Sampling(max_length=TOKENS)),
        "top-p 0.9": partial(draw, sampling=Sampling(top_p=0.9, max_length=TOKENS)),
        "typical 0.9": partial(draw, sampling=Sampling(typical=0.9, max_length=TOKENS)),
        "grammar": partial(draw, grammar=AnyToken(), sampling=Sampling(max_length=TOKENS)),
        "beam 1": partial(search, 1),
        "beam 4": partial(search, 4),
        "beam 16": partial(search, 16),
        "beginning": partial(draw, prompt=read, sampling=Sampling(max_length=BEGINNING + 1)),
    }
    found = measure_paired(functions, rounds=5)
    report = Report(
        "choosing",
        "Choosing the next token: μs a token, the model of make train, one sequence",
        ["way", "μs a token", "× free"],
        ["From the weights to the list of tokens; a beam's tokens are those of one sequence."],
    )
    for name, seconds in found.items():
        tokens = BEGINNING if name == "beginning" else TOKENS
        ratio = seconds / tokens / (found["free"] / TOKENS)
        report.add(name, f"{seconds / tokens * 1e6:.1f}", f"{ratio:.1f}")
    report.keep()


if __name__ == "__main__":
    main()
