"""What a cell declares, as plain data: states, stacks of gates, vectors, norms and masks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from sluice.equations.sizes import CONSTANT as CONSTANT
from sluice.equations.sizes import HIDDEN as HIDDEN
from sluice.equations.sizes import INPUT as INPUT
from sluice.equations.sizes import PROJECTION as PROJECTION
from sluice.equations.sizes import Sizes as Sizes


@dataclass(frozen=True)
class StateSpec:
    """A value carried from step to step; ``initial`` is its value before the first."""

    name: str
    width: str = HIDDEN
    initial: float = 0.0


@dataclass(frozen=True)
class StackSpec:
    """Gates whose maps read operands of one width, their weights stacked in one matrix.

    ``name`` is the suffix of the parameters (``ih`` gives ``weight_ih`` and ``bias_ih``);
    ``gates`` pairs each gate with its width. With ``heads`` above 1 the matrix of each gate
    is block-diagonal. Gates in ``unbiased`` have no rows in the bias. What is not ``learned`` is a
    part of the definition.
    """

    name: str
    gates: tuple[tuple[str, str], ...]
    operand: str
    heads: int = 1
    bias: bool = True
    unbiased: tuple[str, ...] = ()
    learned: bool = True

    @property
    def gates_with_bias(self) -> tuple[tuple[str, str], ...]:
        """The gates that have biases, and their widths."""
        return tuple(pair for pair in self.gates if self.bias and pair[0] not in self.unbiased)

    def row_ranges(self, sizes: Sizes) -> dict[str, tuple[int, int]]:
        """Where each gate's rows of the weight begin, and how many there are."""
        return _find_ranges(self.gates, sizes)

    def bias_ranges(self, sizes: Sizes) -> dict[str, tuple[int, int]]:
        """The same in the bias, of the gates that have one."""
        return _find_ranges(self.gates_with_bias, sizes)

    def are_adjacent(self, gates: Sequence[str], sizes: Sizes) -> bool:
        """Whether these gates' rows follow each other in the order given."""
        ranges = [self.row_ranges(sizes)[gate] for gate in gates]
        return all(a + count == b for (a, count), (b, _) in pairwise(ranges))


def _find_ranges(gates: Iterable[tuple[str, str]], sizes: Sizes) -> dict[str, tuple[int, int]]:
    found, start = {}, 0
    for gate, width in gates:
        found[gate] = (start, sizes.of(width))
        start += sizes.of(width)
    return found


@dataclass(frozen=True)
class VectorSpec:
    """A number for each unit; ``initial`` None draws it as torch draws weights.

    What is not ``learned`` is a part of the definition.
    """

    name: str
    width: str = HIDDEN
    initial: float | None = None
    learned: bool = True


@dataclass(frozen=True)
class NormSpec:
    """A layer norm: the widths of the parts that it spans, and its epsilon."""

    name: str
    widths: tuple[str, ...]
    epsilon: float = 1e-5

    def part_range(self, part: int, sizes: Sizes) -> tuple[int, int]:
        """Where a part's numbers begin, and how many there are."""
        return sum(map(sizes.of, self.widths[:part])), sizes.of(self.widths[part])


@dataclass(frozen=True)
class MaskSpec:
    """A random value passed into each step, so that runs can be repeated.

    While training each element is ``keep_value`` with probability ``1 - rate`` and else
    ``drop_value``; ``shared`` masks are drawn once for a whole sequence. In evaluation
    it is ``eval_value``.
    """

    name: str
    rate: float
    keep_value: float
    drop_value: float
    eval_value: float
    shared: bool
    width: str = HIDDEN


@dataclass(frozen=True)
class NoiseSpec:
    """A normally distributed value passed into each step, otherwise as `MaskSpec`.

    While training each element is drawn with this mean and standard deviation.
    """

    name: str
    mean: float
    std: float
    eval_value: float
    shared: bool
    width: str = HIDDEN


RandomSpec = MaskSpec | NoiseSpec


#: What a layer's or a stream's call gives another meaning.
RESERVED_INPUTS = ("x", "input", "hx", "lengths", "resets", "out")


@dataclass(frozen=True)
class InputSpec:
    """A value beside x that the caller gives to every step, by its name."""

    name: str
    width: str = CONSTANT


@dataclass(frozen=True)
class ParameterSpec:
    """A tensor of a layer. Each dimension is a sum of symbolic widths.

    ``initial`` None means: drawn uniformly from ±1/√hidden, as torch draws them. One that is not
    ``learned`` is a buffer, whose numbers the cell's definition gives.
    """

    name: str
    dimensions: tuple[tuple[str, ...], ...]
    initial: float | None = None
    learned: bool = True

    @property
    def is_bias(self) -> bool:
        """Whether ``bias=False`` removes it."""
        return self.name.startswith("bias_")

    def shape(self, sizes: Sizes) -> tuple[int, ...]:
        """The tensor's shape in a layer of these sizes."""
        return tuple(sum(map(sizes.of, widths)) for widths in self.dimensions)


def build_parameter_specs(
    stacks: Iterable[StackSpec], vectors: Iterable[VectorSpec], norms: Iterable[NormSpec]
) -> tuple[ParameterSpec, ...]:
    """The tensors that these declarations ask for, in torch's order."""
    paired = [stack for stack in stacks if stack.name in ("ih", "hh")]
    mapped = [stack for stack in stacks if stack.name not in ("ih", "hh")]
    found = [_weight_spec(stack) for stack in paired] + [_bias_spec(s) for s in paired if s.bias]
    for stack in mapped:
        found += [_weight_spec(stack)] + ([_bias_spec(stack)] if stack.bias else [])
    found += [ParameterSpec(v.name, ((v.width,),), v.initial, v.learned) for v in vectors]
    for norm in norms:
        found.append(ParameterSpec(f"weight_{norm.name}", (norm.widths,), 1.0))
        found.append(ParameterSpec(f"bias_{norm.name}", (norm.widths,), 0.0))
    return tuple(found)


def _weight_spec(stack: StackSpec) -> ParameterSpec:
    columns = stack.operand if stack.heads == 1 else f"{stack.operand}/{stack.heads}"
    rows = tuple(width for _, width in stack.gates)
    return ParameterSpec(f"weight_{stack.name}", (rows, (columns,)), None, stack.learned)


def _bias_spec(stack: StackSpec) -> ParameterSpec:
    return ParameterSpec(
        f"bias_{stack.name}", (tuple(width for _, width in stack.gates_with_bias),)
    )
