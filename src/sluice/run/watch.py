"""What the reference shows of its named values: the tensors, and autograd's gradients of them."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.graph import register_multi_grad_hook

from sluice.equations.graph import Leaf, Node
from sluice.run.passes import Pass
from sluice.run.recording import Company, Recording

_Kept = dict[Node, dict[int | None, Tensor]]
"""The tensors of each node by step; under None all steps in one."""


class Watch:
    """Sees every named value of one pass as it is computed."""

    def __init__(self, job: Pass, names: Iterable[str]) -> None:
        self._job, self._trains = job, job.trains
        self._nodes = {job.graph.named[name] for name in names}
        self._kept: _Kept = {}

    def __call__(self, t: int | None, node: Node, value: Any) -> Any:
        """Keep ``value`` (of step ``t``; None for all steps) if it is named.

        Returns what the rest of the pass must read in its place: the same numbers, as a tensor
        that has a gradient of its own for each step and sequence.
        """
        if node not in self._nodes:
            return value
        if t is None and value.dim() == 1:
            value = value.expand(*self._job.x.shape[:2], -1)
        if self._trains and not value.requires_grad:
            value = value.detach().requires_grad_()
        elif isinstance(node, Leaf):  # others read it too
            value = value.view_as(value)
        self._kept.setdefault(node, {})[t] = value
        return value

    def finish(self, recording: Recording | Company) -> None:
        """The pass is done."""
        values = {
            node: {t: value.detach() for t, value in parts.items()}
            for node, parts in self._kept.items()
        }
        recording.ran("reference", _Reader(self._job, values), self._trains)
        if self._trains:
            _await_gradients(self._kept, weakref.ref(recording), self._job)


class _Reader:
    """Reads a name from tensors by node and step; a step that has none is zero."""

    def __init__(self, job: Pass, kept: _Kept) -> None:
        self._nodes, self._kept = job.graph.named, kept
        self._sizes, self._shape = job.sizes, job.x.shape[:2]
        self._like = job.x.new_empty(0)

    def __call__(self, name: str) -> Tensor:
        node = self._nodes[name]
        parts = self._kept.get(node, {})
        if None in parts:
            return parts[None]
        found = self._like.new_zeros(*self._shape, self._sizes.of(node.width))
        for t, part in parts.items():
            if t is not None:
                found[t] = part
        return found


def _await_gradients(kept: _Kept, recording: weakref.ref[Recording | Company], job: Pass) -> None:
    """Have every backward pass leave its gradients of the ``kept`` tensors with ``recording``."""
    keys = [(node, t) for node, parts in kept.items() for t in parts]

    def arrived(gradients: Sequence[Tensor | None]) -> None:
        listener, found = recording(), _Kept()
        for (node, t), gradient in zip(keys, gradients, strict=True):
            if gradient is not None:
                found.setdefault(node, {})[t] = gradient.detach()
        if listener is not None:
            listener.went_back(_Reader(job, found))

    with torch.enable_grad():
        register_multi_grad_hook([kept[node][t] for node, t in keys], arrived)
