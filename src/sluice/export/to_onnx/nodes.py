"""Nodes of a cell's graph as nodes of ONNX."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch

from sluice.equations.graph import Affine, Elementwise, Node, RowMap, RowNorm
from sluice.export.layer_graph import LayerGraph
from sluice.export.to_onnx.builder import OnnxBuilder
from sluice.export.to_onnx.operations import ONNX_OPERATIONS, write_row_map


class NodeWriter:
    """Writes groups of nodes whose values have ``rank`` dimensions, the last being units.

    ``values`` are the names of what is computed already; those written are added.
    """

    def __init__(
        self, builder: OnnxBuilder, layer: LayerGraph, values: dict[Node, str], rank: int
    ) -> None:
        self.builder, self.layer, self.values, self._rank = builder, layer, values, rank

    def write(self, groups: Iterable[tuple[Node, ...]]) -> None:
        """Add every node of ``groups``; maps and norms of one operand are a group."""
        for group in groups:
            first = group[0]
            if isinstance(first, Affine):
                self._write_maps(cast(tuple[Affine, ...], group))
            elif isinstance(first, RowNorm):
                self._write_norm(cast(tuple[RowNorm, ...], group))
            elif isinstance(first, RowMap):
                sizes = [self.layer.sizes.of(n.width) for n in (first.operand, first)]
                operand = self.get(first.operand)
                self.values[first] = write_row_map(
                    self.builder, first.op, operand, self._rank, *sizes
                )
            else:
                self._write_elementwise(cast(Elementwise, first))

    def get(self, node: Node) -> str:
        """The name of a node's value; one that nothing changes is a constant."""
        if node not in self.values:
            return self.builder.constant(self.layer.fixed_values[node])
        return self.values[node]

    def get_rows(self, node: Node, like: str) -> str:
        """A value with a row for each sequence (and step), as many as ``like`` has."""
        if node in self.values:
            return self.values[node]
        builder, lead = self.builder, self._rank - 1
        width = builder.constant([self.layer.sizes.of(node.width)])
        shape = builder.join([builder.add("Shape", like, start=0, end=lead), width], axis=0)
        return builder.add("Expand", self.get(node), shape)

    def _write_elementwise(self, node: Elementwise) -> None:
        operands = [self.get(operand) for operand in node.arguments]
        self.values[node] = ONNX_OPERATIONS[node.op](self.builder, *operands)

    def _write_maps(self, group: tuple[Affine, ...]) -> None:
        builder, first = self.builder, group[0]
        operand = self.get(first.operand)
        if self.layer.graph.get_stack(first.stack).heads > 1:
            for node in group:
                self.values[node] = self._write_heads(node, operand)
            return
        weights = [self.layer.read_map(node) for node in group]
        rows = torch.cat([weight for weight, _ in weights])
        factor = builder.add_columns(rows, is_int8=self.layer.is_int8)
        product = builder.add("MatMul", operand, factor)
        parts = builder.split(product, [len(weight) for weight, _ in weights])
        for node, part, (_, bias) in zip(group, parts, weights, strict=True):
            self.values[node] = (
                part if bias is None else builder.add("Add", part, builder.constant(bias))
            )

    def _write_heads(self, node: Affine, operand: str) -> str:
        """A block-diagonal map: each head reads its own units."""
        builder, heads = self.builder, self.layer.graph.get_stack(node.stack).heads
        weight, bias = self.layer.read_map(node)
        units, columns = weight.shape
        lead = [0] * (self._rank - 1)
        parts = builder.add("Reshape", operand, builder.constant([*lead, heads, 1, columns]))
        rows = builder.add_rows(weight, is_int8=self.layer.is_int8)
        blocks = builder.add("Reshape", rows, builder.constant([heads, units // heads, columns]))
        product = builder.add("MatMul", parts, builder.add("Transpose", blocks, perm=[0, 2, 1]))
        found = builder.add("Reshape", product, builder.constant([*lead, units]))
        return found if bias is None else builder.add("Add", found, builder.constant(bias))

    def _write_norm(self, nodes: tuple[RowNorm, ...]) -> None:
        builder, first = self.builder, nodes[0]
        like = next(self.values[part] for part in first.group if part in self.values)
        joined = builder.join([self.get_rows(part, like) for part in first.group])
        weight, bias = map(builder.constant, self.layer.read_norm(first.norm))
        epsilon = self.layer.graph.get_norm(first.norm).epsilon
        normed = builder.add("LayerNormalization", joined, weight, bias, axis=-1, epsilon=epsilon)
        parts = builder.split(normed, [self.layer.sizes.of(part.width) for part in first.group])
        for node in nodes:
            self.values[node] = parts[node.index]
