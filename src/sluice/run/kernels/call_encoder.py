"""One call of the kernels as a list of integers, which hold the addresses of its tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from sluice.codegen.body import lanes_per_block
from sluice.run.kernels.compiled_cell import CompiledCell
from sluice.run.kernels.encode import VERSION, as_memory, encode_tensors
from sluice.run.spec import RunSpec

if TYPE_CHECKING:
    from sluice.run.kernels.fused import FusedCall


class CallEncoder:
    """A call's integers; keeps alive the copies of tensors whose addresses they hold."""

    def __init__(
        self, kind: int, call: FusedCall, x: Tensor, states: Sequence[Tensor | None], y: Tensor
    ) -> None:
        self.keep_alive: list[Tensor] = []
        self.integers = [kind, VERSION, *call.sizes]
        if call.spec is None:
            self.add_section(2, (x, y, call.lengths, None))
            self.add_section(3, states)
            self.integers += (4, 0, 5, 0)
        else:
            self._add_marked(call.spec, call.cell, x, states, y)

    def _add_marked(
        self,
        spec: RunSpec,
        cell: CompiledCell,
        x: Tensor,
        states: Sequence[Tensor | None],
        y: Tensor,
    ) -> None:
        lengths = None if spec.lengths is None else self._keep(spec.lengths.cpu().long())
        resets = spec.reset_mask
        if resets is not None:
            resets = self._keep(resets.squeeze(-1).to(torch.uint8))
        self.add_section(2, (x, y, lengths, resets))
        self.add_section(3, states)
        self.add_section(4, () if resets is None else spec.reset_states)
        given: list[int] = []
        for tensor, one in zip(
            (*spec.masks, *spec.inputs), spec.graph.masks_and_inputs, strict=True
        ):
            lanes = lanes_per_block(cell.bits)
            given += self._encode_mask(tensor.detach(), spec.sizes.of(one.width), lanes)
        self.integers += (5, len(given), *given)

    def add_section(self, tag: int, tensors: Sequence[Tensor | None]) -> None:
        """One more section: the address and the size in bytes of each tensor; 0, 0 for None."""
        integers = self.integers
        integers += (tag, 2 * len(tensors))
        for tensor in tensors:
            if tensor is None:
                integers += (0, 0)
                continue
            own = as_memory(tensor)
            if own is not tensor:
                self._keep(own)
            integers += (own.data_ptr(), own.nbytes)

    def _keep(self, tensor: Tensor) -> Tensor:
        self.keep_alive.append(tensor)
        return tensor

    def _encode_mask(self, mask: Tensor, width: int, block: int) -> list[int]:
        """The strides of a mask or an input over time and rows, and its array, padded to blocks."""
        if mask.stride(0) == 0:
            mask = mask[:1]  # the same at every step
        own = mask.expand(*mask.shape[:-1], width)
        if width % block:
            own = torch.nn.functional.pad(own, (0, -width % block))
        own = self._keep(as_memory(own))
        time, row = (own.stride(k) if own.shape[k] > 1 else 0 for k in (0, 1))
        return [time, row, *encode_tensors(own)]
