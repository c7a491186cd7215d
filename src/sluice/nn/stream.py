"""A layer one step at a time, with its state kept."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

import torch
from torch import Tensor, empty_like

from sluice.cells.cell import Cell
from sluice.equations.evaluation import EvaluationSchedule, TensorInterpreter, Values
from sluice.equations.graph import Graph, Leaf, X
from sluice.equations.specs import Sizes
from sluice.nn.batch import States
from sluice.nn.named_inputs import read_step_inputs
from sluice.nn.readout import Readout
from sluice.nn.stream_recording import FusedStepRunner, record_step
from sluice.run.dispatch import BackendChoice
from sluice.run.kernels.encode import as_memory
from sluice.run.kernels.stepper import LayerWeights, PackedLayers, Stepper
from sluice.run.recording import recorders
from sluice.run.recording.sinks import ValueReader
from sluice.run.shapes import check_parameters
from sluice.run.spec import RunSpec, join_output, map_parameters_by_name

KernelStep: TypeAlias = Callable[[int, int], object]
"""A step on the kernels, from the address of the input to that of the output."""


class StreamableLayer(Protocol):
    """What a stream needs of a layer."""

    cell: Cell
    input_size: int
    reverse: bool
    readout: Readout | None

    @property
    def resolved_backend(self) -> BackendChoice: ...

    @property
    def precision(self) -> str: ...

    @property
    def directions(self) -> int: ...

    @property
    def sizes(self) -> tuple[Sizes, ...]: ...

    def get_layer_parameters(self, place: int) -> tuple[Tensor, ...]: ...

    def get_initial_states(self) -> States: ...


class Stream:
    """Runs a layer step by step: ``y = stream(x)``, as in evaluation, without gradients.

    A stream holds its own copy of the weights, taken when it is made and at `refresh`: later
    changes of the layer do not reach it before that. Where the layer's backend is ``fused``, a
    step runs on the kernels, in the layer's `precision`, and allocates nothing but the result;
    one stream is not for several threads at once.

    Args:
        layer: The layer; not bidirectional.
        batch_size: How many sequences run side by side.

    Example:
        >>> import sluice, torch
        >>> stream = sluice.nn.LSTM(3, 8).stream(batch_size=2)
        >>> stream(torch.zeros(2, 3)).shape
        torch.Size([2, 8])
    """

    def __init__(self, layer: StreamableLayer, batch_size: int = 1) -> None:
        if layer.directions == 2:
            raise ValueError(
                "a bidirectional layer reads its input from the end as well, so it cannot run "
                "step by step; make it with bidirectional=False"
            )
        if layer.reverse:
            raise ValueError("a layer with reverse=True reads from the end, not step by step")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        self._layer, self.batch_size = layer, batch_size
        self._engine: Stepper | _ReferenceStepper | None = None
        self._fast_step: KernelStep | None = None
        self._kernel_step: KernelStep | None = None
        self._precision = ""
        self._recorder: FusedStepRunner | None = None
        self._is_recording = False
        self.refresh()
        self.reset()
        recorders.subscribe(self)

    def refresh(self) -> None:
        """Take the layer's weights as they are now; the state stays."""
        kept = self._engine and self._engine.read()
        layer = self._layer
        self._graph = layer.cell.graph
        layers = [
            LayerWeights(layer.cell.graph, sizes, layer.get_layer_parameters(place))
            for place, sizes in enumerate(layer.sizes)
        ]
        for one in layers:
            check_parameters(one.graph, one.sizes, one.parameters)
        self._readout = copy.deepcopy(layer.readout)
        self._initial = layer.get_initial_states()
        self._dtype = self._initial[0][0].dtype
        self._in_shape = (self.batch_size, layer.input_size)
        widths = map(layers[-1].sizes.of, layers[-1].graph.output_widths)
        self._out_shape = (self.batch_size, sum(widths))
        self._output_template = torch.empty(self._out_shape, dtype=self._dtype)
        if layer.resolved_backend.has_step_kernels:
            narrow = self._dtype == torch.float32
            precision = layer.precision if narrow else "float64"
            self._engine = Stepper(PackedLayers(layers, precision), self.batch_size)
            self._kernel_step, self._precision = self._engine.step, precision
        else:
            self._engine, self._kernel_step = _ReferenceStepper(layers), None
        self._layers, self._recorder = layers, None
        self.on_recording_change(self._is_recording)
        if kept:
            self._engine.write(kept)

    def on_recording_change(self, any_active: bool) -> None:
        """Whether anything is recorded now, anywhere in the process."""
        self._is_recording = any_active
        # Where nothing follows the kernels or comes beside x, and nobody watches, a step is theirs.
        is_alone = self._readout is None and not self._graph.inputs and not any_active
        self._fast_step = self._kernel_step if is_alone else None

    @property
    def layer(self) -> StreamableLayer:
        """The layer that runs step by step."""
        return self._layer

    def reset(self, rows: Tensor | None = None) -> None:
        """Restart from the layer's initial state.

        Args:
            rows: Which sequences of the batch, boolean ``(batch,)`` or indices; None for all.
        """
        fresh = [
            tuple(row.expand(self.batch_size, -1).clone() for row in states)
            for states in self._initial
        ]
        assert self._engine is not None
        if rows is not None:
            now = self._engine.read()
            for old, new in zip(now, fresh, strict=True):
                for kept, initial in zip(old, new, strict=True):
                    kept[rows] = initial[rows]
            fresh = now
        self._engine.write(fresh)

    def rearrange(self, rows: Tensor) -> None:
        """Give each sequence b of the batch the state that sequence ``rows[b]`` has, as beams need.

        Args:
            rows: Indices (batch,), int64; one may stand there several times.

        Raises:
            ValueError: another shape or dtype, or a row that is not there.
        """
        if rows.shape != (self.batch_size,) or rows.dtype != torch.int64:
            raise ValueError(
                f"rows must be int64 of shape ({self.batch_size},), got {rows.dtype} of shape "
                f"{tuple(rows.shape)}"
            )
        if bool(((rows < 0) | (rows >= self.batch_size)).any()):
            raise ValueError(
                f"rows must be from 0 to {self.batch_size - 1}, got {rows.min()} to {rows.max()}"
            )
        assert self._engine is not None
        self._engine.rearrange(rows)

    def __call__(self, x: Tensor, out: Tensor | None = None, **inputs: Tensor) -> Tensor:
        """One step: from ``x``, (batch, input), to the output, (batch, features).

        With ``out`` the result is written there. ``inputs`` are what the cell reads beside x, by
        name, (batch, width) each. Raises ValueError for an input of another shape or dtype,
        TypeError for one that is missing or unknown.
        """
        step = self._fast_step
        if (
            step is not None
            and x.shape == self._in_shape
            and x.dtype is self._dtype
            and x.is_contiguous()
            and not x.is_neg()
            and x.is_cpu
            and not inputs
        ):
            if out is None:
                y = empty_like(
                    self._output_template
                )  # sooner than torch.empty by half a microsecond
                step(x.data_ptr(), y.data_ptr())
                return y
            if (
                out.shape == self._out_shape
                and out.dtype is self._dtype
                and out.is_contiguous()
                and not out.is_neg()
                and out.is_cpu
                and not out.requires_grad
            ):
                step(x.data_ptr(), out.data_ptr())
                return out
        return self._step_general(x, out, inputs)

    def _step_general(self, x: Tensor, out: Tensor | None, inputs: Mapping[str, Tensor]) -> Tensor:
        """A step where something needs a copy, or on the reference."""
        self._check_input(x)
        beside = read_step_inputs(self._graph, self._layers[0].sizes, inputs, x)
        recorded = recorders.is_any_active() and (
            recorders.is_recorded(self) or recorders.is_recorded(self._layer)
        )
        with torch.no_grad():
            if recorded:
                return self._record_step(x, out, beside)
            return self._compute(x, out, beside)

    def _record_step(self, x: Tensor, out: Tensor | None, beside: Sequence[Tensor]) -> Tensor:
        """A step that leaves all its values with those who record it."""
        assert self._engine is not None
        x = x.detach().clone()  # `out` may be the same tensor
        before, keys = self._engine.read(), (self, self._layer)
        y = self._compute(x, out, beside)
        if isinstance(self._engine, _ReferenceStepper):
            record_step(self._engine, self, keys, self._layers, x, before, beside)
        else:
            self._recorder = self._recorder or FusedStepRunner(self._precision)
            record_step(self._recorder, self, keys, self._layers, x, before, beside)
            self._recorder.check_states(self._engine.read())
        return y

    def _compute(self, x: Tensor, out: Tensor | None, beside: Sequence[Tensor]) -> Tensor:
        assert self._engine is not None
        self._engine.write_inputs(beside)
        if isinstance(self._engine, _ReferenceStepper):
            y = self._engine.step(x).clone()  # it may be the state itself
        else:
            y, x = empty_like(self._output_template), as_memory(x)
            assert self._kernel_step is not None
            self._kernel_step(x.data_ptr(), y.data_ptr())
        if self._readout is not None:
            y = self._readout(y)
        return y if out is None else out.copy_(y)

    def _check_input(self, x: Tensor) -> None:
        if x.shape != self._in_shape or x.dtype != self._dtype:
            raise ValueError(
                f"x must be {self._dtype} of shape {self._in_shape}, (batch, input), got "
                f"{x.dtype} of shape {tuple(x.shape)}"
            )
        device = self._initial[0][0].device
        if x.device != device:
            raise ValueError(f"x must be on {device} as this stream's weights are, got {x.device}")

    def state_dict(self) -> dict[str, Tensor]:
        """The state as tensors by name, to be saved; `load_state_dict` takes it back."""
        assert self._engine is not None
        names = [state.name for state in self._layer.cell.graph.states]
        return {
            f"{name}_l{place}": tensor
            for place, states in enumerate(self._engine.read())
            for name, tensor in zip(names, states, strict=True)
        }

    def load_state_dict(self, state_dict: Mapping[str, Tensor]) -> None:
        """Continue from a saved state. Raises ValueError where it is another layer's or batch's."""
        own = self.state_dict()
        shapes = {name: tuple(tensor.shape) for name, tensor in own.items()}
        given = {name: tuple(tensor.shape) for name, tensor in state_dict.items()}
        if shapes != given:
            raise ValueError(f"the saved state must have the shapes {shapes}, got {given}")
        names = [state.name for state in self._layer.cell.graph.states]
        assert self._engine is not None
        self._engine.write(
            [
                tuple(state_dict[f"{name}_l{place}"].to(own[f"{name}_l{place}"]) for name in names)
                for place in range(len(self._initial))
            ]
        )


