"""What the reference shows of its named values: the tensors, and autograd's gradients of them."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import register_multi_grad_hook

from sluice.equations.graph import Leaf, Node
from sluice.run.recording.recorded_pass import Recording, RecordingGroup
from sluice.run.spec import RunSpec

_StepTensors = dict[Node, dict[int | None, Tensor]]
"""The tensors of each node by step; under None all steps in one."""


class ValueHooks:
    """Sees every named value of one pass as it is computed."""

    def __init__(self, spec: RunSpec, names: Iterable[str]) -> None:
        self._spec, self._needs_grad = spec, spec.needs_grad
        self._nodes = {spec.graph.outputs_by_name[name] for name in names}
        self._tensors: _StepTensors = {}

    def __call__(self, t: int | None, node: Node, value: Any) -> Any:
        """Keep ``value`` (of step ``t``; None for all steps) if it is named.

        Returns what the rest of the pass must read in its place: the same numbers, as a tensor
        that has a gradient of its own for each step and sequence.
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

    def finish(self, recording: Recording | RecordingGroup) -> None:
        """The pass is done."""
        values = {
            node: {t: value.detach() for t, value in parts.items()}
            for node, parts in self._tensors.items()
        }
        recording.on_forward("reference", _StepTensorReader(self._spec, values), self._needs_grad)
        if self._needs_grad:
            _register_gradient_hook(self._tensors, weakref.ref(recording), self._spec)


class _StepTensorReader:
    """Reads a name from tensors by node and step; a step that has none is zero."""

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


def _register_gradient_hook(
    tensors: _StepTensors, recording: weakref.ref[Recording | RecordingGroup], spec: RunSpec
) -> None:
    """Have every backward pass leave its gradients of the ``kept`` tensors with ``recording``."""
    keys = [(node, t) for node, parts in tensors.items() for t in parts]

    def on_gradients(gradients: Sequence[Tensor | None]) -> None:
        listener, found = recording(), _StepTensors()
        for (node, t), gradient in zip(keys, gradients, strict=True):
            if gradient is not None:
                found.setdefault(node, {})[t] = gradient.detach()
        if listener is not None:
            listener.on_backward(_StepTensorReader(spec, found))

    with torch.enable_grad():
        register_multi_grad_hook([tensors[node][t] for node, t in keys], on_gradients)
