"""The cross-entropy of a readout, a block of logits at a time."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sluice.nn.batch import is_autocast_enabled
from sluice.run.dispatch import is_eager
from sluice.sequence.batch import ModelState
from sluice.sequence.models.base import StepLosses
from sluice.sequence.vocabulary import PADDING

# Logits of a block: enough for fast products, few enough for a cache. Fewer than half gain nothing.
_BLOCK = 1 << 22


def sum_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    ignore_index: int,
    label_smoothing: float = 0.0,
) -> Tensor:
    """The cross-entropy of softmax(W h + b) in nats, summed over all targets but `ignore_index`.

    More than a few million logits in float32 or float64 are computed for some rows at a time, with
    the gradients at once, so that memory does not grow with targets × classes; rows without a
    target are left out. Elsewhere, and while a program is traced, transformed, compiled or
    differentiated twice, it is a composition of torch's operations.

    Args:
        hidden: (..., features).
        weight: (classes, features).
        bias: (classes,) or None.
        targets: of the leading shape of `hidden`, int64.
        ignore_index: a target that does not count.
        label_smoothing: the share of each target that is spread evenly over all classes.

    >>> hidden, weight = torch.zeros(2, 3, 4), torch.ones(5, 4)
    >>> targets = torch.tensor([[1, 2, 0], [4, 0, 0]])
    >>> sum_cross_entropy(hidden, weight, None, targets, ignore_index=0)   # three times ln 5
    tensor(4.8283)
    """
    tensors = hidden, weight, bias
    is_plain = {t.dtype for t in tensors if t is not None} <= {hidden.dtype} & _DTYPES
    if (
        not is_plain
        or targets.numel() * len(weight) <= _BLOCK // 2
        or not is_eager()
        or is_autocast_enabled(hidden)
    ):
        return _compose(*tensors, targets, ignore_index, label_smoothing)
    total: Tensor = _CrossEntropyFunction.apply(  # type: ignore[no-untyped-call]
        *tensors, targets, ignore_index, label_smoothing
    )
    return total


def calls_only(module: nn.Module, kind: type[nn.Module]) -> bool:
    """Whether calling ``module`` runs the ``forward`` of ``kind`` and nothing else, such as hooks.

    >>> calls_only(nn.Linear(2, 3), nn.Linear)
    True
    """
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    is_own = "forward" not in vars(module) and type(module).forward is kind.forward
    return is_own and not any(getattr(module, name, None) for name in hooks)


def sum_cross_entropy_of_logits(
    logits: Tensor, targets: Tensor, ignore_index: int, label_smoothing: float = 0.0
) -> Tensor:
    """The cross-entropy of softmax(logits) in nats, summed as `sum_cross_entropy` does.

    Args:
        logits: (..., classes).
        targets: of the leading shape of `logits`, int64.
        ignore_index: a target that does not count.
        label_smoothing: the share of each target that is spread evenly over all classes.
    """
    return functional.cross_entropy(
        logits.flatten(0, -2),
        targets.flatten(),
        ignore_index=ignore_index,
        reduction="sum",
        label_smoothing=label_smoothing,
    )


def step_cross_entropy(logits: Tensor, truth: Tensor) -> Tensor:
    """The cross-entropy of softmax(logits) in nats, of the shape of `truth`; 0 where that is -1.

    Args:
        logits: (..., classes).
        truth: of the leading shape of `logits`, int64.
    """
    losses = functional.cross_entropy(
        logits.flatten(0, -2), truth.flatten(), ignore_index=-1, reduction="none"
    )
    return losses.view(truth.shape)


def measure_tokens(logits: Tensor, targets: Tensor, state: ModelState) -> StepLosses:
    """The losses of logits (..., vocabulary) for the tokens `targets`, padding left out."""
    truth = targets.masked_fill(targets == PADDING, -1)
    return StepLosses(logits, step_cross_entropy(logits, truth), (truth >= 0).long(), truth, state)


_DTYPES = {torch.float32, torch.float64}


def _compose(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    ignore_index: int,
    label_smoothing: float,
) -> Tensor:
    logits = functional.linear(hidden, weight, bias)
    return sum_cross_entropy_of_logits(logits, targets, ignore_index, label_smoothing)


class _CrossEntropyFunction(torch.autograd.Function):
    """The sum, and its gradients, which the forward pass computes where they are needed."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        ignore_index: int,
        label_smoothing: float,
    ) -> Tensor:
        needed = ctx.needs_input_grad[:3]
        rows = (targets.flatten() != ignore_index).nonzero().squeeze(1)
        targets_of_rows = targets.flatten()[rows]
        x = hidden.flatten(0, -2)[rows]
        gradients = _BlockwiseSum(x, weight, bias, needed, label_smoothing)
        total = gradients.run(targets_of_rows)
        ctx.shape, ctx.ignore_index, ctx.smoothing = hidden.shape, ignore_index, label_smoothing
        found = (gradients.of_x, gradients.of_weight, gradients.of_bias)
        ctx.save_for_backward(hidden, weight, bias, targets, rows, *found)
        return total

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> Any:
        hidden, weight, bias, targets, rows, of_x, of_weight, of_bias = ctx.saved_tensors
        if torch.is_grad_enabled():
            inputs = [t for t in (hidden, weight, bias) if t is not None and t.requires_grad]
            total = _compose(hidden, weight, bias, targets, ctx.ignore_index, ctx.smoothing)
            found = iter(torch.autograd.grad(total, inputs, upstream, create_graph=True))
            given = (next(found) if n else None for n in ctx.needs_input_grad[:3])
            return (*given, None, None, None)
        of_hidden = None
        if of_x is not None:
            of_hidden = of_x.new_zeros(len(targets.flatten()), of_x.shape[1])
            of_hidden = of_hidden.index_copy(0, rows, of_x * upstream).view(ctx.shape)
        scaled = (None if g is None else g * upstream for g in (of_weight, of_bias))
        return (of_hidden, *scaled, None, None, None)


