"""The tensors of a pass: what a kernel's arguments stand for."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from sluice.codegen.gpu.layout import NARROW_ROLES, KernelShape
from sluice.codegen.gpu.norms import list_partial_counts
from sluice.codegen.program import CONST, STEP, Program
from sluice.equations.evaluation import expand_bias
from sluice.run.gpu.hoisted import HoistedPhases
from sluice.run.kernels.encode import as_memory
from sluice.run.spec import RunSpec, map_parameters_by_name

_POISON = float("nan")


@dataclass(frozen=True)
class Precision:
    """Types of a pass: of sums and states, of what is multiplied, and of the output."""

    sums: torch.dtype
    products: torch.dtype
    output: torch.dtype

    @property
    def is_narrow(self) -> bool:
        """Whether products are taken in a narrower type than sums."""
        return self.sums != self.products


class PassTensors:
    """Everything that the kernels of one pass read and write, by their arguments' names."""

    def __init__(
        self, spec: RunSpec, program: Program, precision: Precision, is_poisoned: bool = False
    ) -> None:
        self.spec, self.program, self.precision = spec, program, precision
        self.is_poisoned = is_poisoned
        self.steps, self.batch = spec.x.shape[:2]
        self.device = spec.x.device
        self.x = as_memory(spec.mask_padding(spec.x).detach())
        tensors = map_parameters_by_name(spec.graph, spec.parameters)
        self.parameters = {name: as_memory(t.detach()) for name, t in tensors.items()}
        self.buffers: dict[int, Tensor] = {}
        self._weights: dict[str, Tensor] = {}
        self.lengths = self._to_device(spec.lengths, torch.int32)
        resets = spec.reset_mask
        self.resets = None if resets is None else resets.squeeze(-1).to(torch.uint8).contiguous()
        self.fresh = [as_memory(t.detach().to(precision.sums)) for t in spec.reset_states]
        self.masks = [
            self._as_sums(m.expand(*m.shape[:-1], spec.sizes.of(mask.width)))
            for m, mask in zip(spec.masks, spec.graph.masks, strict=True)
        ]
        self.states = [self._build_tape(k) for k in range(len(spec.states))]
        self.narrow_states: dict[int, Tensor] = {}
        self.hoisted = HoistedPhases(
            spec.graph,
            spec.sizes,
            program,
            self.parameters,
            self.get_weight,
            self._locate,
            precision.sums,
            precision.products,
        )

    @property
    def previous(self) -> int:
        """The tape's slot of the state before step t is t plus this."""
        return int(self.spec.reverse)

    def _to_device(self, tensor: Tensor | None, dtype: torch.dtype) -> Tensor | None:
        if tensor is None:
            return None
        return as_memory(tensor.to(device=self.device, dtype=dtype))

    def _as_sums(self, tensor: Tensor) -> Tensor:
        return as_memory(tensor.detach().to(self.precision.sums))

    def empty(self, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
        """Memory that a kernel fills; with ``is_poisoned`` it is NaN before."""
        made = torch.empty(shape, dtype=dtype or self.precision.sums, device=self.device)
        return made.fill_(_POISON) if self.is_poisoned else made

    def _build_tape(self, index: int) -> Tensor:
        state = self.spec.states[index].detach()
        tape = self.empty(self.steps + 1, *state.shape)
        tape[self.steps if self.spec.reverse else 0] = state
        return tape

    def last_states(self) -> tuple[Tensor, ...]:
        """The states after the last step, memory of their own."""
        return tuple(tape[0 if self.spec.reverse else self.steps].clone() for tape in self.states)

    def get_narrow_state(self, index: int) -> Tensor:
        """The tape of a state in the type of products."""
        if index not in self.narrow_states:
            tape = self.states[index]
            made = self.empty(*tape.shape, dtype=self.precision.products)
            first = self.steps if self.spec.reverse else 0
            made[first] = tape[first]
            self.narrow_states[index] = made
        return self.narrow_states[index]

    def states_before(self, index: int) -> Tensor:
        """A state before each step, ``(time, batch, width)``, in the type of products."""
        tape = self.narrow_states.get(index)
        if tape is None:
            tape = self.states[index].to(self.precision.products)
        before = tape[1:] if self.spec.reverse else tape[:-1]
        if self.resets is None:
            return before
        fresh = self.fresh[index].to(before.dtype)
        return torch.where(self.resets.bool()[..., None], fresh, before)

    def states_after(self, index: int) -> Tensor:
        """A state after each step, ``(time, batch, width)``."""
        return self.states[index][:-1] if self.spec.reverse else self.states[index][1:]

    def _locate(self, k: int, item: int) -> Tensor:
        """What the hoisted phases read: the input and parameters."""
        buffer = self.program.buffers[k]
        if buffer.role == "input":
            return self.x
        assert buffer.role == "parameters", buffer
        return self.get_buffer(k)[item]

    def read(self, k: int, item: int) -> Tensor:
        """An item of every step, ``(time, batch, width)``."""
        buffer = self.program.buffers[k]
        if buffer.role == "next":
            return self.states_after(buffer.index)
        if buffer.role == "previous":
            return self.states_before(buffer.index)
        if buffer.role == "input":
            return self.x
        return self.get_buffer(k)[:, :, item]

    def get_buffer(self, k: int) -> Tensor:
        """The tensor of a buffer: rows × items × width, the rows as its scope says."""
        if k not in self.buffers:
            self.buffers[k] = self._build_buffer(k)
        return self.buffers[k]

    def _build_buffer(self, k: int) -> Tensor:
        buffer = self.program.buffers[k]
        width = self.spec.sizes.of(buffer.width) if buffer.width else 1
        if buffer.role == "input":
            return self.x.unsqueeze(2)
        if buffer.role == "parameters":
            return self._build_parameters(k, width)
        if buffer.role.startswith("hoisted"):
            whole: Tensor = self.hoisted.build_buffer(k)
            return whole.view(*whole.shape[:-1], buffer.items, width)
        assert buffer.scope != CONST, buffer
        rows = (self.batch,) if buffer.scope == STEP else (self.steps, self.batch)
        dtype = self.precision.products if buffer.role in NARROW_ROLES else None
        return self.empty(*rows, buffer.items, width, dtype=dtype)

    def _build_parameters(self, k: int, width: int) -> Tensor:
        made = self.empty(self.program.buffers[k].items, width)
        for name, part, buffer, item in self.program.parameters:
            if buffer == k:
                made[item] = self._read_parameter(name, part)
        return made

    def _read_parameter(self, name: str, part: str) -> Tensor | float:
        """A vector, or one part of a norm's; ones where the program asks which units there are."""
        if not name:
            return 1.0
        whole = self.parameters[name]
        if not part:
            return whole
        norm = self.spec.graph.get_norm(name.partition("_")[2])
        return whole.narrow(0, *norm.part_range(int(part), self.spec.sizes))

    def bind(self, name: str, shape: KernelShape, own: dict[str, Tensor]) -> Tensor | int:
        """The tensor, or the stride, that an argument of a kernel stands for."""
        if name in own:
            return own[name]
        kind, rest = name[0], name[1:]
        if name in ("LEN", "RST"):
            found = self.lengths if name == "LEN" else self.resets
            return self.x if found is None else found  # never read
        if name.startswith(("W_", "B_")):
            return self._bind_parameter(name)
        if kind == "P":
            return self._bind_buffer(int(rest), shape)
        if kind == "S":
            return self.states[int(rest)]
        if kind == "X":
            return self.get_narrow_state(int(rest))
        if kind == "R":
            return self.fresh[int(rest)]
        if kind == "M":
            index, _, axis = rest.partition("_")
            mask = self.masks[int(index)]
            if not axis:
                return mask
            dimension = ("time", "row").index(axis)
            return mask.stride(dimension) if mask.shape[dimension] > 1 else 0
        assert kind == "Q", name
        return self._bind_statistics(name, shape)

    def _bind_parameter(self, name: str) -> Tensor:
        """Weights in the type of products; biases as they are."""
        if name.startswith("B_"):
            return self.get_bias(name[2:])
        return self.get_weight(name[2:])

    def get_bias(self, name: str) -> Tensor:
        """The biases of a stack, with zeros for gates that have none."""
        stack, whole = self.spec.graph.get_stack(name), self.parameters[f"bias_{name}"]
        return expand_bias(stack, self.spec.sizes, whole)

    def get_weight(self, stack: str) -> Tensor:
        """The weights of a stack in the type of products."""
        name = f"weight_{stack}"
        if name not in self._weights:
            self._weights[name] = self.parameters[name].to(self.precision.products)
        return self._weights[name]

    def _bind_buffer(self, k: int, shape: KernelShape) -> Tensor:
        buffer = self.program.buffers[k]
        if buffer.role == "row sums" and k not in self.buffers:
            slots = shape.row_slots
            parts = (self.batch, buffer.items, slots)  # zero where a phase has no share in a sum
            self.buffers[k] = torch.zeros(parts, dtype=self.precision.sums, device=self.device)
        if buffer.role == "row gradients" and k not in self.buffers:
            tiles = -(-self.batch // shape.tile.rows)
            self.buffers[k] = self.empty(tiles, buffer.items, self.spec.sizes.of(buffer.width))
        return self.get_buffer(k)

    def _bind_statistics(self, name: str, shape: KernelShape) -> Tensor:
        """Partial statistics, or how many units each of them is of."""
        number, index = map(int, name.lstrip("QN").split("_"))
        counts = list_partial_counts(shape, shape.phases[number].statistics[index])
        if name.startswith("QN"):
            return _build_counts(tuple(counts), self.precision.sums, self.device)
        return self.empty(self.batch, 2, len(counts))


@lru_cache(maxsize=256)
def _build_counts(counts: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """A constant on a device; made once, since nothing can be copied there in a graph's capture."""
    return torch.tensor(counts, dtype=dtype, device=device)
