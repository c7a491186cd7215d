"""What a unit did with its memory at each step: its value, and the operations under it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from sluice.insight.plots import data
from sluice.insight.plots.canvas import Canvas, document_plot
from sluice.insight.plots.style import NORMAL, SMALL

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from sluice.insight.measures.memory_operations import MemoryOperations


@document_plot
def plot_memory_operations(
    operations: MemoryOperations,
    state: Tensor,
    *,
    unit: int,
    sequence: int = 0,
    tokens: Sequence[str] | None = None,
    title: str | None = None,
    theme: str = "light",
) -> Figure:
    """A unit's state over time, and below it which memory operations its gates do at each step.

    Args:
        operations: What `sluice.insight.classify_memory_operations` gives.
        state: The state that it is about, ``(time, batch, hidden)``: ``tape.c`` of an LSTM.
        unit: Which unit.
        sequence: Which sequence of the batch.
        tokens: What was read at each step, written under the steps.

    Raises:
        ValueError: the state is not of the operations' shape, or not finite; another number of
            tokens than steps.
        IndexError: there is no such unit or sequence.

    Example:
        >>> import torch, sluice
        >>> layer = sluice.nn.LSTM(3, 8)
        >>> with sluice.record(layer) as tape:
        ...     y, _ = layer(torch.randn(12, 2, 3))
        >>> found = sluice.insight.classify_memory_operations(tape, shut=0.4, open=0.6)
        >>> picture = sluice.insight.plots.plot_memory_operations(found, tape.c, unit=3)
        >>> [label.get_text() for label in picture.axes[1].get_yticklabels()]
        ['store', 'keep', 'delete', 'load']
    """
    if state.shape != operations.store.shape:
        raise ValueError(
            "the state must have the shape of the operations, "
            f"{tuple(operations.store.shape)}, got {tuple(state.shape)}"
        )
    if not 0 <= unit < state.shape[2]:
        raise IndexError(f"unit must be from 0 to {state.shape[2] - 1}, got {unit}")
    values = data.load_values({operations.memory: state}, None, sequence)[operations.memory]
    labels = data.format_tokens(tokens, len(values))
    rows = {
        name: found
        for name in ("store", "keep", "delete", "load")
        if (found := getattr(operations, name)) is not None
    }
    canvas = Canvas(theme, max(4.5, 1.2 + 0.24 * len(values)), 3.4)
    panels = canvas.add_panels(2, 1, title=title, share_x=True, heights=[1.1, 1.0])
    (above,), (below,) = panels
    look, steps = canvas.theme, np.arange(len(values))
    canvas.style_axes(above, "", f"{operations.memory} of unit {unit}")
    above.axhline(0, color=look.grid, linewidth=0.8)
    above.plot(steps, values[:, unit], color=look.lines[0], drawstyle="steps-mid", linewidth=1.6)
    canvas.style_axes(below, "" if labels else "step", "")
    for row, (name, found) in enumerate(rows.items()):
        done = np.flatnonzero(found[:, sequence, unit].cpu().numpy())
        below.scatter(done, np.full(len(done), row), marker="s", s=52, linewidths=0,
                      color=look.lines[row % len(look.lines)], label=name)  # fmt: skip
    below.set_yticks(range(len(rows)), list(rows), fontsize=NORMAL)
    below.set_ylim(len(rows) - 0.5, -0.5)
    below.set_xlim(-0.6, len(values) - 0.4)
    below.tick_params(axis="y", length=0)
    below.grid(axis="y", color=look.grid, linewidth=0.6)
    below.set_axisbelow(True)
    if labels:
        below.set_xticks(steps, labels, fontsize=SMALL, rotation=90)
        above.tick_params(axis="x", length=0)
    return canvas.figure
