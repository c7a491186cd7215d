"""A cell's equations as data: immutable nodes, and the graph that they form.

Four kinds of node compute: `Elementwise`, `Affine`, `RowNorm` and `RowMap`; a `Leaf` is where a
value comes in. Nodes are interned: two nodes that say the same are the same object, so a
subexpression written twice is computed once, and identity is equality.

A node's ``width`` is symbolic (``"input"``, ``"hidden"``, ... `sluice.equations.sizes`; ``"1"`` for
one number a row, which stands beside any other width): a graph fits layers of every size.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any
from weakref import WeakValueDictionary

from sluice.cached import cached_property
from sluice.equations.advice import explain_operand
from sluice.equations.op_table import COMPARISONS, OPS
from sluice.equations.sizes import BUILT_IN, find_names
from sluice.equations.specs import (
    CONSTANT,
    INPUT,
    InputSpec,
    NormSpec,
    ParameterSpec,
    RandomSpec,
    StackSpec,
    StateSpec,
    VectorSpec,
    build_parameter_specs,
)
from sluice.equations.symbol import EquationError, Symbol, Value, check_gradients_are_on

_node_cache: WeakValueDictionary[tuple[Any, ...], Node] = WeakValueDictionary()


class _InterningMeta(type):
    """Makes a class return the one instance that has the given fields."""

    def __call__(cls, *fields: Any) -> Any:
        key = (cls, *fields)
        node = _node_cache.get(key)
        if node is None:
            node = _node_cache.setdefault(key, super().__call__(*fields))
        return node


class Node(Symbol, metaclass=_InterningMeta):
    """One value within a step. ``width`` says how many numbers a row of it has."""

    __slots__ = ("__weakref__",)
    width: str

    @property
    def operands(self) -> tuple[Node, ...]:
        """The nodes that this one is computed from."""
        return ()

    def __deepcopy__(self, memo: object) -> Node:
        return self

    def __repr__(self) -> str:
        """In the words of a step, and short: operands would repeat what they share."""
        return f"<{self._label}, width {self.width}>"

    @property
    def _label(self) -> str:
        return "a value of the step"

    def symbolic_apply(self, op: str, *operands: Value) -> Node:
        """The node that applies ``op`` to nodes and numbers."""
        check_gradients_are_on()
        return elementwise(op, *map(as_node, operands))


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Leaf(Node):
    """A value that comes in.

    ``kind`` is ``input``, ``state``, ``vector``, ``mask``, ``constant`` (its name is the
    number), ``size`` (the number of units of the width that is its name) or, in an adjoint,
    ``gradient`` (its name is the output's).
    """

    kind: str
    name: str
    width: str

    @property
    def _label(self) -> str:
        return self.name if self.kind in ("input", "constant") else f"{self.kind} {self.name}"


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Elementwise(Node):
    """An operation of the op table on operands of one width, or of one number a row."""

    op: str
    arguments: tuple[Node, ...]
    width: str

    @property
    def _label(self) -> str:
        return f"a value of {self.op}"

    @property
    def operands(self) -> tuple[Node, ...]:
        return self.arguments


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Affine(Node):
    """A learned map: ``weight @ operand + bias``, with the rows of one gate in one stack.

    ``is_transposed`` marks its adjoint, ``weight.T @ operand``.
    """

    stack: str
    gate: str
    operand: Node
    width: str
    is_transposed: bool

    @property
    def _label(self) -> str:
        return f"gate {self.gate}"

    @property
    def operands(self) -> tuple[Node, ...]:
        return (self.operand,)


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class RowNorm(Node):
    """Layer norm over the concatenation of ``group``; this is its part number ``index``.

    With ``upstream`` (one gradient for each of the group) it is the adjoint instead: the
    gradient of the part's own input.
    """

    norm: str
    group: tuple[Node, ...]
    index: int
    upstream: tuple[Node, ...]
    width: str

    @property
    def _label(self) -> str:
        return f"norm {self.norm}"

    @property
    def operands(self) -> tuple[Node, ...]:
        return self.group + self.upstream


@dataclass(frozen=True, eq=False, slots=True, repr=False)
class RowMap(Node):
    """A fixed reduction or rearrangement of a row, ``op`` of `sluice.equations.row_maps`."""

    op: str
    operand: Node
    width: str

    @property
    def operands(self) -> tuple[Node, ...]:
        return (self.operand,)


#: The input of a layer, as every step finds it.
X = Leaf("input", "x", INPUT)


def constant(value: float) -> Node:
    """A number as a node."""
    return Leaf("constant", repr(float(value)), CONSTANT)


def elementwise(op: str, *operands: Node) -> Node:
    """``op`` of the op table on operands whose widths agree.

    Raises `EquationError` where they do not, or where a comparison is used as a number.
    """
    if len(operands) != OPS[op].arity:
        raise EquationError(f"{op} must have {OPS[op].arity} operands, got {len(operands)}")
    for place, operand in enumerate(operands):
        if is_comparison(operand) != (op == "where" and place == 0):
            raise EquationError(
                "the first argument of where() must be a comparison, as in where(a > b, x, y), "
                "and a comparison can stand nowhere else; for a number write where(a > b, 1.0, "
                "0.0)"
            )
    widths = {operand.width for operand in operands} - {CONSTANT}
    if len(widths) > 1:
        raise EquationError(
            f"the operands of {op} must have one width, got {_format_widths(operands)}; "
            "bring them to one width with a Gate() or a Map()"
        )
    return Elementwise(op, operands, widths.pop() if widths else CONSTANT)


def is_number(node: Node) -> bool:
    """Whether ``node`` is the same number in every row and step: a literal, or made of some."""
    seen, open_ = {node}, [node]
    while open_:
        found = open_.pop()
        if isinstance(found, Leaf) and found.kind not in ("constant", "size"):
            return False
        open_ += [operand for operand in found.operands if operand not in seen]
        seen.update(found.operands)
    return True


def is_comparison(node: Node) -> bool:
    """Whether ``node`` is the condition of a `where`: it holds or not, and is no number."""
    return isinstance(node, Elementwise) and node.op in COMPARISONS


def _format_widths(operands: tuple[Node, ...]) -> str:
    names = (o.name if isinstance(o, Leaf) else "a value" for o in operands)
    return " and ".join(f"{n} ({o.width})" for n, o in zip(names, operands, strict=True))


def as_node(value: Value) -> Node:
    """The node of a symbol or a number. Raises `EquationError` for anything else."""
    if isinstance(value, Node):
        return value
    is_number = getattr(value, "ndim", 0) == 0 or getattr(value, "numel", int)() == 1
    try:
        if is_number and not getattr(value, "requires_grad", False):
            return constant(float(value))
    except (TypeError, ValueError, RuntimeError):
        pass
    raise EquationError(explain_operand(value))


def _get_operands(node: Node) -> Iterable[Node]:
    return node.operands


def sort_topologically(
    outputs: Iterable[Node],
    known: Iterable[Node] = (),
    get_operands: Callable[[Node], Iterable[Node]] = _get_operands,
) -> list[Node]:
    """Every node that ``outputs`` need, operands first; the walk stops at ``known`` nodes.

    ``get_operands`` says what a node needs, where that is not what it is computed from. A walk, not
    a recursion: a step may be a chain of thousands of operations.
    """
    order: list[Node] = []
    blocked = known if isinstance(known, AbstractSet | Mapping) else set(known)
    seen = set[Node]()
    stack: list[tuple[Node, Iterator[Node]]] = []

    def push(node: Node) -> None:
        if node not in seen and node not in blocked:
            seen.add(node)
            stack.append((node, iter(get_operands(node))))

    for output in outputs:
        push(output)
        while stack:
            node, rest = stack[-1]
            following = next(rest, None)
            if following is not None:
                push(following)
            else:
                order.append(node)
                stack.pop()
    return order


def find_dependents(nodes: Iterable[Node], roots: Iterable[Node]) -> set[Node]:
    """Those of ``nodes`` (operands first) that are, or are computed from, one of ``roots``."""
    found = set(roots)
    for node in nodes:
        if any(operand in found for operand in node.operands):
            found.add(node)
    return found


@dataclass(frozen=True)
class Graph:
    """A cell's update equations: what a step computes, and what it needs for that.

    ``outputs`` pairs every name that the step returns with its node, in the order returned;
    ``inputs`` are given beside x. ``output`` names the values that a layer gives out, side by side:
    the first state where it is empty.
    """

    name: str
    states: tuple[StateSpec, ...]
    stacks: tuple[StackSpec, ...]
    vectors: tuple[VectorSpec, ...]
    norms: tuple[NormSpec, ...]
    masks: tuple[RandomSpec, ...]
    outputs: tuple[tuple[str, Node], ...]
    inputs: tuple[InputSpec, ...] = ()
    output: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.output:
            object.__setattr__(self, "output", tuple(state.name for state in self.states[:1]))

    def __hash__(self) -> int:
        return self._hash

    def __deepcopy__(self, memo: object) -> Graph:
        return self

    @cached_property
    def _hash(self) -> int:
        return hash((self.name, self.states, self.stacks, self.outputs, self.output))

    @cached_property
    def nodes(self) -> tuple[Node, ...]:
        """Every node of the graph, operands first."""
        return tuple(sort_topologically(node for _, node in self.outputs))

    @cached_property
    def outputs_by_name(self) -> dict[str, Node]:
        """The node of each name that the step returns."""
        return dict(self.outputs)

    @cached_property
    def parameters(self) -> tuple[ParameterSpec, ...]:
        """The learned tensors of one layer, weights and biases first, as torch orders them."""
        return build_parameter_specs(self.stacks, self.vectors, self.norms)

    @cached_property
    def state_leaves(self) -> tuple[Leaf, ...]:
        """The previous step's states, in order."""
        return tuple(Leaf("state", state.name, state.width) for state in self.states)

    @cached_property
    def input_leaves(self) -> tuple[Leaf, ...]:
        """The inputs beside x, in order."""
        return tuple(Leaf("input", one.name, one.width) for one in self.inputs)

    @property
    def masks_and_inputs(self) -> tuple[RandomSpec | InputSpec, ...]:
        """What each step is given beside x and the states: the masks, then the inputs."""
        return (*self.masks, *self.inputs)

    @cached_property
    def width_names(self) -> frozenset[str]:
        """All names in the widths of the graph: ``"hidden"``, say, and those of the cell's own."""
        widths = {node.width for node in self.nodes}
        widths |= {state.width for state in self.states} | {one.width for one in self.inputs}
        for stack in self.stacks:
            widths |= {stack.operand, *(width for _, width in stack.gates)}
        return frozenset(find_names(widths.union(*(norm.widths for norm in self.norms))))

    @cached_property
    def own_sizes(self) -> tuple[str, ...]:
        """The names among them whose size a layer is given, sorted."""
        return tuple(sorted(self.width_names.difference(BUILT_IN)))

    @cached_property
    def output_widths(self) -> tuple[str, ...]:
        """The widths of the values that a layer gives out, side by side."""
        widths = {value.name: value.width for value in self.kept_values}
        return tuple(widths[name] for name in self.output)

    @cached_property
    def kept_values(self) -> tuple[StateSpec, ...]:
        """The states, and what a layer gives out besides: states that nothing reads."""
        states = {state.name for state in self.states}
        others = [name for name in self.output if name not in states]
        named = self.outputs_by_name
        return (*self.states, *(StateSpec(name, named[name].width) for name in others))

    def get_stack(self, name: str) -> StackSpec:
        """The stack of gates called ``name``."""
        return next(stack for stack in self.stacks if stack.name == name)

    def get_norm(self, name: str) -> NormSpec:
        """The norm called ``name``."""
        return next(norm for norm in self.norms if norm.name == name)
