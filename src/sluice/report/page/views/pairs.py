"""A sequence and what it is mapped to, with the attention between them."""

from __future__ import annotations

from sluice.report.page.forward import ForwardRecord
from sluice.report.page.pack import pack_tensor
from sluice.report.page.view_inputs import PairsView


def pack_pairs(view: PairsView, forward: ForwardRecord, sequence: int) -> dict[str, object]:
    """Source and target tokens, and attention weights ``(target, source)``.

    Target tokens are those that each step of the decoder is to give; what it reads is the one
    before. ``sourceAxis`` is None where no layer steps along the source.
    """
    start, stop = forward.window
    axes = list(forward.windows)
    weights = forward.attention
    return {
        "kind": "pairs",
        "source": list(view.sources[sequence]),
        "target": list(view.targets[sequence][start:stop]),
        "sourceAxis": axes.index("source") if "source" in axes else None,
        "targetAxis": axes.index("target"),
        "attention": None if weights is None else pack_tensor(weights[start:stop]),
    }
