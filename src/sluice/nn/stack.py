"""Layers × directions: what every recurrent module does around its cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from sluice.cells.cell import Cell
from sluice.equations.specs import MaskSpec, ParameterSpec, Sizes
from sluice.equations.text import from_text
from sluice.nn import init, states
from sluice.nn.batch import PaddedInput, States, cast_for_autocast, is_autocast_enabled, pad_input
from sluice.nn.cell_override import swap_cell
from sluice.nn.readout import Readout
from sluice.nn.settings import LayerSettings
from sluice.nn.stream import Stream
from sluice.run import checkpointing, chunked_recording, custom_op, reference
from sluice.run.dispatch import FUSED, NATIVE, OPERATOR, BackendChoice, choose_backend, warn_if_slow
from sluice.run.kernels import fused
from sluice.run.recording import recorders
from sluice.run.spec import RunSpec
from sluice.run.torch_native import run_native as run_native


class RecurrentStack(LayerSettings, nn.Module):
    """The part shared by `Recurrent` and the drop-in layers.

    A subclass sets torch's attributes (``input_size``, ``num_layers``, ``bias``, ``batch_first``,
    ``dropout``, ``bidirectional``) and then calls `_setup`.
    """

    input_size: int
    num_layers: int
    bias: bool
    batch_first: bool
    dropout: float
    bidirectional: bool

    #: The forward of torch's own layer, where the subclass has one.
    native: type[nn.RNNBase] | None = None
    readout: Readout | None

    def _setup(
        self,
        cell: Cell,
        hidden_sizes: Sequence[int],
        proj_size: int,
        *,
        learn_initial_state: bool,
        forget_bias: float | None,
        chrono: float | None,
        output_size: int | None,
        output_activation: str | None,
        recompute: int | None,
        device: Any,
        dtype: Any,
    ) -> None:
        self.cell = cell
        self.hidden_sizes = tuple(hidden_sizes)
        self.learn_initial_state = learn_initial_state
        self.forget_bias, self.chrono = forget_bias, chrono
        self.recompute = recompute
        self._text, self._state_names = cell.text, [s.name for s in cell.graph.states]
        self._has_projection = any(s.width == "projection" for s in cell.graph.states)
        self._check_projection(proj_size)
        self._sizes = self._layer_sizes(proj_size)
        self._check_heads()
        self._register_parameters(device, dtype)
        self.reset_parameters()
        self.readout = None
        if output_size is not None or output_activation is not None:
            kind, features = output_activation or "identity", self.output_features
            self.readout = Readout(features, output_size, kind, self.bias, device, dtype)

    def _check_projection(self, proj_size: int) -> None:
        if self._has_projection != (proj_size > 0):
            need = "needs" if self._has_projection else "has no projection and takes no"
            raise ValueError(f"{self.cell.name} {need} proj_size; got proj_size={proj_size}")

    def _check_heads(self) -> None:
        for stack in self.cell.graph.stacks:
            for sizes in self._sizes:
                width = sizes.of(stack.operand)
                if width % stack.heads:
                    raise ValueError(f"{width} units do not divide into {stack.heads} heads")

    @property
    def directions(self) -> int:
        """1, or 2 for a bidirectional layer."""
        return 2 if self.bidirectional else 1

    @property
    def output_features(self) -> int:
        """How wide the last layer's output is, both directions together, before any readout."""
        return self.directions * self._sizes[-1].of(self.cell.graph.states[0].width)

    def _layer_sizes(self, proj_size: int) -> list[Sizes]:
        width, found = self.input_size, []
        for hidden in self.hidden_sizes:
            found.append(Sizes(width, hidden, proj_size))
            width = self.directions * (proj_size or hidden)
        return found

    def _layer_suffixes(self) -> list[tuple[int, str]]:
        """Each layer and direction as (layer, suffix of its parameters)."""
        suffixes = ("", "_reverse")[: self.directions]
        return [(k, f"_l{k}{suffix}") for k in range(self.num_layers) for suffix in suffixes]

    def _register_parameters(self, device: Any, dtype: Any) -> None:
        """Make every parameter that torch has not made already, in the shape it should have."""
        self._names: list[list[str]] = []
        self._initial_names: list[list[str]] = []
        for layer, suffix in self._layer_suffixes():
            sizes = self._sizes[layer]
            for parameter in self._select_parameters(self.cell):
                self._register_parameter(
                    parameter.name + suffix, parameter.shape(sizes), device, dtype
                )
            self._names.append([p.name + suffix for p in self._select_parameters(self.cell)])
            initial = [f"initial_{s}{suffix}" for s in self._state_names]
            self._initial_names.append(initial if self.learn_initial_state else [])
            if self.learn_initial_state:
                for name, state in zip(initial, self.cell.graph.states, strict=True):
                    self._register_parameter(name, (sizes.of(state.width),), device, dtype)

    def _select_parameters(self, cell: Cell) -> list[ParameterSpec]:
        return [p for p in cell.graph.parameters if self.bias or not p.is_bias]

    def _register_parameter(
        self, name: str, shape: tuple[int, ...], device: Any, dtype: Any
    ) -> None:
        present = getattr(self, name, None)
        if present is None or present.shape != shape:
            setattr(self, name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))

    def reset_parameters(self) -> None:
        """Draw all parameters anew: as torch does, and as the named options ask."""
        if not hasattr(self, "_initial_names"):
            return  # torch's constructor calls this before the layers are set up
        for place, (layer, suffix) in enumerate(self._layer_suffixes()):
            sizes = self._sizes[layer]
            own = {n.removesuffix(suffix): getattr(self, n) for n in self._names[place]}
            init.init_parameters(self.cell, sizes, own)
            if self.forget_bias is not None:
                init.init_forget_bias(self.cell, sizes, own, self.forget_bias)
            if self.chrono is not None:
                init.init_chrono(self.cell, sizes, own, self.chrono)
            states = zip(self._initial_names[place], self.cell.graph.states, strict=False)
            for name, state in states:
                nn.init.constant_(getattr(self, name), state.initial)

    @property
    def resolved_backend(self) -> BackendChoice:
        """Which backend a plain call runs on now, and why; ``str()`` of it is one sentence."""
        return choose_backend(
            self._list_tensors(), self._find_torch_obstacle(None, None, None), self.backend
        )

    def _list_tensors(self) -> list[Tensor]:
        """The tensors that the time loops read."""
        groups = (*self._names, *self._initial_names)
        return [getattr(self, name) for names in groups for name in names]

    def _find_torch_obstacle(self, lengths: Any, resets: Any, input: Any) -> str | None:
        """What is asked for that torch's own layer does not offer."""
        recorded = recorders.is_recorded(self)
        if self.native is None:
            return f"the cell {self.cell.name}"
        if recorded:
            return "recordings"
        if lengths is not None or resets is not None:
            return "lengths= and resets="
        if self.recompute is not None:
            return "recompute="
        if len(set(self.hidden_sizes)) > 1:
            return "layers of different sizes"
        cast = isinstance(input, Tensor) and is_autocast_enabled(input)
        if cast and not input.is_cuda and self.native is not nn.LSTM:
            return "autocast of this cell on a CPU"
        return None

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Any = None,
        lengths: Tensor | None = None,
        resets: Tensor | PackedSequence | None = None,
    ) -> tuple[Any, Any]:
        """Run over time, as `torch.nn.LSTM.forward` does.

        Args:
            input: ``(time, batch, input)``; ``(batch, time, input)`` with ``batch_first``;
                ``(time, input)`` for one sequence; or a `PackedSequence`.
            hx: The states before the first step, ``(layers × directions, batch, width)``, as a
                tuple where the cell has several; for layers of different sizes a tuple of
                ``(batch, width)`` for each layer and direction in place of each tensor.
            lengths: How many steps of each sequence count, ``(batch,)``, integers, zeros allowed.
                Outputs beyond are zero and the states are those of the last step that counts.
            resets: Boolean, laid out as the input is: a new sequence starts here. No state and no
                gradient crosses, in either direction; the state restarts from the layer's initial
                one, zero or learned, not from ``hx``.

        Returns:
            The output, laid out as the input is, and the last states, as ``hx`` is laid out.

        Raises:
            ValueError: the input has the wrong number of dimensions or another dtype than the
                weights; ``lengths`` or ``resets`` do not fit the input.
            RuntimeError: the input or ``hx`` has the wrong size; ``hx`` has another dtype than the
                input, or is on another device.
        """
        tensor = input.data if isinstance(input, PackedSequence) else input
        beyond = self._find_torch_obstacle(lengths, resets, tensor)
        choice = choose_backend((tensor, *self._list_tensors()), beyond, self.backend)
        warn_if_slow(choice, tensor, self.precision, self.recompute)
        if choice.name == NATIVE and self.native is not None:
            output, last = run_native(self, self.native, input, self._native_states(input, hx))
            return self._apply_readout(output), last
        batch = pad_input(type(self).__name__, input, lengths, resets, self.batch_first)
        self._check_input(batch.x)
        given = (
            self._expand_initial_states(batch.x)
            if hx is None
            else states.split_states(hx, self._state_widths(), batch)
        )
        if is_autocast_enabled(batch.x):
            batch, given = cast_for_autocast(batch, given)
            states.check_states(given, batch.x)
            with torch.autocast(batch.x.device.type, enabled=False):
                y, finals = self._run_layers(batch, given, choice.name)
        else:
            states.check_states(given, batch.x)
            y, finals = self._run_layers(batch, given, choice.name)
        return self._apply_readout(batch.restore(y)), states.join_states(finals, batch)

    def _check_input(self, x: Tensor) -> None:
        if x.shape[-1] != self.input_size:
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. "
                f"Expected {self.input_size}, got {x.shape[-1]}"
            )
        dtype = getattr(self, self._names[0][0]).dtype
        if x.dtype != dtype and not is_autocast_enabled(x):
            raise ValueError(
                f"{type(self).__name__} input dtype ({x.dtype}) does not match weight dtype "
                f"({dtype}). Convert input: input.to({dtype}), or convert model: "
                f"model.to({x.dtype})"
            )

    def _state_widths(self) -> list[tuple[int, ...]]:
        """The widths of the states of each place."""
        declared = self.cell.graph.states
        sizes = [self._sizes[layer] for layer, _ in self._layer_suffixes()]
        return [tuple(s.of(state.width) for state in declared) for s in sizes]

    def _expand_initial_states(self, x: Tensor) -> States:
        """The layer's own initial states, learned or the cell's, for a batch like ``x``."""
        found = []
        values = [state.initial for state in self.cell.graph.states]
        for place, widths in enumerate(self._state_widths()):
            names = self._initial_names[place]
            rows = [getattr(self, name).to(x.dtype).expand(x.shape[1], -1) for name in names] or [
                x.new_full((x.shape[1], width), value)
                for width, value in zip(widths, values, strict=True)
            ]
            found.append(tuple(rows))
        return found

    def _native_states(self, input: Tensor | PackedSequence, hx: Any) -> Any:
        """What torch's own layer is to start from: ``hx``, or the learned states."""
        if hx is not None or not self.learn_initial_state:
            return hx
        batch = pad_input(type(self).__name__, input, None, None, self.batch_first)
        return states.join_states(self._expand_initial_states(batch.x), batch)

    def _apply_readout(self, output: Any) -> Any:
        if self.readout is None:
            return output
        if isinstance(output, PackedSequence):
            return output._replace(data=self.readout(output.data))
        return self.readout(output)

    def _run_layers(
        self, batch: PaddedInput, states: States, backend: str
    ) -> tuple[Tensor, States]:
        y = batch.x
        finals: States = []
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(self.directions):
                place = layer * self.directions + direction
                out, last = self._run_direction(batch, y, place, states[place], backend)
                outputs.append(out)
                finals.append(last)
            y = torch.cat(outputs, dim=-1) if len(outputs) > 1 else outputs[0]
            if self.dropout > 0 and self.training and layer < self.num_layers - 1:
                y = batch.dropout(y, self.dropout)
        return y, finals

    def _run_direction(
        self, batch: PaddedInput, x: Tensor, place: int, states: tuple[Tensor, ...], backend: str
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One layer in one direction."""
        sizes = self._sizes[place // self.directions]
        own = [getattr(self, name) for name in self._names[place]]
        parameters = [p if p.dtype is x.dtype else p.to(x.dtype) for p in own]
        restart = [getattr(self, name).to(x.dtype) for name in self._initial_names[place]]
        masks = [
            draw_mask(mask, x, sizes.of(mask.width), self.training)
            for mask in self.cell.graph.masks
        ]
        reverse = place % self.directions == 1
        if backend == OPERATOR:
            plain = [sizes.input, sizes.hidden, sizes.projection]
            marks = (batch.lengths, batch.resets, restart, reverse)
            found = custom_op.run(self._text, plain, x, states, parameters, masks, *marks)
            return found[0], tuple(found[1:])
        dtype = x.dtype
        if backend == FUSED and dtype == torch.bfloat16:  # autocast: its sums are in float32
            x, states = x.float(), tuple(state.float() for state in states)
            parameters, restart = [p.float() for p in parameters], [r.float() for r in restart]
            masks = [mask.float() for mask in masks]
        job = RunSpec(
            from_text(self._text),
            sizes,
            x,
            states,
            tuple(parameters),
            tuple(masks),
            batch.lengths,
            batch.resets,
            tuple(restart) or None,
            reverse,
        )
        job, kept = recorders.begin_recording(self, place, job, batch.unsorted_indices)
        if backend != FUSED or not fused.supports(job):
            if kept is not None:  # which keeps all steps, whatever `recompute` says
                return reference.run(job, kept)
            return checkpointing.run_with_recompute(job, self.recompute, reference.run)
        narrow = dtype == torch.bfloat16
        precision = "bfloat16" if narrow else self._choose_precision(dtype)
        run = partial(fused.run, precision=precision)
        shared = partial(fused.make_runner, precision=precision)
        if kept is not None:
            y, last = chunked_recording.run_in_chunks(job, run, kept)
        else:
            y, last = checkpointing.run_with_recompute(job, self.recompute, run, shared)
        return y.to(dtype), tuple(state.to(dtype) for state in last)

    def _choose_precision(self, dtype: torch.dtype) -> str:
        if dtype == torch.float64:
            return "float64"
        if self.precision == "int8" and self.training:
            raise RuntimeError(
                "int8 weights are for evaluation; call eval() first, or train with "
                'precision = "bfloat16" or "float32"'
            )
        return self.precision

    @property
    def sizes(self) -> tuple[Sizes, ...]:
        """The sizes of each layer."""
        return tuple(self._sizes)

    def get_layer_parameters(self, place: int) -> tuple[Tensor, ...]:
        """One layer's tensors (in one direction), detached, in the graph's order."""
        return tuple(getattr(self, name).detach() for name in self._names[place])

    def get_initial_states(self) -> States:
        """The initial states of each layer and direction, ``(1, width)`` each."""
        like = getattr(self, self._names[0][0]).detach()
        return [
            tuple(state.detach().clone() for state in place)
            for place in self._expand_initial_states(like.new_empty(1, 1, self.input_size))
        ]

    def swap_cell(
        self, cell: Cell, extra_parameters: Sequence[Mapping[str, Tensor]] = ()
    ) -> AbstractContextManager[None]:
        """Run another cell with this layer's parameters inside a ``with`` block.

        ``extra`` gives, for each layer and direction, the parameters that the cell has beyond
        this layer's own. Raises ValueError for a cell whose parameters and states are others.
        """
        return swap_cell(self, cell, extra_parameters)

    def stream(self, batch_size: int = 1) -> Stream:
        """This layer one step at a time, with its state kept; see `Stream`.

        Raises ValueError for a bidirectional layer, which would need the future.
        """
        return Stream(self, batch_size)


def draw_mask(mask: MaskSpec, x: Tensor, width: int, training: bool) -> Tensor:
    """A mask for ``x`` (time, batch, input), from torch's generator while training."""
    if not training:
        return torch.full((1, 1, 1), mask.eval_value, dtype=x.dtype, device=x.device)
    steps = 1 if mask.shared else x.shape[0]
    dropped = torch.rand((steps, x.shape[1], width), device=x.device) < mask.rate
    kept = torch.full((), mask.keep_value, dtype=x.dtype, device=x.device)
    return torch.where(dropped, torch.full_like(kept, mask.drop_value), kept)
