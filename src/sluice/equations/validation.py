"""Whether a graph is one: every declaration, node and output checked, whole, before it is used.

Tracing and the reader of texts both ask this, so that whatever else handles a graph (the
reference, the kernels, equations, sketches) can rely on it. Each check is one method, for one
kind of declaration or node; each refusal is an `EquationError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import singledispatchmethod
from typing import Any

from sluice.equations.graph import (
    Affine,
    Elementwise,
    Graph,
    Leaf,
    Node,
    RowMap,
    RowNorm,
    elementwise,
    is_comparison,
    is_number,
)
from sluice.equations.limits import (
    MAX_DECLARATIONS,
    MAX_GATES,
    MAX_NAME_LENGTH,
    MAX_NODES,
    MAX_SIZE,
    require_at_most,
)
from sluice.equations.op_table import OPS
from sluice.equations.requirements import (
    is_word,
    refuse_comparison,
    refuse_number,
    require_constant,
    require_finite,
    require_identifier,
    require_width,
)
from sluice.equations.row_nodes import explain_row_map
from sluice.equations.sizes import validate_width
from sluice.equations.specs import (
    CONSTANT,
    INPUT,
    RESERVED_INPUTS,
    InputSpec,
    MaskSpec,
    NoiseSpec,
    NormSpec,
    RandomSpec,
    StackSpec,
    StateSpec,
    VectorSpec,
    build_parameter_specs,
)
from sluice.equations.symbol import EquationError

Declaration = StateSpec | StackSpec | VectorSpec | NormSpec | RandomSpec | InputSpec


def validate_graph(graph: Graph) -> None:
    """Raise `EquationError` unless all of ``graph`` fits together."""
    validator = GraphValidator()
    validator.add_name(graph.name)
    for declaration in (
        *graph.states,
        *graph.stacks,
        *graph.vectors,
        *graph.norms,
        *graph.masks,
        *graph.inputs,
    ):
        validator.add(declaration)
    for node in graph.nodes:
        validator.add(node)
    for name, node in graph.outputs:
        validator.add_output(name, node)
    validator.add_choice(graph.output)
    validator.finish()


class GraphValidator:
    """Checks a graph's parts in the order in which they are added: what a part refers to, first."""

    def __init__(self) -> None:
        self._states: dict[str, StateSpec] = {}
        self._stacks: dict[str, StackSpec] = {}
        self._vectors: dict[str, VectorSpec] = {}
        self._norms: dict[str, NormSpec] = {}
        self._masks: dict[str, RandomSpec] = {}
        self._inputs: dict[str, InputSpec] = {}
        self._outputs: dict[str, Node] = {}
        self._gate_widths: dict[tuple[str, str], str] = {}
        self._stacks_of_gate: dict[str, list[str]] = {}
        self._nodes: set[Node] = set()
        self._read: set[Node] = set()
        self._used: set[tuple[str, ...]] = set()

    def add_name(self, name: str) -> None:
        """Check the cell's name."""
        if not name or len(name) > MAX_NAME_LENGTH or not name.isprintable() or " " in name:
            raise EquationError(f"the name of a cell must be one printable word, got {name!r:.80}")

    @singledispatchmethod
    def add(self, part: object) -> None:
        """Check a declaration or a node, given all that was added before."""
        raise EquationError(f"a graph has no part of type {type(part).__name__}")

    # Declarations ---------------------------------------------------------------------------------

    @add.register
    def _(self, state: StateSpec) -> None:
        self._declare(self._states, state, "states")
        self._require_argument(state.name)
        validate_width(state.width)
        require_finite(state.initial, f"the initial value of state '{state.name}'")

    @add.register
    def _(self, stack: StackSpec) -> None:
        self._declare(self._stacks, stack, "stacks of gates")
        validate_width(stack.operand)
        if not stack.gates:
            raise EquationError(f"the stack '{stack.name}' must have gates")
        if not 1 <= stack.heads <= MAX_SIZE:
            raise EquationError(f"heads must be at least 1, got {stack.heads}")
        for gate, width in stack.gates:
            require_identifier(gate)
            validate_width(width)
            if (stack.name, gate) in self._gate_widths:
                raise EquationError(f"the stack '{stack.name}' has gate '{gate}' twice")
            self._require_one_part(stack.name, gate, width)
            self._gate_widths[stack.name, gate] = width
        require_at_most(MAX_GATES, len(self._gate_widths), "gates")
        if stack.unbiased and not stack.gates_with_bias:
            raise EquationError(f"the stack '{stack.name}' has no gate with a bias")
        if not stack.learned and (stack.bias or len(stack.gates) > 1 or stack.name in ("ih", "hh")):
            raise EquationError(f"the constant '{stack.name}' must be one map without a bias")

    @add.register
    def _(self, vector: VectorSpec) -> None:
        self._declare(self._vectors, vector, "vectors")
        validate_width(vector.width)
        if vector.initial is not None:
            require_finite(vector.initial, f"the initial value of vector '{vector.name}'")

    @add.register
    def _(self, norm: NormSpec) -> None:
        self._declare(self._norms, norm, "norms")
        if not norm.widths:
            raise EquationError(f"norm '{norm.name}' must be over at least one value")
        for width in norm.widths:
            validate_width(width)
        require_finite(norm.epsilon, f"the epsilon of norm '{norm.name}'")
        if norm.epsilon <= 0:
            raise EquationError(f"the epsilon of norm '{norm.name}' must be positive")

    @add.register
    def _(self, noise: NoiseSpec) -> None:
        self._declare(self._masks, noise, "masks")
        self._require_argument(noise.name)
        validate_width(noise.width)
        for value in (noise.mean, noise.std, noise.eval_value):
            require_finite(value, f"a value of noise '{noise.name}'")
        if noise.std < 0:
            raise EquationError(f"the std of noise '{noise.name}' must not be negative")

    @add.register
    def _(self, mask: MaskSpec) -> None:
        self._declare(self._masks, mask, "masks")
        self._require_argument(mask.name)
        validate_width(mask.width)
        if not 0 <= mask.rate <= 1:
            raise EquationError(
                f"the rate of mask '{mask.name}' must be in [0, 1], got {mask.rate}"
            )
        for value in (mask.keep_value, mask.drop_value, mask.eval_value):
            require_finite(value, f"a value of mask '{mask.name}'")

    @add.register
    def _(self, given: InputSpec) -> None:
        self._declare(self._inputs, given, "inputs")
        self._require_argument(given.name)
        validate_width(given.width)
        if given.name in RESERVED_INPUTS:
            raise EquationError(
                f"a step can have no input called '{given.name}': in a layer's call "
                f"{', '.join(RESERVED_INPUTS)} have another meaning; rename it"
            )

    def _declare(self, table: dict[str, Any], spec: Declaration, kind: str) -> None:
        require_identifier(spec.name)
        if spec.name in table:
            raise EquationError(f"'{spec.name}' is declared twice among the {kind}")
        table[spec.name] = spec
        require_at_most(MAX_DECLARATIONS, len(table), kind)

    def _require_one_part(self, stack: str, gate: str, width: str) -> None:
        """A gate has rows in ``ih`` and ``hh``, a map in a stack of its own."""
        for other in self._stacks_of_gate.setdefault(gate, []):
            if {stack, other} != {"ih", "hh"} or self._gate_widths[other, gate] != width:
                raise EquationError(f"'{gate}' is the name of two gates or maps")
        self._stacks_of_gate[gate].append(stack)

    def _require_argument(self, name: str) -> None:
        """A step takes states, masks and inputs by name."""
        tables: dict[str, dict[str, Any]] = {
            "a state": self._states,
            "a mask": self._masks,
            "an input": self._inputs,
        }
        kinds = [kind for kind, table in tables.items() if name in table]
        if len(kinds) > 1:
            raise EquationError(f"'{name}' is {' and '.join(kinds)}; give one of them another name")

    # Nodes ----------------------------------------------------------------------------------------

    @add.register
    def _(self, leaf: Leaf) -> None:
        self._add_node(leaf)
        if leaf.kind == "constant":
            require_constant(leaf)
            return
        if leaf.kind == "size":
            validate_width(leaf.name)
            require_width("a number of units", CONSTANT, leaf.width)
            return
        tables: dict[str, dict[str, Any]] = {
            "input": {"x": INPUT, **self._inputs},
            "state": self._states,
            "vector": self._vectors,
            "mask": self._masks,
        }
        declared = tables.get(leaf.kind, {})
        if leaf.name not in declared:
            raise EquationError(f"there is no {leaf.kind} '{leaf.name}'")
        spec = declared[leaf.name]
        self._used.add((leaf.kind, leaf.name))
        width = spec if isinstance(spec, str) else spec.width
        require_width(f"{leaf.kind} '{leaf.name}'", width, leaf.width)

    @add.register
    def _(self, node: Elementwise) -> None:
        self._add_node(node)
        if node.op not in OPS:
            raise EquationError(f"there is no operation '{node.op}'")
        width = elementwise(node.op, *node.arguments).width
        require_width(f"the result of {node.op}", width, node.width)

    @add.register
    def _(self, node: Affine) -> None:
        self._add_node(node)
        width = self._gate_widths.get((node.stack, node.gate))
        if width is None:
            raise EquationError(f"there is no gate '{node.gate}' in the stack '{node.stack}'")
        if node.is_transposed:
            raise EquationError(f"gate '{node.gate}' must not be transposed")
        what = f"gate '{node.gate}'"
        refuse_comparison(what, node.operand)
        refuse_number(what, node.operand)
        require_width(
            f"the operand of {what}", self._stacks[node.stack].operand, node.operand.width
        )
        require_width(f"the result of {what}", width, node.width)
        self._used.add(("gate", node.stack, node.gate))

    @add.register
    def _(self, node: RowNorm) -> None:
        self._add_node(node)
        norm, what = self._norms.get(node.norm), f"norm '{node.norm}'"
        if norm is None:
            raise EquationError(f"there is no {what}")
        if node.upstream:
            raise EquationError(f"{what} must not have upstream gradients")
        if len(node.group) != len(norm.widths):
            raise EquationError(f"{what} is over {len(norm.widths)} values, got {len(node.group)}")
        for part, width in zip(node.group, norm.widths, strict=True):
            refuse_comparison(what, part)
            refuse_number(what, part)
            require_width(f"a value of {what}", width, part.width)
        if not 0 <= node.index < len(node.group):
            raise EquationError(f"{what} has no part {node.index}")
        require_width(f"a part of {what}", norm.widths[node.index], node.width)
        self._used.add(("norm", node.norm))

    @add.register
    def _(self, node: RowMap) -> None:
        self._add_node(node)
        validate_width(node.width)
        if (reason := explain_row_map(node)) is not None:
            raise EquationError(reason)

    def _add_node(self, node: Node) -> None:
        if node in self._nodes:
            raise EquationError("a value is computed twice")
        for operand in node.operands:
            if operand not in self._nodes:
                raise EquationError("a value is used before it is computed")
        self._read.update(node.operands)
        self._nodes.add(node)
        require_at_most(MAX_NODES, len(self._nodes), "values in a step")

    # Outputs --------------------------------------------------------------------------------------

    def add_output(self, name: str, node: Node) -> None:
        """Check one named value of the step."""
        if not all(map(is_word, name.split("."))) or len(name) > MAX_NAME_LENGTH:
            raise EquationError(f"the name of a value must be a Python name, got {name!r:.80}")
        if name in self._outputs:
            raise EquationError(f"the value '{name}' is given out twice")
        if node not in self._nodes:
            raise EquationError(f"the value '{name}' is not computed")
        if is_comparison(node):
            raise EquationError(
                f"the value '{name}' is a comparison; give out numbers: where(a > b, 1.0, 0.0)"
            )
        if is_number(node):
            raise EquationError(f"the value '{name}' must depend on the step")
        if name in self._states:
            require_width(f"state '{name}'", self._states[name].width, node.width)
        self._read.add(node)
        self._outputs[name] = node
        require_at_most(MAX_NODES, len(self._outputs), "named values")

    def add_choice(self, names: Sequence[str]) -> None:
        """Check the names of what a layer gives out."""
        known = ", ".join(self._outputs)
        for name in names:
            if name not in self._outputs:
                raise EquationError(
                    f"output= names '{name}', which step does not return; it returns {known}"
                )
            if names.count(name) > 1:
                raise EquationError(f"output= names '{name}' twice")

    def finish(self) -> None:
        """Check what only the whole can show."""
        if not self._states:
            raise EquationError("a cell must have at least one state")
        for name in self._states:
            if name not in self._outputs:
                raise EquationError(f"the step must return a new value of state '{name}'")
        if self._read != self._nodes:
            raise EquationError("a value of the step is used by nothing")
        self._check_use()
        self._check_parameters()

    def _check_use(self) -> None:
        declared: Iterable[tuple[str, ...]] = (
            *(("gate", stack, gate) for stack, gate in self._gate_widths),
            *(("vector", name) for name in self._vectors),
            *(("norm", name) for name in self._norms),
            *(("mask", name) for name in self._masks),
        )
        for part in declared:
            if part not in self._used:
                raise EquationError(f"{part[0]} '{part[-1]}' is declared, but used by nothing")

    def _check_parameters(self) -> None:
        specs = build_parameter_specs(
            self._stacks.values(), self._vectors.values(), self._norms.values()
        )
        names = set[str]()
        for spec in specs:
            if spec.name in names:
                raise EquationError(
                    f"two parts have a parameter of the name '{spec.name}'; give one another name"
                )
            names.add(spec.name)
