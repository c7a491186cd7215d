"""Which backend runs a layer: one function decides, before anything is dispatched.

=============  ====================================================================
``operator``   compiling or exporting: one custom operator stands for the time loop
``reference``  the cell's equations in a time loop of torch operations; always right
``native``     torch's own layer, for what torch itself offers
=============  ====================================================================
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.autograd import forward_ad

OPERATOR, REFERENCE, NATIVE = "operator", "reference", "native"


@dataclass(frozen=True)
class Choice:
    """A backend's name, and why it was chosen."""

    name: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"


def choose(tensors: Iterable[Tensor], beyond_torch: str | None, prefer: str | None) -> Choice:
    """The backend for a layer that is about to run.

    Args:
        tensors: The input and the parameters.
        beyond_torch: What is asked for that torch's own layer does not offer; None for nothing.
        prefer: ``"reference"`` asks for it wherever one could choose.
    """
    if _transforming():
        return Choice(REFERENCE, "a torch.func transform or forward-mode derivative is active")
    if torch.compiler.is_compiling():
        return Choice(OPERATOR, "the program is being compiled or exported")
    if prefer == REFERENCE:
        return Choice(REFERENCE, "layer.prefer asks for it")
    unusual = next((_unusual(t) for t in tensors if _unusual(t)), None)
    if unusual:
        return Choice(REFERENCE, unusual)
    if beyond_torch:
        return Choice(REFERENCE, f"torch's own layer lacks {beyond_torch}")
    return Choice(NATIVE, "torch's own layer does all that is asked for")


def _transforming() -> bool:
    level: int = forward_ad._current_level
    return level >= 0 or torch._C._functorch.peek_interpreter_stack() is not None


# As torch.compiler.assume_constant_result marks it, without importing the compiler for that.
_transforming._dynamo_marked_constant = True  # type: ignore[attr-defined]


def _unusual(tensor: Tensor) -> str | None:
    """What makes a tensor more than plain memory; kernels must not see it."""
    if type(tensor) not in (Tensor, torch.nn.Parameter):
        return f"a tensor subclass, {type(tensor).__name__}"
    if tensor.is_meta:
        return "a tensor on the meta device"
    return None
