"""torch's private names, all that Sluice uses of them: one small function for each.

Each says what it means, and what it does where a version of torch lacks the name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.utils._pytree import tree_map_only

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


def mark_constant(function: Callable[P, R]) -> Callable[P, R]:
    """Have ``torch.compile`` call ``function`` while it traces, and take the result as a constant.

    What `torch.compiler.assume_constant_result` does, without importing the compiler, which takes
    seconds. A version of torch that does not know the mark traces into the function instead.

    Example:
        >>> @mark_constant
        ... def count_cores() -> int:
        ...     import os
        ...     return os.cpu_count() or 1
        >>> count_cores() > 0
        True
    """
    vars(function)["_dynamo_marked_constant"] = True
    return function


def is_forward_mode_active() -> bool:
    """Whether a ``torch.autograd.forward_ad.dual_level`` is open in this process.

    Example:
        >>> is_forward_mode_active()
        False
    """
    level = getattr(forward_ad, "_current_level", None)
    return _can_make_dual() if level is None else bool(level >= 0)


def _can_make_dual() -> bool:
    """The same by torch's public names: a dual tensor can be made inside a level alone."""
    try:
        forward_ad.make_dual(torch.zeros(()), torch.zeros(()))
    except RuntimeError:
        return False
    return True


def is_function_transform_active() -> bool:
    """Whether a ``torch.func`` transform (grad, vmap, jvp, ...) is running in this thread.

    A version of torch that does not tell counts as running none.

    Example:
        >>> torch.func.grad(lambda x: x * is_function_transform_active())(torch.ones(())).item()
        1.0
    """
    functorch = getattr(torch._C, "_functorch", None)
    peek = getattr(functorch, "peek_interpreter_stack", None)
    return peek is not None and peek() is not None


@mark_constant
def is_transform_active() -> bool:
    """Whether a ``torch.func`` transform or forward-mode differentiation is running."""
    return is_forward_mode_active() or is_function_transform_active()


@mark_constant
def find_observer() -> str | None:
    """What records or replaces torch's operations in this thread, and does not see kernels.

    None for nothing. A version of torch that does not tell of one of these counts as having none.

    Example:
        >>> from torch.utils.flop_counter import FlopCounterMode
        >>> find_observer() is None
        True
        >>> with FlopCounterMode(display=False):
        ...     find_observer()
        'a dispatch mode'
    """
    if _is_tracing():
        return "a trace"
    return "a dispatch mode" if _count_modes() or _count_early_modes() else None


def _count_none() -> int:
    return 0


_is_tracing: Callable[[], int] = getattr(torch._C, "_is_tracing", _count_none)
_count_modes: Callable[[], int] = getattr(torch._C, "_len_torch_dispatch_stack", _count_none)
# Those of tracers that work before autograd.
_count_early_modes: Callable[[], int] = getattr(
    torch._ops, "_len_torch_dispatch_stack_pre_dispatch", _count_none
)


def get_backward_pass() -> int | None:
    """A number that tells the backward pass that runs in this thread from others.

    None outside of one, and in a version of torch that does not tell.

    Example:
        >>> get_backward_pass() is None
        True
    """
    number = _get_task()
    return None if number < 0 else number


def _get_no_task() -> int:
    return -1


_get_task: Callable[[], int] = getattr(torch._C, "_current_graph_task_id", _get_no_task)


def describe_foreign(tensor: object) -> str | None:
    """What torch's own layers alone can run with; None for an ordinary tensor or a subclass.

    Example:
        >>> describe_foreign(torch.zeros(3)) is None
        True
    """
    kind = type(tensor)
    if not isinstance(tensor, Tensor):
        return f"objects that stand for tensors ({kind.__name__})"
    if kind.__module__.startswith("torch.nn.utils._expanded_weights"):
        return "torch's per-sample gradients (call_for_per_sample_grads)"
    return None


def has_memory(tensor: Tensor) -> bool:
    """Whether the numbers of ``tensor`` may be looked for in its memory.

    Not in those of a batch over which torch maps without saying so, as it does for batched
    gradients. A subclass answers for itself.

    Example:
        >>> has_memory(torch.zeros(3))
        True
    """
    if type(tensor) is not Tensor:
        return True
    try:
        tensor.data_ptr()
    except RuntimeError:
        return False
    return True


def is_beyond_kernels(gradients: Iterable[Tensor | None]) -> bool:
    """Whether a backward pass with these gradients needs torch's own operations.

    Example:
        >>> is_beyond_kernels([torch.ones(3), None])
        False
    """
    is_plain = all(g is None or (type(g) is Tensor and has_memory(g)) for g in gradients)
    return not is_plain or find_observer() is not None


def scale_tensors_(tensors: Sequence[Tensor], factor: float) -> None:
    """Multiply each tensor by ``factor`` in place.

    This and the two below make one call for all tensors where torch has one.
    """
    if 0 < factor < 1e-30:  # which float32 holds with few digits or none
        scale_tensors_(tensors, factor**0.5)
        factor **= 0.5
    if hasattr(torch, "_foreach_mul_") and tensors:
        torch._foreach_mul_(list(tensors), factor)
        return
    for tensor in tensors:
        tensor.mul_(factor)


def lerp_tensors_(tensors: Sequence[Tensor], ends: Sequence[Tensor], weight: float) -> None:
    """Move each tensor in place by the fraction ``weight`` of the distance to its end."""
    if hasattr(torch, "_foreach_lerp_") and tensors:
        torch._foreach_lerp_(list(tensors), list(ends), weight)
        return
    for tensor, end in zip(tensors, ends, strict=True):
        tensor.lerp_(end, weight)


def copy_tensors_(tensors: Sequence[Tensor], sources: Sequence[Tensor]) -> None:
    """Copy each source into its tensor."""
    if hasattr(torch, "_foreach_copy_") and tensors:
        torch._foreach_copy_(list(tensors), list(sources))
        return
    for tensor, source in zip(tensors, sources, strict=True):
        tensor.copy_(source)


def map_tensors(function: Callable[[Tensor], Tensor], tree: T) -> T:
    """``tree``, nested tuples, lists and dictionaries, with ``function`` applied to its tensors.

    Example:
        >>> map_tensors(torch.neg, {"a": (torch.ones(1), "b")})
        {'a': (tensor([-1.]), 'b')}
    """
    mapped: T = tree_map_only(Tensor, function, tree)
    return mapped
