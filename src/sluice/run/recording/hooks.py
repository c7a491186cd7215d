"""Hooks on the reference's named values: their tensors, and autograd's gradients of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor
from torch.autograd.graph import register_multi_grad_hook

from sluice.equations.graph import Leaf, Node
from sluice.run.recording.sinks import RecordingSink
from sluice.run.spec import RunSpec

_StepTensors = dict[Node, dict[int | None, Tensor]]
"""The tensors of each node by step; under None all steps in one."""


class ValueHooks:
    """A hook of one pass that collects every named value as it is computed."""

    def __init__(self, spec: RunSpec, names: Iterable[str]) -> None:
        self._spec, self._needs_grad = spec, spec.needs_grad
        self._nodes = {spec.graph.outputs_by_name[name] for name in names}
        self._tensors: _StepTensors = {}

    def __call__(self, t: int | None, node: Node, value: Tensor) -> Tensor:
        """Collect ``value`` (of step ``t``; None for all steps) if it is named.

        Returns the tensor that the rest of the pass must read instead: the same numbers, with a
        gradient of its own for each step and sequence.
        """
        if node not in self._nodes:
            return value
        if t is None and value.dim() == 1:
            value = value.expand(*self._spec.x.shape[:2], -1)
        if self._needs_grad and not value.requires_grad:
            value = value.detach().requires_grad_()
        elif isinstance(node, Leaf):  # others read it too
            value = value.view_as(value)
        self._tensors.setdefault(node, {})[t] = value
        return value

    def finish(self, sink: RecordingSink) -> None:
        """Deliver the finished pass to ``sink``, and later every backward pass through it."""
        values = {
            node: {t: value.detach() for t, value in parts.items()}
            for node, parts in self._tensors.items()
        }
        sink.on_forward("reference", _StepTensorReader(self._spec, values), self._needs_grad)
        if self._needs_grad:
            _register_gradient_hook(self._tensors, sink.weak(), self._spec)


class _StepTensorReader:
    """Reads a named value from tensors by node and step; a step without one is zero."""

    def __init__(self, spec: RunSpec, tensors: _StepTensors) -> None:
        self._nodes, self._tensors = spec.graph.outputs_by_name, tensors
        self._sizes, self._shape = spec.sizes, spec.x.shape[:2]
        self._like = spec.x.new_empty(0)

    def __call__(self, name: str) -> Tensor:
        node = self._nodes[name]
        parts = self._tensors.get(node, {})
        if None in parts:
            return parts[None]
        found = self._like.new_zeros(*self._shape, self._sizes.of(node.width))
        for t, part in parts.items():
            if t is not None:
                found[t] = part
        return found


def _register_gradient_hook(tensors: _StepTensors, sink: RecordingSink, spec: RunSpec) -> None:
    """Deliver to ``sink`` the gradients of ``tensors`` in every backward pass."""
    keys = [(node, t) for node, parts in tensors.items() for t in parts]

    def on_gradients(gradients: Sequence[Tensor | None]) -> None:
        found = _StepTensors()
        for (node, t), gradient in zip(keys, gradients, strict=True):
            if gradient is not None:
                found.setdefault(node, {})[t] = gradient.detach()
        sink.on_backward(_StepTensorReader(spec, found))

    with torch.enable_grad():
        register_multi_grad_hook([tensors[node][t] for node, t in keys], on_gradients)
