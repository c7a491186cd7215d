"""Kernels of programs: their text, loaded as Triton functions once for each size."""

from __future__ import annotations

import hashlib
import linecache
import types
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sluice.codegen.gpu.kernel import emit_kernel
from sluice.codegen.gpu.layout import KernelShape
from sluice.codegen.gpu.layout import TileShape as TileShape
from sluice.codegen.lower import lower_graph
from sluice.equations.graph import Graph
from sluice.equations.specs import Sizes

_functions: dict[str, Any] = {}


@dataclass(frozen=True)
class KernelKey:
    """What a kernel is made for; see `KernelShape`."""

    graph: Graph
    sizes: Sizes
    has_bias: bool
    gradient_names: tuple[str, ...]
    part: str
    tile: TileShape
    is_resident: bool
    is_narrow: bool
    element_bytes: int


@dataclass(frozen=True)
class KernelSource:
    """A kernel's text, and the names of the tensors that it takes."""

    shape: KernelShape
    source: str
    arguments: tuple[str, ...]


@dataclass(frozen=True)
class Kernel:
    """A kernel as a Triton function."""

    shape: KernelShape
    arguments: tuple[str, ...]
    function: Any


def load_source(key: KernelKey) -> KernelSource:
    """The text of the kernel for ``key``."""
    program = lower_graph(key.graph, key.has_bias, key.gradient_names)
    shape = KernelShape(
        key.graph,
        key.sizes,
        program,
        key.part,
        key.has_bias,
        key.tile,
        key.is_resident,
        key.is_narrow,
        key.element_bytes,
    )
    return KernelSource(shape, *emit_kernel(shape))


@lru_cache(maxsize=256)
def load_kernel(key: KernelKey) -> Kernel:
    """The kernel for ``key``, loaded once. Triton compiles it at its first call."""
    found = load_source(key)
    return Kernel(found.shape, found.arguments, _load_function(found.source))


def _load_function(source: str) -> Any:
    """The function ``kernel`` of a source. Triton reads the text again, through `linecache`."""
    if source not in _functions:
        name = f"<sluice kernel {hashlib.sha256(source.encode()).hexdigest()[:16]}>"
        linecache.cache[name] = (len(source), None, source.splitlines(True), name)
        module = types.ModuleType("sluice_kernel")
        exec(compile(source, name, "exec"), module.__dict__)
        _functions[source] = module.__dict__["kernel"]
    return _functions[source]
