"""What depends on the input alone, for all steps at once, in torch's operations."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from sluice.codegen.body import PARAMETER, SCALAR
from sluice.codegen.program import Phase, Product, Program
from sluice.equations.evaluation import expand_bias
from sluice.equations.graph import Elementwise, Graph, Leaf, Node, sort_topologically
from sluice.equations.op_table import OPS
from sluice.equations.specs import Sizes


class HoistedPhases:
    """Runs the hoisted phases of a program and keeps what the steps read.

    ``items`` holds ``(time, batch, width)`` by buffer and item; ``parameters`` are by name;
    ``locate`` gives what lies outside these phases, of a buffer and an item.
    """

    def __init__(
        self,
        graph: Graph,
        sizes: Sizes,
        program: Program,
        parameters: dict[str, Tensor],
        get_weight: Callable[[str], Tensor],
        locate: Callable[[int, int], Tensor],
        dtype: torch.dtype,
        product_dtype: torch.dtype,
    ) -> None:
        self.graph, self.sizes, self.program = graph, sizes, program
        self.parameters, self.get_weight, self.locate = parameters, get_weight, locate
        self.dtype, self.product_dtype = dtype, product_dtype
        self.items: dict[tuple[int, int], Tensor] = {}
        self._whole: dict[int, Tensor] = {}

    def build_buffer(self, k: int) -> Tensor:
        """All items of a buffer side by side, ``(time, batch, items × width)``."""
        if k not in self._whole:
            items = [self.items[k, n] for n in range(self.program.buffers[k].items)]
            self._whole[k] = torch.cat([item.to(self.dtype) for item in items], -1)
        return self._whole[k]

    def run(self) -> None:
        """Run all phases."""
        for phase in self.program.hoisted:
            self._run_statistics(phase)
            for product in phase.products:
                self._run_product(product)
            if phase.body is not None:
                self._run_body(phase)

    def get(self, k: int, item: int) -> Tensor:
        """A value that is computed here or lies outside."""
        found = self.items.get((k, item))
        return self.locate(k, item) if found is None else found

    def _run_statistics(self, phase: Phase) -> None:
        for statistics in phase.statistics:
            norm = self.graph.get_norm(statistics.norm)
            parts = [self.get(k, item).to(self.dtype) for k, item in statistics.sources]
            variance, mean = torch.var_mean(torch.cat(parts, -1), -1, correction=0, keepdim=True)
            self.items[statistics.target, statistics.item] = mean
            scale = torch.rsqrt(variance + norm.epsilon)
            self.items[statistics.target, statistics.item + 1] = scale

    def _run_product(self, product: Product) -> None:
        stack = self.graph.get_stack(product.stack)
        rows = stack.row_ranges(self.sizes)
        operand = self.get(product.operand, 0).to(self.product_dtype)
        weight = self.get_weight(stack.name)
        bias = self.parameters.get(f"bias_{stack.name}") if stack.bias else None
        if bias is not None:
            bias = expand_bias(stack, self.sizes, bias)
        starts = [rows[gate][0] for gate in product.gates]
        width = rows[product.gates[0]][1]
        if stack.heads == 1 and stack.are_adjacent(product.gates, self.sizes):
            part = slice(starts[0], starts[0] + width * len(starts))
            own_bias = None if bias is None else bias[part].to(operand.dtype)
            result = F.linear(operand, weight[part], own_bias)
            if len(starts) == self.program.buffers[product.target].items:
                self._whole[product.target] = result
            for n in range(len(starts)):
                self.items[product.target, product.item + n] = result[
                    ..., n * width : (n + 1) * width
                ]
            return
        for n, start in enumerate(starts):
            own = weight[start : start + width].unflatten(0, (stack.heads, -1))
            blocks = operand.unflatten(-1, (stack.heads, -1))
            result = torch.einsum("tbhk,huk->tbhu", blocks, own).flatten(-2)
            if bias is not None:
                result = result + bias[start : start + width].to(result.dtype)
            self.items[product.target, product.item + n] = result

    def _run_body(self, phase: Phase) -> None:
        body = phase.body
        assert body is not None
        values: dict[Node, Tensor] = {}
        for node, access in body.inputs:
            k = phase.buffers[access.slot]
            assert access.kind in (PARAMETER, SCALAR, "load")
            values[node] = self.get(k, access.item).to(self.dtype)
        like = next(iter(values.values()))
        for node in sort_topologically([n for n, _ in body.outputs], known=list(values)):
            if isinstance(node, Leaf):
                values[node] = torch.full(
                    (), float(node.name), dtype=self.dtype, device=like.device
                )
            else:
                assert isinstance(node, Elementwise)
                values[node] = OPS[node.op].torch(*(values[a] for a in node.arguments))
        for node, access in body.outputs:
            self.items[phase.buffers[access.slot], access.item] = values[node]
