"""torch's own fused layer: oneDNN or its C++ loop on a CPU, cuDNN on a GPU."""

from __future__ import annotations

from typing import Any

from torch import nn


def run_native(layer: nn.Module, kind: type[nn.RNNBase], input: Any, hx: Any) -> Any:
    """Run ``layer``'s weights through the forward of torch's class ``kind``.

    ``layer`` derives from `torch.nn.RNNBase`, so that torch's method finds all it looks for.
    """
    return kind.forward(layer, input, hx)