class _BlockwiseSum:
    """Sums the cross-entropy over blocks of rows, and with it the gradients that are needed."""

    def __init__(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        needed: tuple[bool, ...],
        label_smoothing: float,
    ) -> None:
        self.x, self.weight, self.bias = x, weight, bias
        self.label_smoothing = label_smoothing
        self.of_x = torch.empty_like(x) if needed[0] else None
        self.of_weight = torch.zeros_like(weight) if needed[1] else None
        self.of_bias = torch.zeros_like(bias) if needed[2] and bias is not None else None
        self.is_differentiated = any(needed)

    def run(self, targets: Tensor) -> Tensor:
        """The sum for these targets."""
        classes = len(self.weight)
        size = max(64, _BLOCK // classes)
        logits, logs = self.x.new_empty(2, min(size, len(self.x)), classes)
        total = self.x.new_zeros(())
        for first in range(0, len(self.x), size):
            here = slice(first, first + size)
            x, wanted = self.x[here], targets[here, None]
            block, log = logits[: len(x)], logs[: len(x)]
            if self.bias is None:
                torch.mm(x, self.weight.T, out=block)
            else:
                torch.addmm(self.bias, x, self.weight.T, out=block)
            torch.log_softmax(block, -1, out=log)
            sharp = 1 - self.label_smoothing
            total -= sharp * log.gather(1, wanted).sum()
            if self.label_smoothing:
                total -= self.label_smoothing / classes * log.sum()
            if self.is_differentiated:
                flow = log.exp_().scatter_add_(1, wanted, log.new_full(wanted.shape, -sharp))
                if self.label_smoothing:
                    flow -= self.label_smoothing / classes
                self._add(here, x, flow)
        return total

    def _add(self, here: slice, x: Tensor, flow: Tensor) -> None:
        """Add what a block of rows gives, `flow` being the gradient of its logits."""
        if self.of_x is not None:
            torch.mm(flow, self.weight, out=self.of_x[here])
        if self.of_weight is not None:
            self.of_weight.addmm_(flow.T, x)
        if self.of_bias is not None:
            self.of_bias += flow.sum(dim=0)
