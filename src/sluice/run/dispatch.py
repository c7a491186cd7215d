"""Which backend runs a layer: one function decides, before anything is dispatched.

=============  ====================================================================
``operator``   compiling or exporting: one custom operator stands for the time loop, and runs the
               kernels where they can run; ``reference operator`` where the reference is asked for
``reference``  the cell's equations in a time loop of torch operations; always right
``fused``      the kernels: the cell's equations compiled, in a time loop of their own
``native``     torch's own layer, for what torch itself offers: where there are no kernels, and on
               GPUs, where cuDNN runs it
=============  ====================================================================
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from sluice.run.gpu import availability, measured
from sluice.run.gpu.measured import PlainCall
from sluice.run.kernels import extension
from sluice.run.torch_state import (
    describe_foreign,
    find_observer,
    is_transform_active,
    mark_constant,
)

_issued_warnings: set[str] = set()
OPERATOR, REFERENCE, NATIVE, FUSED = "operator", "reference", "native", "fused"
REFERENCE_OPERATOR = "reference operator"


@dataclass(frozen=True)
class BackendChoice:
    """A backend's name, and why it was chosen; ``is_on_gpu`` for the kernels of GPUs."""

    name: str
    reason: str
    is_on_gpu: bool = False

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}"

    @property
    def has_step_kernels(self) -> bool:
        """Whether single steps run on kernels as well; those of GPUs run whole sequences."""
        return self.name == FUSED and not self.is_on_gpu


def choose_backend(
    tensors: Iterable[Tensor],
    unsupported_by_torch: str | None,
    backend: str | None,
    plain_call: PlainCall | None = None,
    unsupported_by_gpu: str | None = None,
) -> BackendChoice:
    """The backend for a layer that is about to run.

    Args:
        tensors: The input and the parameters.
        unsupported_by_torch: What is asked for that torch's own layer does not offer; None for
            nothing.
        backend: ``"reference"``, ``"native"`` or ``"fused"`` asks for that wherever one could
            choose.
        plain_call: What torch's own layer would run; None where there is no such layer.
        unsupported_by_gpu: Why the GPU's kernels cannot run the cell; None where they can.
    """
    tensors = list(tensors)
    if is_transform_active():
        return BackendChoice(
            REFERENCE, "a torch.func transform or forward-mode derivative is active"
        )
    if torch.compiler.is_compiling():
        name = REFERENCE_OPERATOR if backend == REFERENCE else OPERATOR
        return BackendChoice(name, "the program is being compiled or exported")
    if (observer := find_observer()) is not None:
        return BackendChoice(
            REFERENCE, f"{observer} is active, which sees torch's operations alone"
        )
    foreign = next(filter(None, map(describe_foreign, tensors)), None)
    if foreign is not None:
        return _choose_for_foreign(foreign, unsupported_by_torch)
    if backend == REFERENCE:
        return BackendChoice(REFERENCE, "layer.backend asks for it")
    unusual = next(filter(None, map(_explain_unusual, tensors)), None)
    if unusual:
        return BackendChoice(REFERENCE, unusual)
    unfit = (
        "layer.backend asks for torch's own"
        if backend == NATIVE
        else _explain_unsupported(tensors, unsupported_by_gpu)
    )
    if unfit is None and tensors[0].is_cuda:
        return _choose_on_gpu(tensors[0], unsupported_by_torch, backend, plain_call)
    if unfit is None:
        return BackendChoice(FUSED, f"the kernels for {extension.get_isa()} run every cell")
    if unsupported_by_torch:
        return BackendChoice(
            REFERENCE, f"{unfit}, and torch's own layer lacks {unsupported_by_torch}"
        )
    return BackendChoice(NATIVE, f"{unfit}; torch's own layer does all that is asked for")


def is_eager() -> bool:
    """Whether operations run at once and as they are written: nothing traces or transforms them."""
    if torch.compiler.is_compiling() or is_transform_active():
        return False
    return find_observer() is None


