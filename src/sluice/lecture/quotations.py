"""The lecture's second task: read letters, and say at each whether it stands in a quotation."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from sluice.nn import GRU, LSTM, RNN

LETTERS = '"abcdefghijklmnopqrstuvwxyz '
"""What is read; the first is the quotation mark."""
_MARKS = 0.06


class QuotationBatch(NamedTuple):
    """Texts, and whether each letter is quoted."""

    inputs: Tensor
    """``(time, batch, 28)``, float32: a 1 in the column of the letter in `LETTERS`."""
    targets: Tensor
    """``(time, batch)``, int64: 1 from an opening mark to before the closing one, else 0."""


class QuotationReader(nn.Module):
    """A recurrent layer and a readout of two logits: outside, inside.

    Example:
        >>> import sluice
        >>> from sluice.lecture import QuotationReader, encode_quotations
        >>> model = QuotationReader(sluice.nn.LSTM(28, 4))
        >>> model(encode_quotations('he said "no" to me').inputs).shape
        torch.Size([18, 1, 2])
    """

    def __init__(self, layer: LSTM | GRU | RNN) -> None:
        super().__init__()
        self.layer = layer
        self.readout = nn.Linear(layer.hidden_size, 2)

    def forward(self, x: Tensor) -> Tensor:
        """``(time, batch, 28)`` to logits, ``(time, batch, 2)``."""
        logits: Tensor = self.readout(self.layer(x)[0])
        return logits


def encode_quotations(text: str) -> QuotationBatch:
    """A text of small letters, spaces and quotation marks, as a batch of one.

    Raises:
        ValueError: the text is empty, or has another letter.

    Example:
        >>> from sluice.lecture import encode_quotations
        >>> encode_quotations('a "b" c').targets[:, 0].tolist()
        [0, 0, 1, 1, 0, 0, 0]
    """
    unknown = sorted(set(text) - set(LETTERS))
    if unknown or not text:
        raise ValueError(
            f"text must have small letters, spaces and quotation marks alone, got {unknown}"
            if unknown
            else "text must have at least one letter"
        )
    return _encode(torch.tensor([[LETTERS.index(letter)] for letter in text]))


def draw_quotations(steps: int, batch: int = 32, *, seed: int = 0) -> QuotationBatch:
    """Random letters, of which one in seventeen or so is a quotation mark.

    Example:
        >>> from sluice.lecture import draw_quotations
        >>> draw_quotations(60, batch=8).inputs.shape
        torch.Size([60, 8, 28])
    """
    generator = Generator().manual_seed(seed)
    letters = torch.randint(1, len(LETTERS), (steps, batch), generator=generator)
    letters[torch.rand(steps, batch, generator=generator) < _MARKS] = 0
    return _encode(letters)


def train_quotation_reader(model: nn.Module, *, updates: int = 300, rate: float = 0.02) -> float:
    """Train on the loss at every step, with Adam and clipped gradients.

    Args:
        model: Takes ``(time, batch, 28)``, gives two logits at every step.
        updates: Batches of 32 new texts of 60 letters, the same ones in every training.
        rate: Adam's learning rate.

    Returns:
        The share of right answers on 64 new texts of 100 letters; chance is about 1/2.
    """
    optimizer = torch.optim.Adam(model.parameters(), lr=rate)
    for update in range(updates):
        inputs, targets = draw_quotations(60, seed=update)
        optimizer.zero_grad()
        functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    inputs, targets = draw_quotations(100, 64, seed=updates)
    with torch.no_grad():
        return float((model(inputs).argmax(-1) == targets).double().mean())


@cache
def load_quotation_reader() -> QuotationReader:
    """The reader that the lecture looks into: an LSTM of four units, trained in a second or two.

    A process trains it once; all calls return the same model. One of its units keeps a level from
    mark to mark.

    Example:
        >>> from sluice.lecture import encode_quotations, load_quotation_reader
        >>> text = encode_quotations('he said "no" to me')
        >>> answers = load_quotation_reader()(text.inputs).argmax(-1)
        >>> bool((answers == text.targets).all())
        True
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        model = QuotationReader(LSTM(len(LETTERS), 4, forget_bias=3.0))
    train_quotation_reader(model)
    return model


def _encode(letters: Tensor) -> QuotationBatch:
    inside = (letters == 0).cumsum(0) % 2
    return QuotationBatch(functional.one_hot(letters, len(LETTERS)).float(), inside)
