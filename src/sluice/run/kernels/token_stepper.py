"""Tokens in and out of layers on the kernels: embedding, layers, readout, draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sluice.run.kernels.encode import (
    SAMPLING,
    VOCABULARY,
    as_memory,
    encode_sections,
    encode_tensors,
)
from sluice.run.kernels.stepper import LayerWeights, Stepper

_KEEP_ALL = 2.0
"""A part of the probability that keeps every token, however sums are rounded."""


@dataclass(frozen=True)
class TokenWeights:
    """What makes tokens of layers: tensors of their dtype, on a CPU.

    ``embedding`` and ``readout`` are (vocabulary, width), ``bias`` (vocabulary,) or None.
    """

    embedding: Tensor
    readout: Tensor
    bias: Tensor | None


@dataclass(frozen=True)
class SamplingSpec:
    """How tokens are drawn.

    ``top_k`` 0 keeps all, as ``top_p`` and ``typical`` 1 do; ``end`` is the token that ends a
    sequence.
    """

    end_token: int
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    typical: float = 1.0


class TokenStepper(Stepper):
    """A stack of layers that reads and draws tokens, for ``batch`` sequences side by side.

    Args:
        layers: From the first on, each as wide as the next one's input.
        language: What stands below and above them; a copy of its readout is packed.
        batch: How many sequences.
        precision: As for `Steps`; embedding and readout stay in their own.
    """

    def __init__(
        self,
        layers: Sequence[LayerWeights],
        token_weights: TokenWeights,
        batch: int,
        precision: str,
    ) -> None:
        super().__init__(layers, batch, precision)
        self._embedding = as_memory(token_weights.embedding)  # read at every step, so it must live
        readout = as_memory(token_weights.readout)
        bias = None if token_weights.bias is None else as_memory(token_weights.bias)
        self.vocabulary_size = len(self._embedding)
        vocabulary = [*self._embedding.shape, *encode_tensors(self._embedding, readout, bias)]
        self._stream.attach_vocabulary(encode_sections(VOCABULARY, vocabulary))

    def feed(self, tokens: Tensor) -> None:
        """Read tokens, (time, batch), int64."""
        assert tokens.shape[1:] == (self.batch,), tokens.shape
        tokens = tokens.contiguous()
        self._stream.feed(tokens.data_ptr(), len(tokens))

    def logits(self, tokens: Tensor) -> Tensor:
        """Read one token each, (batch,), int64; the next one's logits, (batch, vocabulary)."""
        assert tokens.shape == (self.batch,), tokens.shape
        tokens = tokens.contiguous()
        found = torch.empty(self.batch, self.vocabulary_size, dtype=self.dtype)
        self._stream.logits(tokens.data_ptr(), found.data_ptr(), self.vocabulary_size)
        return found

    def generate(
        self, sampling: SamplingSpec, allowed: Tensor, tokens: Tensor, uniforms: Tensor
    ) -> Tensor | None:
        """Read a token each, draw the next, and so on until all sequences have ended.

        Args:
            draws: How.
            choices: What may be drawn, boolean or bytes: (places, vocabulary), or
                (places, batch, vocabulary) where each sequence has its own; the last place serves
                every later one.
            tokens: The tokens before the first, (batch,), int64; replaced by the last ones.
            uniforms: Numbers in [0, 1) that decide, (time, batch), float64.

        Returns:
            The tokens, (steps taken, batch); None where the weights give NaN.
        """
        allowed = allowed.to(torch.uint8).contiguous()
        uniforms = uniforms.contiguous()
        drawn = torch.empty(uniforms.shape, dtype=torch.int64)
        settings = [
            len(uniforms),
            sampling.end_token,
            len(allowed),
            int(allowed.dim() == 3),
            sampling.top_k,
        ]
        tensors = encode_tensors(uniforms, allowed, tokens, drawn)
        words = encode_sections(SAMPLING, settings, tensors)
        masses = (p if p < 1 else _KEEP_ALL for p in (sampling.top_p, sampling.typical))
        taken = self._stream.generate(words, sampling.temperature, *masses)
        return None if taken < 0 else drawn[:taken]
