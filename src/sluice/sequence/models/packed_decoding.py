"""The decoder of a `Seq2Seq` one token at a time, with its weights packed once for all of them."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice.nn.attention import AdditiveAttention, combine_masks
from sluice.nn.stack import RecurrentStack
from sluice.sequence.batch import ModelState
from sluice.sequence.models.attention import MultiplicativeAttention
from sluice.sequence.models.cross_entropy import calls_only
from sluice.sequence.models.pair_model import DecodingState, EncoderOutput


class DecoderParts(NamedTuple):
    """The decoder of a `Seq2Seq`: its modules, and the weights of its embedding and readout."""

    layers: RecurrentStack
    attention: AdditiveAttention | MultiplicativeAttention
    combine: nn.Linear
    embedding: Tensor
    readout: Tensor
    readout_bias: Tensor

    @property
    def reads_context(self) -> bool:
        """Whether the layers read what attention made of the step before."""
        return self.layers.input_size > self.embedding.shape[1]


def can_pack(parts: DecoderParts) -> bool:
    """Whether the kernels step the decoder's layers and no call around them was added to."""
    own = [parts.layers, parts.attention, parts.combine, *parts.attention.children()]
    return (
        parts.layers.resolved_backend.has_step_kernels
        and not torch.is_grad_enabled()
        and all(calls_only(one, type(one)) for one in own)
    )


class PackedDecoding(DecodingState):
    """The decoding of a `Seq2Seq` in evaluation, without gradients.

    What depends on the sources alone is computed once: a context, Σ a m, is only read as W Σ a m,
    so it is mixed from W m. What is mapped from h, the query and W h, is one product.

    Args:
        parts: with `can_pack`; their weights are taken as they are now.
        memory, state: what its `Seq2Seq.encode` gave.
    """

    def __init__(self, parts: DecoderParts, memory: EncoderOutput, state: ModelState) -> None:
        rows = memory.values.shape[1]
        self._embedding, self._readout = parts.embedding, (parts.readout, parts.readout_bias)
        self._fed: Tensor | None = None
        if parts.reads_context:
            assert isinstance(state, tuple)
            state, fed = state
            assert isinstance(fed, Tensor)
            self._fed = fed[0]
        self._stream = parts.layers.stream(rows)
        self._stream.load_state_dict(_name_states(parts.layers, state))
        of_context, of_hidden = _split_columns(parts.combine, memory.values.shape[2])
        attention = parts.attention
        if isinstance(attention, AdditiveAttention):
            of_query, vector = attention.query_map, attention.score.weight[0]
            self._from_hidden = torch.cat((of_query.weight, of_hidden))
            self._bias = torch.cat((of_query.bias, parts.combine.bias))
            self._vector: Tensor | None = vector
        else:
            assert isinstance(attention, MultiplicativeAttention)
            self._from_hidden, self._bias, self._vector = of_hidden, parts.combine.bias, None
        self._sizes = [len(self._bias) - len(of_hidden), len(of_hidden)]
        values, keys, mask = memory.values, memory.keys, None
        if memory.lengths is not None and bool((memory.lengths < len(values)).any()):
            mask = combine_masks(values, memory.lengths, None)
        if mask is not None:  # what is not read has no influence, even if it is NaN
            values, keys = (one.masked_fill(~mask[..., None], 0) for one in (values, keys))
        self._mixed = functional.linear(values, of_context).transpose(0, 1).contiguous()
        self._keys = keys.transpose(0, 1).contiguous()
        self._beyond = None if mask is None else ~mask.T

    def step(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """As `DecodingState.step`."""
        x = functional.embedding(tokens, self._embedding)
        if self._fed is not None:
            x = torch.cat((x, self._fed), dim=-1)
        hidden = self._stream(x)
        query, own = functional.linear(hidden, self._from_hidden, self._bias).split(
            self._sizes, dim=-1
        )
        if self._vector is None:
            scores = torch.bmm(self._keys, hidden[..., None])[..., 0]
        else:
            scores = (self._keys + query[:, None]).tanh_() @ self._vector
        if self._beyond is not None:
            scores.masked_fill_(self._beyond, torch.finfo(scores.dtype).min)
        weights = scores.softmax(dim=-1)
        if self._beyond is not None:  # a source without any step reads nothing
            weights.masked_fill_(self._beyond, 0)
        seen = torch.bmm(weights[:, None], self._mixed)[:, 0].add_(own).tanh_()
        if self._fed is not None:
            self._fed = seen
        return functional.linear(seen, *self._readout), weights

    def rearrange(self, rows: Tensor) -> None:
        """As `DecodingState.rearrange`."""
        self._stream.rearrange(rows)
        if self._fed is not None:
            self._fed = self._fed[rows]


def _name_states(layers: RecurrentStack, state: ModelState) -> dict[str, Tensor]:
    """The states of the decoder's layers by the names that a stream gives them."""
    states = [state] if isinstance(state, Tensor) else list(state or ())
    return {
        f"{own.name}_l{place}": one[place]
        for own, one in zip(layers.cell.graph.states, states, strict=True)
        for place in range(layers.num_layers)
        if isinstance(one, Tensor)
    }


def _split_columns(combine: nn.Linear, width: int) -> tuple[Tensor, Tensor]:
    """The weights for a context of this width and for h."""
    return combine.weight[:, :width], combine.weight[:, width:]
