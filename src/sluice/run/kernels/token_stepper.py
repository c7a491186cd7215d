"""Tokens in and out of layers on the kernels: embedding, layers, readout, sampling."""

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
from sluice.run.kernels.stepper import LayerWeights, PackedLayers, Stepper

_KEEP_ALL = 2.0
"""A part of the probability that keeps every token, however sums are rounded."""


@dataclass(frozen=True)
class TokenWeights:
    """What makes tokens of layers: tensors of their dtype, on a CPU.

    ``embedding`` and ``readout`` are (vocabulary, width), ``bias`` (vocabulary,) or None. Where the
    embedding is narrower than the first layer's input, the caller gives the rest at every step.
    """

    embedding: Tensor
    readout: Tensor
    bias: Tensor | None


@dataclass(frozen=True)
class SamplingSpec:
    """How tokens are sampled.

    ``top_k`` 0 keeps all, as ``top_p`` and ``typical`` 1 do; ``end_token`` ends a sequence.
    """

    end_token: int
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    typical: float = 1.0

    @property
    def filter(self) -> tuple[float, float, float, float]:
        """Temperature, top-k, top-p and typical, as the kernels read them for one sequence."""
        top_p, typical = (p if p < 1 else _KEEP_ALL for p in (self.top_p, self.typical))
        return self.temperature, float(self.top_k), top_p, typical


class PackedTokenLayers:
    """Layers, embedding and readout, packed once for any number of steppers.

    Args:
        layers: As for `PackedLayers`.
        token_weights: What is below and above them. The embedding is not copied, and must stay as
            it is; the readout is.
        precision: As for `PackedLayers`; embedding and readout stay in their own.
    """

    def __init__(
        self, layers: Sequence[LayerWeights], token_weights: TokenWeights, precision: str
    ) -> None:
        self.layers = PackedLayers(layers, precision)
        self.embedding = as_memory(token_weights.embedding)
        readout = as_memory(token_weights.readout)
        bias = None if token_weights.bias is None else as_memory(token_weights.bias)
        vocabulary = [*self.embedding.shape, *encode_tensors(self.embedding, readout, bias)]
        self.stream = self.layers.make_stream(1)
        self.stream.attach_vocabulary(encode_sections(VOCABULARY, vocabulary))


class RowBuffers:
    """What single steps of a batch read and write, in memory that stays where it is.

    Attributes:
        tokens: (capacity,), int64: the token that each sequence reads next.
        choices: (1, capacity, vocabulary), bytes: what it may sample then.
        uniforms: (1, capacity), float64: the numbers in [0, 1) that decide.
        filters: (capacity, 4), float64: `SamplingSpec.filter` of each.
        sampled: (1, capacity), int64: the tokens sampled.
    """

    def __init__(self, capacity: int, vocabulary_size: int) -> None:
        self.capacity = capacity
        self.tokens = torch.zeros(capacity, dtype=torch.int64)
        self.choices = torch.ones(1, capacity, vocabulary_size, dtype=torch.uint8)
        self.uniforms = torch.zeros(1, capacity, dtype=torch.float64)
        self.filters = torch.ones(capacity, 4, dtype=torch.float64)
        self.sampled = torch.zeros(1, capacity, dtype=torch.int64)

    def encode(self, count: int, end_token: int) -> list[int]:
        """A step of the first ``count`` sequences, as the kernels read it."""
        settings = [1, end_token, 1, 1, 0]
        tensors = [
            self.uniforms[:, :count],
            self.choices[:, :count],
            self.tokens[:count],
            self.sampled[:, :count],
        ]
        filters = encode_tensors(self.filters[:count])
        return encode_sections(SAMPLING, settings, encode_tensors(*tensors), filters)


class TokenStepper(Stepper):
    """A stack of layers that reads and samples tokens, for at most ``batch`` sequences."""

    def __init__(self, packed: PackedTokenLayers, batch: int) -> None:
        super().__init__(packed.layers, batch)
        self._packed = packed  # its embedding is read at every step, so it must live
        self.vocabulary_size = len(packed.embedding)
        self._stream.share_vocabulary(packed.stream)

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
        self,
        sampling: SamplingSpec,
        allowed: Tensor,
        tokens: Tensor,
        uniforms: Tensor,
        given: Tensor | None = None,
    ) -> Tensor | None:
        """Read a token each, sample the next, and so on until all sequences have ended.

        Args:
            sampling: How.
            allowed: What may be sampled, boolean or bytes: (places, vocabulary), or
                (places, batch, vocabulary) where each sequence has its own; the last place serves
                every later one.
            tokens: The tokens before the first, (batch,), int64; replaced by the last ones.
            uniforms: Numbers in [0, 1) that decide, (time, batch), float64.
            given: What the first layer reads at each step before the embedding,
                (time, batch, width), where the embedding leaves room for it.

        Returns:
            The tokens, (steps taken, batch); None where the weights give NaN.
        """
        allowed = allowed.to(torch.uint8).contiguous()
        uniforms = uniforms.contiguous()
        sampled = torch.empty(uniforms.shape, dtype=torch.int64)
        settings = [
            len(uniforms),
            sampling.end_token,
            len(allowed),
            int(allowed.dim() == 3),
            sampling.top_k,
        ]
        tensors = encode_tensors(uniforms, allowed, tokens, sampled)
        beside = [] if given is None else [encode_tensors(given := given.contiguous())]
        words = encode_sections(SAMPLING, settings, tensors, *beside)
        temperature, _, top_p, typical = sampling.filter
        taken = self._stream.generate(words, temperature, top_p, typical)
        return None if taken < 0 else sampled[:taken]

    def sample_next(self, words: list[int]) -> None:
        """One step of `RowBuffers.encode`'s; a sequence whose logits are NaN samples −1."""
        self._stream.generate(words, 1.0, _KEEP_ALL, _KEEP_ALL)
