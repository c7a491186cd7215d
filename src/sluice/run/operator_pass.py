"""What the operators of compiled programs compute: the kernels, or the reference where they lack.

The functions for tapes look at sizes, dtypes and devices alone, so that compilers can call them
with tensors that have no memory.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from sluice.run import bptt, reference
from sluice.run.kernels import extension, fused, tensor_tape
from sluice.run.spec import RunSpec
from sluice.run.torch_state import map_tensors

_NARROW = (torch.bfloat16, torch.float16)


class OperatorPass:
    """One pass: ``spec`` in the dtype that its backend computes in.

    Args:
        spec: What to compute.
        mode: What the kernels multiply in, for float32 tensors; ``"reference"`` to do without.
    """

    def __init__(self, spec: RunSpec, mode: str) -> None:
        self._dtype = spec.x.dtype
        self._precision = _choose_precision(spec, mode)
        is_widened = self._precision is not None and self._dtype in _NARROW
        self._spec = _map_spec(torch.Tensor.float, spec) if is_widened else spec

    def make_tape(self) -> Tensor:
        """A tape as `run_with_tape` returns it, not filled; empty where nothing is to be kept."""
        has_tape = self._precision not in (None, "int8")
        shape = tensor_tape.tape_shape(self._spec) if has_tape else (0, 0)
        return self._spec.x.new_empty(shape, dtype=torch.uint8)

    def run(self) -> list[Tensor]:
        """The output and the last states."""
        spec = self._spec
        if self._precision is not None and fused.supports(spec):
            y, last = fused.run(spec, self._precision)
        else:
            y, last = reference.run(spec)
            last = tuple(state.clone() for state in last)  # an output may not alias another
        return [tensor.to(self._dtype) for tensor in (y, *last)]

    def run_with_tape(self) -> list[Tensor]:
        """The same, and the tape for `backpropagate`."""
        spec = self._spec
        if self._precision in (None, "int8") or not fused.supports(spec):
            return [*self.run(), self.make_tape()]
        y, last, tape = tensor_tape.run_with_tape(spec, self._precision)
        return [*(tensor.to(self._dtype) for tensor in (y, *last)), tape]

    def backpropagate(
        self,
        tape: Tensor,
        output: Tensor,
        upstream: Sequence[Tensor | None],
        needs: Sequence[bool],
    ) -> list[Tensor]:
        """The gradients of those of ``spec.tensors`` for which ``needs`` asks.

        Raises RuntimeError for int8 weights.
        """
        spec = self._spec
        fused.refuse_int8_gradients(self._precision)
        found: Sequence[Tensor | None]
        if self._precision is None or not fused.supports(spec):
            found = _backpropagate_reference(spec, upstream)
        else:
            wide = [g if g is None else g.to(spec.x.dtype) for g in upstream]
            output = output.to(spec.x.dtype)
            found = tensor_tape.backpropagate(spec, self._precision, tape, output, wide, needs)
        pairs = zip(found, needs, strict=True)
        return [g.to(self._dtype) for g, is_needed in pairs if g is not None and is_needed]


def _choose_precision(spec: RunSpec, mode: str) -> str | None:
    """What the kernels compute in; None where they cannot run."""
    dtype, tensors = spec.x.dtype, spec.tensors
    if mode == "reference" or extension.load_extension() is None:
        return None
    if any(tensor.device.type != "cpu" or tensor.dtype != dtype for tensor in tensors):
        return None
    if any(parameter.numel() == 0 for parameter in spec.parameters):
        return None
    if dtype == torch.float32:
        return mode
    return "float64" if dtype == torch.float64 else "bfloat16" if dtype in _NARROW else None


def _map_spec(function: Callable[[Tensor], Tensor], spec: RunSpec) -> RunSpec:
    """``spec`` with ``function`` applied to its tensors of floating point numbers."""
    own = spec.replace_tensors([function(tensor) for tensor in spec.tensors])
    return replace(own, masks=map_tensors(function, spec.masks))


def _backpropagate_reference(spec: RunSpec, upstream: Sequence[Tensor | None]) -> list[Tensor]:
    width = sum(spec.output_widths)
    like = [spec.x.new_empty(()).expand(*spec.x.shape[:2], width), *spec.states]
    pairs = zip(upstream, like, strict=True)
    of_output, *of_states = (torch.zeros_like(t) if g is None else g for g, t in pairs)
    found = bptt.backward(spec, of_output, tuple(of_states))
    restart = found.learned_initial_states if spec.learned_initial_states else ()
    return [g.clone() for g in (found.x, *found.states, *found.parameters, *restart, *found.inputs)]
