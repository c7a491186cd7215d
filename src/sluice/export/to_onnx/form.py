"""How a layer or a model is exported."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LayerForm:
    """How a layer or a model is exported: one step or many, what marks it reads, int8 weights."""

    stream: bool = False
    lengths: bool = False
    resets: bool = False
    int8: bool = False
