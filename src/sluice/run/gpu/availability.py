"""Whether a GPU's kernels can run, and why not."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from sluice.equations.graph import Graph, RowMap, is_number
from sluice.equations.specs import CONSTANT

MINIMUM_TRITON = (3, 6)
MINIMUM_CAPABILITY = (8, 0)
_DTYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


def explain_unsupported(tensors: Sequence[Tensor]) -> str | None:
    """Why the kernels cannot run on these CUDA tensors; None where they can."""
    missing = explain_missing_triton() or _explain_device(tensors[0].device)
    if missing:
        return missing
    dtypes = {tensor.dtype for tensor in tensors}
    unknown = next((dtype for dtype in dtypes if dtype not in _DTYPES), None)
    if unknown is not None:
        return f"there are no GPU kernels for {unknown}"
    if len(dtypes) > 1:
        return "the tensors are not all of one type"
    if any(tensor.numel() == 0 for tensor in tensors):
        return "a tensor is empty"
    if len({tensor.device for tensor in tensors}) > 1:
        return "the tensors are on several GPUs"
    return None


def find_unsupported_part(graph: Graph) -> str | None:
    """What of a cell the GPU's kernels lack; None where they have all of it."""
    if any(isinstance(node, RowMap) for node in graph.nodes):
        return "the GPU's kernels have no sums, maxima or rearrangements of a row's units"
    if any(node.width == CONSTANT and not is_number(node) for node in graph.nodes):
        return "the GPU's kernels have no values of one number a row"
    return None


def describe() -> str:
    """This machine's GPU and what runs cells on it, as a line of text."""
    if not torch.cuda.is_available():
        return "none"
    name = torch.cuda.get_device_name()
    missing = explain_missing_triton() or _explain_device(torch.device("cuda"))
    if missing:
        return f"{name}; no kernels: {missing}"
    import triton

    return f"{name}; kernels compiled by Triton {triton.__version__}"


@lru_cache(maxsize=1)
def explain_missing_triton() -> str | None:
    """Why there is no Triton that can compile kernels; None where there is one."""
    if importlib.util.find_spec("triton") is None:
        return "Triton, which compiles kernels for GPUs, is not installed"
    import triton

    version = tuple(map(int, triton.__version__.split(".")[:2]))
    if version < MINIMUM_TRITON:
        wanted = ".".join(map(str, MINIMUM_TRITON))
        return f"Triton {triton.__version__} is older than {wanted}"
    return None


@lru_cache(maxsize=16)
def _explain_device(device: torch.device) -> str | None:
    """Why kernels are not for this GPU."""
    if torch.version.hip is not None:
        return "there are no kernels for AMD's GPUs"
    found = torch.cuda.get_device_capability(device)
    if found < MINIMUM_CAPABILITY:
        return f"the kernels need compute capability 8.0, and this GPU has {found[0]}.{found[1]}"
    return None