class _ReferenceStepper:
    """The equations, a step at a time."""

    backend = "reference"

    def __init__(self, layers: list[LayerWeights]) -> None:
        graph: Graph = layers[0].graph
        self._graph, self._states = graph, list[tuple[Tensor, ...]]()
        self._interpreters = [
            TensorInterpreter(
                graph.stacks,
                graph.norms,
                one.sizes,
                map_parameters_by_name(graph, _copy_parameters(one)),
            )
            for one in layers
        ]
        self._given: Values = {
            Leaf("mask", mask.name, mask.width): mask.eval_value for mask in graph.masks
        }
        self._known = [X, *graph.state_leaves, *self._given, *graph.input_leaves]
        self._schedule = EvaluationSchedule(graph.outputs_by_name.values(), known=self._known)

    def read(self) -> States:
        return [tuple(state.clone() for state in states) for states in self._states]

    def write(self, states: States) -> None:
        self._states = [tuple(state.clone() for state in own) for own in states]

    def rearrange(self, rows: Tensor) -> None:
        self._states = [tuple(state[rows] for state in own) for own in self._states]

    def write_inputs(self, inputs: Sequence[Tensor]) -> None:
        self._given.update(zip(self._graph.input_leaves, inputs, strict=True))

    def __call__(self, place: int, spec: RunSpec) -> tuple[Tensor, ValueReader]:
        """One layer's step once more, its values to be read; the states stay."""
        graph = spec.graph
        values: Values = {X: spec.x[0], **self._given}
        values.update(zip(graph.input_leaves, (one[0] for one in spec.inputs), strict=True))
        values.update(zip(graph.state_leaves, spec.states, strict=True))
        schedule = EvaluationSchedule(graph.outputs_by_name.values(), known=self._known)
        schedule.run(values, self._interpreters[place])
        shape = spec.x.shape[:2]

        def read(name: str) -> Tensor:
            node = graph.outputs_by_name[name]
            found: Tensor = values[node]
            return found.expand(*shape, spec.sizes.of(node.width))

        return join_output(graph, {name: read(name) for name in graph.output}), read

    def step(self, x: Tensor) -> Tensor:
        graph, y = self._graph, x
        for place, interpreter in enumerate(self._interpreters):
            values: Values = {X: y, **self._given}
            values.update(zip(graph.state_leaves, self._states[place], strict=True))
            self._schedule.run(values, interpreter)
            batch = len(x)
            named = {
                value.name: values[graph.outputs_by_name[value.name]].expand(batch, -1)
                for value in graph.kept_values
            }
            # Cloned: a state may be the very tensor that it was before, or another's.
            self._states[place] = tuple(named[s.name].clone() for s in graph.states)
            y = join_output(graph, named)
        return y


def _copy_parameters(layer: LayerWeights) -> list[Tensor]:
    return [parameter.clone() for parameter in layer.parameters]
