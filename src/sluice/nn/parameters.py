"""The parameters of a recurrent layer: their names and shapes, and their first values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from itertools import product

import torch
from torch import Tensor, nn

from sluice.cells.cell import Cell
from sluice.equations.graph import RowMap
from sluice.equations.row_maps import explain_misfit
from sluice.equations.specs import Sizes
from sluice.nn import init
from sluice.nn.batch import States
from sluice.nn.cell_override import swap_cell
from sluice.nn.copies import flatten_parameter, list_gate_rows, replicate_cell
from sluice.nn.options import LayerOptions
from sluice.nn.places import LayerPlace, build_places, select_parameters
from sluice.nn.readout import Readout


class LayerParameters(nn.Module):
    """A module that owns the parameters of a cell for each layer and direction.

    A subclass sets torch's attributes (``input_size``, ``num_layers``, ``bias``, ``batch_first``,
    ``dropout``, ``bidirectional``) and then calls `_build`.
    """

    input_size: int
    num_layers: int
    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool

    cell: Cell
    hidden_sizes: tuple[int, ...]
    learn_initial_state: bool
    reverse: bool = False  # where a pickle of an earlier version has none
    readout: Readout | None
    #: How many copies of the layer there are; None without a dimension for them.
    copies: int | None = None

    #: Empty before `_build`: torch's constructor already calls `reset_parameters`.
    _places: tuple[LayerPlace, ...] = ()
    _text: str
    _like: Tensor | None

    def _build(self, cell: Cell, options: LayerOptions) -> None:
        """Make every parameter and draw its first value.

        Raises ValueError for sizes that the cell lacks or does not use, or heads that do not divide
        a layer's width, or options that a layer of copies lacks.
        """
        self.copies = options.copies
        self._single = (cell, options.size_layers(cell))
        self.hidden_sizes = options.hidden_sizes
        self.cell, self._sizes = replicate_cell(*self._single, options)
        self._text = self.cell.text
        if self.copies is not None:
            self._gate_rows = [list_gate_rows(cell, one, options.bias) for one in self._single[1]]
        self.learn_initial_state, self.reverse = options.learn_initial_state, options.reverse
        self._forget_bias, self._chrono = options.forget_bias, options.chrono
        _check_divisions(self.cell, self._sizes)
        self._places = build_places(self.cell, options, self._sizes)
        self._register_parameters(options)
        # What has the layer's dtype and device where nothing else has.
        has_tensors = any(place.names for place in self._places)
        like = None if has_tensors else torch.zeros(1, device=options.device, dtype=options.dtype)
        self.register_buffer("_like", like, persistent=False)
        self.reset_parameters()
        self.readout = None
        if options.output_size is not None or options.output_activation is not None:
            self.readout = Readout(
                self.output_features,
                options.output_size,
                options.output_activation or "identity",
                options.bias,
                options.device,
                options.dtype,
            )

    def _register_parameters(self, options: LayerOptions) -> None:
        """Make every parameter that torch has not made already, in the shape it should have."""
        cell, layers = self._single
        leading = () if self.copies is None else (self.copies,)
        for place in self._places:
            specs = select_parameters(cell, options.bias)
            sizes = layers[place.layer]
            shapes = [parameter.shape(sizes) for parameter in specs]
            shapes += [(sizes.of(state.width),) for state in cell.graph.states]
            fixed = {one.name + place.suffix for one in specs if not one.learned}
            for name, own in zip(place.names, shapes, strict=False):
                shape = (*leading, *own)
                present = getattr(self, name, None)
                if present is None or present.shape != shape:
                    data = torch.empty(shape, device=options.device, dtype=options.dtype)
                    if name in fixed:
                        self.register_buffer(name, data)
                    else:
                        setattr(self, name, nn.Parameter(data))

    def reset_parameters(self) -> None:
        """Draw all parameters again: as torch does, and as the named options ask.

        Of a layer of copies those of the first copy are drawn first, then those of the second.
        """
        for copy in range(self.copies or 1):
            for place in self._places:
                self._reset_place(place, copy)

    def _reset_place(self, place: LayerPlace, copy: int) -> None:
        cell, layers = self._single
        sizes, tensors = layers[place.layer], {name: getattr(self, name) for name in place.names}
        if self.copies is not None:
            tensors = {name: tensor[copy] for name, tensor in tensors.items()}
        own = {n.removesuffix(place.suffix): tensors[n] for n in place.parameter_names}
        init.init_parameters(cell, sizes, own)
        if self._forget_bias is not None:
            init.init_forget_bias(cell, sizes, own, self._forget_bias)
        if self._chrono is not None:
            init.init_chrono(cell, sizes, own, self._chrono)
        for name, state in zip(place.initial_state_names, cell.graph.states, strict=False):
            nn.init.constant_(tensors[name], state.initial)

    @property
    def directions(self) -> int:
        """1, or 2 for a bidirectional layer."""
        return 2 if self.bidirectional else 1

    @property
    def output_features(self) -> int:
        """How wide the last layer's output is, both directions together, before any readout."""
        return self.directions * sum(map(self._sizes[-1].of, self.cell.graph.output_widths))

    @property
    def sizes(self) -> tuple[Sizes, ...]:
        """The sizes of each layer."""
        return self._sizes

    def _get_tensors(self, names: Sequence[str]) -> list[Tensor]:
        return [getattr(self, name) for name in names]

    def _read_place(self, place: LayerPlace) -> tuple[list[Tensor], list[Tensor]]:
        """The parameters and the initial states of a place, those of all copies in one."""
        names = (place.parameter_names, place.initial_state_names)
        parameters, states = map(self._get_tensors, names)
        if self.copies is None:
            return parameters, states
        return self._flatten_place(place, parameters), [state.flatten() for state in states]

    def _flatten_place(self, place: LayerPlace, parameters: Sequence[Tensor]) -> list[Tensor]:
        pairs = zip(parameters, self._gate_rows[place.layer], strict=True)
        return [flatten_parameter(tensor, rows) for tensor, rows in pairs]

    def flatten_copies(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """All tensors of a layer of copies, its parameters first, as those of one wide layer."""
        found, start = list[Tensor](), 0
        for place in self._places:
            end = start + len(place.parameter_names)
            found += self._flatten_place(place, tensors[start:end])
            start = end
        return found + [state.flatten() for state in tensors[start:]]

    def _list_tensors(self) -> list[Tensor]:
        """The tensors that the time loops read; where there is none, one like the rest."""
        names = [name for place in self._places for name in place.names]
        return self._get_tensors(names or ["_like"])

    def _expand_initial_states(self, x: Tensor) -> States:
        """The layer's own initial states, learned or the cell's, for a batch like ``x``."""
        batch, found = x.shape[1], []
        for place in self._places:
            _, learned = self._read_place(place)
            pairs = zip(place.state_widths(self.cell), self.cell.graph.states, strict=True)
            rows = [state.to(x.dtype).expand(batch, -1) for state in learned]
            rows = rows or [x.new_full((batch, width), state.initial) for width, state in pairs]
            found.append(tuple(rows))
        return found

    def get_layer_parameters(self, place: int) -> tuple[Tensor, ...]:
        """The tensors of one layer in one direction, detached, in the graph's order."""
        return tuple(t.detach() for t in self._read_place(self._places[place])[0])

    def get_initial_states(self) -> States:
        """The initial states of each layer and direction, ``(1, width)`` each."""
        like = self._list_tensors()[0].detach()
        return [
            tuple(state.detach().clone() for state in states)
            for states in self._expand_initial_states(like.new_empty(1, 1, self.input_size))
        ]

    def swap_cell(
        self, cell: Cell, extra_parameters: Sequence[Mapping[str, Tensor]] = ()
    ) -> AbstractContextManager[None]:
        """Run another cell with this layer's parameters inside a ``with`` block.

        ``extra_parameters`` holds, for each layer and direction, the parameters that the cell has
        beyond this layer's own.

        Raises:
            ValueError: the cell's other parameters, or its states, are not this layer's.
        """
        return swap_cell(self, cell, extra_parameters)


def _check_divisions(cell: Cell, layer_sizes: Sequence[Sizes]) -> None:
    """Refuse sizes that the heads of maps, or the groups of a row's units, do not divide."""
    row_maps = [node for node in cell.graph.nodes if isinstance(node, RowMap)]
    for node, sizes in product(row_maps, layer_sizes):
        misfit = explain_misfit(node.op, sizes.of(node.operand.width), sizes.of(node.width))
        if misfit:
            raise ValueError(f"{cell.name}'s {node.op} does not fit these sizes: {misfit}")
    for stack in cell.graph.stacks:
        for name in {stack.operand, *(width for _, width in stack.gates)}:
            for width in (sizes.of(name) for sizes in layer_sizes):
                if width % stack.heads:
                    raise ValueError(
                        f"the units must be a multiple of the {stack.heads} heads, got {width}"
                    )