def _choose_for_foreign(foreign: str, unsupported_by_torch: str | None) -> BackendChoice:
    if unsupported_by_torch:
        raise TypeError(
            f"{foreign} work with what torch's own layers do alone, which lack "
            f"{unsupported_by_torch}; give plain tensors (for per-sample gradients: "
            "torch.func.vmap of torch.func.grad)"
        )
    return BackendChoice(NATIVE, f"torch's own layer runs with {foreign}")


def _choose_on_gpu(
    tensor: Tensor,
    unsupported_by_torch: str | None,
    backend: str | None,
    plain_call: PlainCall | None,
) -> BackendChoice:
    if backend == FUSED:
        return BackendChoice(FUSED, "layer.backend asks for the GPU's kernels", True)
    if unsupported_by_torch:
        reason = f"the GPU's kernels run every cell, and cuDNN lacks {unsupported_by_torch}"
        return BackendChoice(FUSED, reason, True)
    if plain_call is None:
        return BackendChoice(NATIVE, "torch's own runs on the GPU")
    is_faster, reason = measured.explain_choice(plain_call, tensor)
    return BackendChoice(FUSED if is_faster else NATIVE, reason, is_faster)


def warn_if_slow(
    choice: BackendChoice, tensor: Tensor, precision: str, recompute: int | None
) -> None:
    """Say, once for each reason, why something that was expected to be fast is not."""
    slow = choice.name == REFERENCE and tensor.device.type == "cpu" and "kernels" in choice.reason
    if slow or (choice.name == REFERENCE and "lacks recordings" in choice.reason):
        warn_once(f"the reference runs, a slow loop in Python: {choice.reason}")
    if precision != "float32" and not _runs_kernels(choice, tensor):
        warn_once(f"precision {precision} is the kernels' alone; float32 runs here ({choice})")
    if precision == "int8" and choice.name == FUSED and tensor.is_cuda:
        warn_once("int8 is for the kernels of CPUs; float32 runs on this GPU")
    if recompute is not None and choice.name in (OPERATOR, REFERENCE_OPERATOR):
        warn_once(
            "recompute= has no effect in a compiled program: its backward pass needs every step"
        )


def _runs_kernels(choice: BackendChoice, tensor: Tensor) -> bool:
    if choice.name == OPERATOR:  # which has kernels for CPUs alone
        return tensor.device.type == "cpu" and _has_kernels()
    return choice.name == FUSED


@mark_constant
def _has_kernels() -> bool:
    return extension.load_extension() is not None


@mark_constant
def warn_once(message: str) -> None:
    """Warn with ``message`` unless this process has done so."""
    if message not in _issued_warnings:
        _issued_warnings.add(message)
        warnings.warn(message, RuntimeWarning, stacklevel=4)


def _explain_unsupported(tensors: list[Tensor], unsupported_by_gpu: str | None) -> str | None:
    """Why the kernels cannot run on these tensors; None where they can."""
    kinds = {(tensor.device.type, tensor.dtype) for tensor in tensors}
    if all(device == "cuda" for device, _ in kinds):
        return unsupported_by_gpu or availability.explain_unsupported(tensors)
    for device, dtype in sorted(kinds, key=str):
        if device != "cpu":
            return f"there are no kernels for {device}"
        if dtype not in (torch.float32, torch.float64, torch.bfloat16):
            return f"there are no kernels for {dtype}"
    dtypes = {dtype for _, dtype in kinds}
    if len(dtypes) > 1 or torch.bfloat16 in dtypes:
        return "the tensors are not all float32 or all float64"
    if any(tensor.numel() == 0 for tensor in tensors):
        return "a tensor is empty"
    if extension.load_extension() is None:
        return extension.explain_missing()
    return None


def _explain_unusual(tensor: Tensor) -> str | None:
    """What makes a tensor more than plain memory; kernels must not see it."""
    if type(tensor) not in (Tensor, torch.nn.Parameter):
        return f"a tensor subclass, {type(tensor).__name__}"
    if tensor.is_meta:
        return "a tensor on the meta device"
    return None
