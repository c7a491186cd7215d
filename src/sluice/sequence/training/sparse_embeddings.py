"""Embeddings whose gradients are sparse, and the optimizer that updates the rows they have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from sluice.sequence.errors import SequenceError


def find_embeddings(model: nn.Module) -> dict[str, nn.Embedding]:
    """The embeddings of `model` that are trained, by name.

    Raises:
        SequenceError: there is none, or one scales its gradients by frequency.
    """
    found = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Embedding) and module.weight.requires_grad
    }
    if not found:
        raise SequenceError(
            "sparse_embeddings needs a model with a torch.nn.Embedding that is trained, but this "
            "one has none; leave it out."
        )
    for name, embedding in found.items():
        if embedding.scale_grad_by_freq:
            raise SequenceError(
                f"{name} has scale_grad_by_freq, for which torch has no sparse gradient; leave "
                "sparse_embeddings out."
            )
    return found


@contextmanager
def use_sparse_gradients(embeddings: Iterable[nn.Embedding]) -> Iterator[None]:
    """What these embeddings compute inside the ``with`` block has sparse gradients."""
    before = [(embedding, embedding.sparse) for embedding in embeddings]
    for embedding, _ in before:
        embedding.sparse = True
    try:
        yield
    finally:
        for embedding, was_sparse in before:
            embedding.sparse = was_sparse


def require_sparse_gradients(embeddings: dict[str, nn.Embedding]) -> None:
    """Check that no other use of an embedding's weights has made its gradient dense.

    Raises:
        SequenceError: one has, such as a readout that shares them.
    """
    for name, embedding in embeddings.items():
        gradient = embedding.weight.grad
        if gradient is not None and not gradient.is_sparse:
            raise SequenceError(
                f"The gradient of {name} is dense, because its weights are not only looked up: "
                "a tied readout uses all rows at every step. Leave sparse_embeddings out."
            )


def select_gradient_values(parameter: Tensor) -> Tensor | None:
    """The gradient's numbers, as a tensor that shares its memory; of a sparse one those it has."""
    gradient = parameter.grad
    if gradient is None or not gradient.is_sparse:
        return gradient
    parameter.grad = gradient.coalesce()
    return parameter.grad.values()


class SparseAdamW(torch.optim.AdamW):
    """AdamW (Loshchilov & Hutter 2019) that updates of some parameters a few rows alone.

    A parameter with a sparse gradient changes in the rows of that gradient: their moments and
    their weight decay advance in the steps that have them, and stand still in between, as in
    `torch.optim.SparseAdam`; the correction of the moments' bias counts all steps. Others change
    as in `torch.optim.AdamW`.

    >>> embedding = nn.Embedding(4, 2, sparse=True)
    >>> before = embedding.weight.detach().clone()
    >>> optimizer = SparseAdamW(embedding.parameters(), lr=0.1)
    >>> embedding(torch.tensor([1, 3])).sum().backward()
    >>> optimizer.step()
    >>> (embedding.weight != before).all(dim=1)
    tensor([False,  True, False,  True])
    """

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update the parameters; `closure` as in torch's optimizers."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        held: list[tuple[Tensor, Tensor]] = []
        for group in self.param_groups:
            for parameter in group["params"]:
                gradient = parameter.grad
                if gradient is not None and gradient.is_sparse:
                    self._update_rows(parameter, gradient.coalesce(), group)
                    held.append((parameter, gradient))
                    parameter.grad = None
        try:
            super().step()
        finally:
            for parameter, gradient in held:
                parameter.grad = gradient
        return loss

    def _update_rows(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state["step"] = torch.tensor(0.0, device=parameter.device)
            state["exp_avg"] = torch.zeros_like(parameter)
            state["exp_avg_sq"] = torch.zeros_like(parameter)
        state["step"] += 1
        count, (decay, decay_of_squares) = float(state["step"]), group["betas"]
        rows, values = gradient.indices()[0], gradient.values()
        means = state["exp_avg"][rows].lerp_(values, 1 - decay)
        squares = state["exp_avg_sq"][rows].mul_(decay_of_squares)
        squares.addcmul_(values, values, value=1 - decay_of_squares)
        state["exp_avg"].index_copy_(0, rows, means)
        state["exp_avg_sq"].index_copy_(0, rows, squares)
        scale = squares.sqrt_().div_((1 - decay_of_squares**count) ** 0.5).add_(group["eps"])
        weights = parameter[rows].mul_(1 - group["lr"] * group["weight_decay"])
        weights.addcdiv_(means, scale, value=-group["lr"] / (1 - decay**count))
        parameter.index_copy_(0, rows, weights)
