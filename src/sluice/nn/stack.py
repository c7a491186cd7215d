"""Layers × directions: what every recurrent module does around its cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast, overload

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from sluice.cells.cell import Cell
from sluice.nn.batch import PaddedInput, States, cast_for_autocast, is_autocast_enabled, pad_input
from sluice.nn.call_plan import CallPlan, run_plain
from sluice.nn.copies import flatten_input, flatten_states, join_directions, split_copies
from sluice.nn.marks import Lengths, Mask
from sluice.nn.named_inputs import (
    NamedInputs,
    attach_inputs,
    check_names,
    check_widths,
    list_tensors,
)
from sluice.nn.options import LayerOptions
from sluice.nn.parameters import LayerParameters
from sluice.nn.settings import LayerSettings
from sluice.nn.states import HiddenStates, StateLayout, check_states
from sluice.nn.stream import Stream
from sluice.run.custom_op import OperatorInputs
from sluice.run.dispatch import NATIVE, BackendChoice, choose_backend, is_eager, warn_if_slow
from sluice.run.execute import execute, run_native
from sluice.run.gpu.availability import find_unsupported_part
from sluice.run.gpu.measured import PlainCall
from sluice.run.recording import recorders


class RecurrentStack(LayerSettings, LayerParameters):
    """The part shared by `Recurrent` and the drop-in layers: running over time."""

    #: torch's own layer, where the subclass has one.
    native: type[nn.RNNBase] | None = None

    _plan: CallPlan | None = None

    def _build(self, cell: Cell, options: LayerOptions) -> None:
        super()._build(cell, options)
        check_widths(self.cell.graph, self.sizes)
        self.recompute = options.recompute

    @property
    def resolved_backend(self) -> BackendChoice:
        """Which backend a plain call runs on now, and why; ``str()`` of it is one sentence."""
        obstacle = self._find_torch_obstacle(False, None)
        return self._choose_backend(self._list_tensors(), obstacle, None)

    def _choose_backend(
        self,
        tensors: Sequence[Tensor],
        obstacle: str | None,
        input: Tensor | PackedSequence | None,
    ) -> BackendChoice:
        on_gpu = find_unsupported_part(self.cell.graph) if tensors[0].is_cuda else None
        return choose_backend(tensors, obstacle, self.backend, self._plain_call(input), on_gpu)

    def _plain_call(self, input: Tensor | PackedSequence | None) -> PlainCall | None:
        """What torch's own layer would run; None where there is none."""
        if self.native is None:
            return None
        batch = steps = None
        if isinstance(input, PackedSequence):
            batch, steps = int(input.batch_sizes[0]), len(input.batch_sizes)
        elif input is not None and input.dim() == 3:
            batch, steps = input.shape[:2] if self.batch_first else input.shape[1::-1]
        elif input is not None:
            batch, steps = 1, len(input)
        is_single = self.num_layers == 1 and self.directions == 1
        kind = self.native.__name__
        return PlainCall(kind, max(self.hidden_sizes), is_single, batch, steps)

    def _find_torch_obstacle(self, has_marks: bool, input: Tensor | None) -> str | None:
        """What is asked for that torch's own layer does not offer."""
        is_recorded = recorders.is_recorded(self)
        if self.native is None:
            changes = " with other activations or bounds" if type(self).native is not None else ""
            return f"the cell {self.cell.name}{changes}"
        if is_recorded:
            return "recordings"
        if has_marks:
            return "lengths=, resets= and mask="
        if self.reverse:
            return "reverse="
        if self.recompute is not None:
            return "recompute="
        if len(set(self.hidden_sizes)) > 1:
            return "layers of different sizes"
        is_cast = input is not None and is_autocast_enabled(input)
        if is_cast and self.native.__name__ != "LSTM" and input is not None and not input.is_cuda:
            return "autocast of this cell on a CPU"
        return None

    @overload
    def forward(
        self,
        input: Tensor,
        hx: Any = None,
        lengths: Lengths | None = None,
        resets: Tensor | None = None,
        mask: Mask | None = None,
        **inputs: Tensor,
    ) -> tuple[Tensor, Any]: ...

    @overload
    def forward(
        self,
        input: PackedSequence,
        hx: Any = None,
        lengths: None = None,
        resets: PackedSequence | None = None,
        mask: None = None,
        **inputs: Tensor | PackedSequence,
    ) -> tuple[PackedSequence, Any]: ...

    def forward(
        self,
        input: Tensor | PackedSequence,
        hx: Any = None,
        lengths: Lengths | None = None,
        resets: Tensor | PackedSequence | None = None,
        mask: Mask | None = None,
        **inputs: Tensor | PackedSequence,
    ) -> tuple[Tensor | PackedSequence, Any]:
        """Run over time, as `torch.nn.LSTM.forward` does.

        Args:
            input: ``(time, batch, input)``; ``(batch, time, input)`` with ``batch_first``;
                ``(time, input)`` for one sequence; or a `PackedSequence`.
            hx: The states before the first step, ``(layers × directions, batch, width)``, as a
                tuple where the cell has several; for layers of different sizes a tuple of
                ``(batch, width)`` for each layer and direction in place of each tensor.
            lengths: How many steps of each sequence count, ``(batch,)``: a list, an array or a
                tensor of integers, zeros allowed.
                Outputs beyond are zero and the states are those of the last step that counts.
            resets: Boolean, laid out as the input is: a new sequence starts here. No state and no
                gradient crosses, in either direction; the state restarts from the layer's initial
                one, zero or learned, not from ``hx``.
            mask: Boolean, laid out as the input is, True for the steps that count: where it is
                False the states stay and the output is zero, in both directions, wherever in the
                sequence that is. A reset there takes effect at the next step that counts. Where
                the cell has an input of this name, ``mask=`` is that input.
            inputs: What the cell reads beside x, by name (`sluice.Input`): laid out as the input
                is, ``(time, batch, width)``, or ``(batch, width)`` for the same at all steps; one
                of width 1 also without its last dimension. All layers get the same.

        Returns:
            The output, laid out as the input is, and the last states, as ``hx`` is laid out.

        Raises:
            ValueError: the input has the wrong number of dimensions or another dtype than the
                weights; ``lengths``, ``resets`` or other inputs do not fit the input.
            TypeError: an input that the cell reads is missing, or one is given that it does not.
            RuntimeError: the input or ``hx`` has the wrong size; ``hx`` has another dtype than the
                input, or is on another device.
        """
        if mask is not None and any(one.name == "mask" for one in self.cell.graph.inputs):
            inputs, mask = {**inputs, "mask": cast(Tensor, mask)}, None
        if self.copies is not None:
            return self._run_copies(self.copies, input, hx, lengths, resets, mask, inputs)
        if lengths is None and resets is None and mask is None and not inputs and is_eager():
            found = run_plain(self, input, hx)
            if found is not None:
                return self._apply_readout(found[0]), found[1]
        return self._run_any(input, hx, lengths, resets, mask, inputs)

    if TYPE_CHECKING:
        __call__ = forward

    def _run_any(
        self,
        input: Tensor | PackedSequence,
        hx: Any,
        lengths: Lengths | None,
        resets: Tensor | PackedSequence | None,
        mask: Mask | None,
        inputs: NamedInputs,
    ) -> tuple[Tensor | PackedSequence, Any]:
        """Any call, plain or not; of a layer of copies its tensors are flat."""
        check_names(self.cell.graph, inputs)
        tensor = input.data if isinstance(input, PackedSequence) else input
        has_marks = not (lengths is None and resets is None and mask is None)
        obstacle = self._find_torch_obstacle(has_marks, tensor)
        if mask is not None and recorders.is_recorded(self):
            raise ValueError(
                "sluice.record does not record calls with mask=, whose steps run in another order "
                "than they are given in; where the steps that count come first, give lengths=, "
                "else cut the others out of the input before the call"
            )
        tensors = (tensor, *self._list_tensors(), *list_tensors(inputs))
        choice = self._choose_backend(tensors, obstacle, input)
        warn_if_slow(choice, tensor, self.precision, self.recompute)
        if choice.name == NATIVE and self.native is not None:
            output, last = run_native(self, self.native, input, self._native_states(input, hx))
            return self._apply_readout(output), last
        batch = pad_input(type(self).__name__, input, lengths, resets, self.batch_first, mask)
        self._check_input(batch.x)
        batch = attach_inputs(batch, self.cell.graph, self.sizes[0], inputs)
        layout = self._state_layout(batch)
        initial = self._expand_initial_states(batch.x) if hx is None else layout.split(hx)
        if not recorders.is_recorded(self):
            y, finals = self._run_layers(batch, initial, choice.name)
            return self._apply_readout(batch.restore(y)), layout.join(finals)
        goes_forward = not (self.reverse or self.bidirectional)
        given = None if hx is None else layout.list_rows(initial)
        recorders.begin_call(self, given, goes_forward)
        y, finals = self._run_layers(batch, initial, choice.name)
        recorders.end_call(self, layout.list_rows(finals))
        return self._apply_readout(batch.restore(y)), layout.join(finals)

    def _run_copies(
        self,
        copies: int,
        input: Tensor | PackedSequence,
        hx: Any,
        lengths: Lengths | None,
        resets: Tensor | PackedSequence | None,
        mask: Mask | None,
        inputs: NamedInputs,
    ) -> tuple[Tensor, Any]:
        """Any call of a layer of copies, which run as one layer."""
        x = flatten_input(input, copies, self._single[1][0].input)
        hx = None if hx is None else flatten_states(hx, copies)
        is_plain = lengths is None and resets is None and mask is None and not inputs
        found = run_plain(self, x, hx) if is_plain and is_eager() else None
        y, last = found or self._run_any(x, hx, lengths, resets, mask, inputs)
        return split_copies(y, copies), split_copies(last, copies)

    def _check_input(self, x: Tensor) -> None:
        width = self.sizes[0].input
        if x.shape[-1] != width:
            raise RuntimeError(
                f"input.size(-1) must be equal to input_size. Expected {width}, got {x.shape[-1]}"
            )
        dtype = self._list_tensors()[0].dtype
        if x.dtype != dtype and self._like is None and not is_autocast_enabled(x):
            raise ValueError(
                f"{type(self).__name__} input dtype ({x.dtype}) does not match weight dtype "
                f"({dtype}). Convert input: input.to({dtype}), or convert model: "
                f"model.to({x.dtype})"
            )

    def _state_layout(self, batch: PaddedInput) -> StateLayout:
        return StateLayout.of(batch, [place.state_widths(self.cell) for place in self._places])

    def _native_states(
        self, input: Tensor | PackedSequence, hx: HiddenStates | None
    ) -> HiddenStates | None:
        """What torch's own layer starts from: ``hx``, or the learned states."""
        if hx is not None or not self.learn_initial_state:
            return hx
        batch = pad_input(type(self).__name__, input, None, None, self.batch_first)
        return self._state_layout(batch).join(self._expand_initial_states(batch.x))

    def _apply_readout(self, output: Tensor | PackedSequence) -> Tensor | PackedSequence:
        if self.readout is None:
            return output
        if isinstance(output, PackedSequence):
            return output._replace(data=self.readout(output.data))
        result: Tensor = self.readout(output)
        return result

    def _run_layers(
        self, batch: PaddedInput, states: States, backend: str
    ) -> tuple[Tensor, States]:
        """All layers and directions, in the dtype that autocast asks for where it is on."""
        if not is_autocast_enabled(batch.x):
            check_states(states, batch.x)
            return self._run_layers_as_is(batch, states, backend)
        batch, states = cast_for_autocast(batch, states)
        check_states(states, batch.x)
        with torch.autocast(batch.x.device.type, enabled=False):
            return self._run_layers_as_is(batch, states, backend)

    def _run_layers_as_is(
        self, batch: PaddedInput, states: States, backend: str
    ) -> tuple[Tensor, States]:
        y = batch.x
        finals: States = []
        for layer in range(self.num_layers):
            outputs = []
            for place in range(layer * self.directions, (layer + 1) * self.directions):
                output, last = self._run_place(batch, y, place, states[place], backend)
                outputs.append(output)
                finals.append(last)
            y = join_directions(outputs, self.copies)
            if self.dropout > 0 and self.training and layer < self.num_layers - 1:
                y = batch.dropout(y, self.dropout)
        return y, finals

    def _run_place(
        self, batch: PaddedInput, x: Tensor, number: int, states: tuple[Tensor, ...], backend: str
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """One layer in one direction."""
        place = self._places[number]
        parameters, learned = self._read_place(place)
        inputs = OperatorInputs(
            self._text,
            place.sizes.to_list(),
            x,
            states,
            [_cast(p, x) for p in parameters],
            [*place.draw_masks(self.cell, x, self.training), *batch.inputs],
            batch.lengths,
            batch.resets,
            [_cast(p, x) for p in learned],
            place.is_reverse,
        )
        return execute(
            backend,
            inputs,
            self,
            number,
            batch.unsorted_indices,
            precision=self.precision,
            recompute=self.recompute,
            is_training=self.training,
        )

    def stream(self, batch_size: int = 1) -> Stream:
        """This layer one step at a time, with its state kept; see `Stream`.

        Raises ValueError for a layer that reads from the end, and would need the future, and for
        one of several copies.
        """
        if self.copies is not None:
            raise ValueError(
                "a stream runs one network; take one of the copies: layer.get_copy(0).stream()"
            )
        return Stream(self, batch_size)


def _cast(tensor: Tensor, like: Tensor) -> Tensor:
    return tensor if tensor.dtype is like.dtype else tensor.to(like.dtype)
