"""The step of a layer in a language like C: loops over arrays, written from its graph."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import ClassVar, cast

import torch
from torch import Tensor

from sluice.equations.graph import Affine, Elementwise, Node, RowMap, RowNorm, X
from sluice.equations.row_maps import split_groups
from sluice.export.errors import ExportError
from sluice.export.layer_graph import LayerGraph


class StepSource(ABC):
    """A program while it is written: its constants, its statements, and how it spells things.

    The program has the functions ``copy``, ``norm``, ``sum`` and ``greatest``. An array is an
    expression, to which a number can be added to leave its first values out.

    Attributes:
        language: Its name, for errors.
        operations: The spelling of each row of the op table, with a ``{}`` for each operand.
        lines: The statements of the step so far.
    """

    language: ClassVar[str]
    operations: ClassVar[Mapping[str, str]]

    def __init__(self) -> None:
        self.lines = list[str]()
        self._count = 0

    def new_name(self, kind: str) -> str:
        """A name that nothing else has."""
        self._count += 1
        return f"{kind}{self._count}"

    def add(self, line: str) -> None:
        """A statement of the step."""
        self.lines.append(f"    {line}")

    @abstractmethod
    def array(self, values: Tensor) -> str:
        """A constant array; equal ones are one."""

    @abstractmethod
    def declare(self, width: int) -> str:
        """An array of the step."""

    @abstractmethod
    def add_map(
        self, out: str, weight: Tensor, bias: Tensor | None, operand: str, is_int8: bool
    ) -> None:
        """``out = weight @ operand + bias``."""

    @abstractmethod
    def number(self, value: float) -> str:
        """A number."""

    @abstractmethod
    def element(self, array: str, index: str) -> str:
        """An element of an array."""

    @abstractmethod
    def define(self, name: str, value: str) -> str:
        """A statement that gives a value a name within a loop."""

    @abstractmethod
    def int8_element(self, array: str, index: str) -> str:
        """An element of an int8 array as a number."""

    @abstractmethod
    def input_array(self, name: str) -> str:
        """The array of an input."""

    @abstractmethod
    def state_array(self, name: str) -> str:
        """The array of a state."""

    @abstractmethod
    def output_array(self, width: int) -> str:
        """The array that the step gives out."""

    @abstractmethod
    def divide(self, index: str, count: int) -> str:
        """The whole part of an index divided by a count."""


class StepWriter:
    """Writes the step of one layer; values are arrays, or numbers of the loop they are made in."""

    def __init__(self, source: StepSource, layer: LayerGraph, leaves: dict[Node, str]) -> None:
        self._source, self._layer = source, layer
        self._arrays = dict(leaves)
        outputs = layer.graph.outputs_by_name
        self._kept = {outputs[kept.name] for kept in layer.graph.kept_values}

    def write(self) -> dict[str, str]:
        """All of the step; the arrays of the new states and of what is given out, by name."""
        waiting = [
            node
            for group in (*self._layer.hoisted_groups, *self._layer.step_groups)
            for node in group
        ]
        while waiting:
            ready = [node for node in waiting if self._is_ready(node)]
            whole = [node for node in ready if not isinstance(node, Elementwise)]
            done = self._write_whole(whole) if whole else self._write_loop(waiting, ready[0])
            waiting = [node for node in waiting if node not in done]
        outputs = self._layer.graph.outputs_by_name
        kept = self._layer.graph.kept_values
        return {one.name: self._get_array(outputs[one.name]) for one in kept}

    def _width(self, node: Node) -> int:
        return self._layer.sizes.of(node.width)

    def _is_ready(self, node: Node) -> bool:
        return all(self._is_known(operand) for operand in node.operands)

    def _is_known(self, node: Node) -> bool:
        return node in self._arrays or node in self._layer.fixed_values

    def _get_array(self, node: Node) -> str:
        """A value as an array; one that nothing changes is a constant."""
        if node in self._arrays:
            return self._arrays[node]
        value = torch.as_tensor(self._layer.fixed_values[node], dtype=torch.float32)
        return self._source.array(value.expand(self._width(node)))

    def _get_number(self, node: Node, numbers: dict[Node, str]) -> str:
        """A value in a loop over units."""
        if node in numbers:
            return numbers[node]
        if node not in self._arrays:
            value = torch.as_tensor(self._layer.fixed_values[node], dtype=torch.float32)
            if value.numel() == 1:
                return self._source.number(value.item())
        index = "0" if self._width(node) == 1 else "i"
        return self._source.element(self._get_array(node), index)

    def _write_loop(self, waiting: list[Node], first: Node) -> set[Node]:
        """All operations of one width that nothing else holds up, in one loop."""
        inside = dict[Node, str]()
        for node in waiting:
            if not isinstance(node, Elementwise) or self._width(node) != self._width(first):
                continue
            if all(operand in inside or self._is_known(operand) for operand in node.arguments):
                inside[node] = self._source.new_name("a")
        read = {o for n in waiting if n not in inside for o in n.operands} | self._kept
        stored = {node: self._source.declare(self._width(node)) for node in inside if node in read}
        lines = []
        for node, name in inside.items():
            operands = [self._get_number(one, inside) for one in cast(Elementwise, node).arguments]
            value = self._source.operations[cast(Elementwise, node).op].format(*operands)
            lines.append(f"        {self._source.define(name, value)}")
            if node in stored:
                target = self._source.element(stored[node], "i")
                lines.append(f"        {target} = {name};")
        self._source.add(f"for (i = 0; i < {self._width(first)}; i++) {{")
        self._source.lines += lines
        self._source.add("}")
        self._arrays.update(stored)
        return set(inside)

    def _write_whole(self, nodes: list[Node]) -> set[Node]:
        for node in nodes:
            if node in self._arrays:
                continue
            if isinstance(node, Affine):
                self._write_maps(node, nodes)
            elif isinstance(node, RowNorm):
                self._write_norm(node, nodes)
            else:
                self._write_row_map(cast(RowMap, node))
        return set(nodes)

    def _write_maps(self, first: Affine, nodes: Iterable[Node]) -> None:
        """All maps of one operand as one product."""
        layer, source = self._layer, self._source
        operand = self._get_array(first.operand)
        heads = layer.graph.get_stack(first.stack).heads
        group = [
            node
            for node in nodes
            if isinstance(node, Affine)
            and (node.stack, node.operand) == (first.stack, first.operand)
        ]
        weights = [layer.read_map(node) for node in group]
        rows = [len(weight) for weight, _ in weights]
        out = source.declare(sum(rows))
        if heads == 1:
            joined = torch.cat([weight for weight, _ in weights])
            biases = [w.new_zeros(len(w)) if b is None else b for w, b in weights]
            bias = torch.cat(biases) if any(b is not None for _, b in weights) else None
            source.add_map(out, joined, bias, operand, layer.is_int8)
        start = 0
        for node, (weight, bias) in zip(group, weights, strict=True):
            if heads > 1:
                self._write_heads(f"{out} + {start}", weight, bias, operand, heads)
            self._arrays[node] = f"({out} + {start})"
            start += len(weight)

    def _write_heads(
        self, out: str, weight: Tensor, bias: Tensor | None, operand: str, heads: int
    ) -> None:
        units, columns = len(weight) // heads, weight.shape[1]
        for head in range(heads):
            rows = slice(head * units, (head + 1) * units)
            own = None if bias is None else bias[rows]
            where = f"{out} + {head * units}", f"{operand} + {head * columns}"
            self._source.add_map(where[0], weight[rows], own, where[1], self._layer.is_int8)

    def _write_norm(self, first: RowNorm, nodes: Iterable[Node]) -> None:
        source, layer = self._source, self._layer
        widths = [self._width(part) for part in first.group]
        joined, out, start = source.declare(sum(widths)), source.declare(sum(widths)), 0
        for part, width in zip(first.group, widths, strict=True):
            source.add(f"copy({joined} + {start}, {self._get_array(part)}, {width});")
            start += width
        weight, bias = (source.array(one.float()) for one in layer.read_norm(first.norm))
        epsilon = source.number(layer.graph.get_norm(first.norm).epsilon)
        source.add(f"norm({out}, {joined}, {weight}, {bias}, {epsilon}, {sum(widths)});")
        for node in nodes:
            if isinstance(node, RowNorm) and (node.norm, node.group) == (first.norm, first.group):
                self._arrays[node] = f"({out} + {sum(widths[: node.index])})"

    def _write_row_map(self, node: RowMap) -> None:
        source, (name, groups) = self._source, split_groups(node.op)
        units, count = self._width(node.operand), self._width(node)
        x, out = self._get_array(node.operand), source.declare(count)
        self._arrays[node] = out
        each, part = units // count or 1, units // groups
        at, of = source.element, source.divide
        run = count // groups or 1
        found = {
            "repeat": at(x, of("i", max(count // units, 1))),
            "tile": at(x, f"{of('i', run)} * {part} + i % {part}"),
            "sum": f"sum({x} + i * {each}, {each}, 1)",
            "max": f"greatest({x} + i * {part}, {part})",
            "sum_tiles": f"sum({x} + {of('i', run)} * {part} + i % {run}, {each}, {run})",
            "cumulative_sum": f"sum({x}, i + 1, 1)",
            "reverse_cumulative_sum": f"sum({x} + i, {count} - i, 1)",
        }
        if name not in found:
            raise ExportError(f"{source.language} has no row map {name!r}")
        source.add(f"for (i = 0; i < {count}; i++) {at(out, 'i')} = {found[name]};")


def list_leaves(
    layer: LayerGraph, x: str, inputs: Iterable[str], states: Mapping[str, str]
) -> dict[Node, str]:
    """What a step reads: the arrays of the input, of the cell's inputs, and of the states."""
    leaves: dict[Node, str] = dict(zip((X, *layer.graph.input_leaves), (x, *inputs), strict=True))
    return leaves | {leaf: states[leaf.name] for leaf in layer.graph.state_leaves}
