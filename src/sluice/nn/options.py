"""What a recurrent layer is built from: torch's arguments, and those beyond torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.types import Device

from sluice.cached import cached_property
from sluice.cells.cell import Cell
from sluice.equations.specs import PROJECTION, Sizes


@dataclass(frozen=True)
class LayerOptions:
    """The arguments of a layer's constructor, torch's first and in torch's order.

    `sluice.nn.Recurrent` says what each means.

    Example:
        >>> from sluice.cells import LSTM
        >>> LayerOptions(3, [8, 4], bidirectional=True).size_layers(LSTM())[1].input
        16
    """

    input_size: int
    hidden_size: int | Sequence[int]
    num_layers: int = 1
    bias: bool = True
    batch_first: bool = False
    dropout: float = 0.0
    bidirectional: bool = False
    proj_size: int = 0
    device: Device = None
    dtype: torch.dtype | None = None
    learn_initial_state: bool = False
    forget_bias: float | None = None
    chrono: float | None = None
    output_size: int | None = None
    output_activation: str | None = None
    recompute: int | None = None
    sizes: Mapping[str, int] | None = None
    copies: int | None = None
    reverse: bool = False

    def __post_init__(self) -> None:
        """Raises ValueError for a layer that reads in both directions and in one alone."""
        if self.reverse and self.bidirectional:
            raise ValueError(
                "reverse=True is a layer that reads from the end alone; bidirectional=True has one "
                "of them beside the other: leave reverse= out"
            )

    @cached_property
    def hidden_sizes(self) -> tuple[int, ...]:
        """The hidden size of each layer.

        Raises ValueError where ``hidden_size`` and ``num_layers`` disagree.
        """
        if not isinstance(self.hidden_size, Sequence):
            if self.num_layers <= 0:
                raise ValueError("num_layers must be greater than zero")
            return (self.hidden_size,) * self.num_layers
        if self.num_layers not in (1, len(self.hidden_size)) or not self.hidden_size:
            raise ValueError(
                f"hidden_size names {len(self.hidden_size)} layers but num_layers is "
                f"{self.num_layers}; leave num_layers out"
            )
        return tuple(self.hidden_size)

    @property
    def directions(self) -> int:
        """1, or 2 for a bidirectional layer."""
        return 2 if self.bidirectional else 1

    def size_layers(self, cell: Cell) -> tuple[Sizes, ...]:
        """The sizes of each layer of ``cell``: a layer's input is the output of the one before.

        Raises ValueError for a size that the cell needs and is not given, or does not use.
        """
        named, width, found = resolve_sizes(cell, self.sizes), self.input_size, []
        _check_projection(cell, self.proj_size)
        for hidden in self.hidden_sizes:
            sizes = Sizes(width, hidden, self.proj_size, named)
            width = self.directions * sum(map(sizes.of, cell.graph.output_widths))
            found.append(sizes)
        return tuple(found)

    @property
    def torch_arguments(self) -> tuple[int, int, int, bool, bool, float, bool, int]:
        """The arguments of `torch.nn.RNNBase` after the mode; the smallest layer stands for all."""
        return (
            self.input_size,
            min(self.hidden_sizes),
            len(self.hidden_sizes),
            self.bias,
            self.batch_first,
            self.dropout,
            self.bidirectional,
            self.proj_size,
        )


def resolve_sizes(cell: Cell, given: Mapping[str, int] | None) -> dict[str, int]:
    """The size of each of the cell's own widths: as given, else as the cell says itself.

    Raises ValueError for one that is missing, unknown, or no number of units.
    """
    found, names = {**cell.sizes, **(given or {})}, cell.graph.own_sizes
    for name, size in found.items():
        if name not in names:
            known = f"the widths of its own are {', '.join(names)}" if names else "it has none"
            raise ValueError(f"sizes= names '{name}', which is no width of {cell.name}: {known}")
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ValueError(f"the size of '{name}' must be a number of units, got {size!r}")
    missing = [name for name in names if name not in found]
    if missing:
        wanted = ", ".join(f"{name}=..." for name in missing)
        raise ValueError(
            f"{cell.name} has widths of its own, {', '.join(names)}; give their sizes: "
            f"sizes=dict({wanted})"
        )
    return found


def _check_projection(cell: Cell, proj_size: int) -> None:
    if (PROJECTION in cell.graph.width_names) != (proj_size > 0):
        if proj_size:
            raise ValueError(
                f"{cell.name} has no projection and takes no proj_size; got proj_size={proj_size}"
            )
        raise ValueError(
            f"{cell.name} has values of width 'projection' and needs proj_size=, their number of "
            "units; got proj_size=0"
        )
