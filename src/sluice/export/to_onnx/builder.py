"""An ONNX graph while it is written: nodes, constants, names."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import torch
from torch import Tensor

from sluice.extras import MissingExtraError
from sluice.sequence.compression import scale_rows

try:
    from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper
except ModuleNotFoundError as error:
    raise MissingExtraError(error.name or "onnx", "export") from None

OPSET, IR_VERSION = 18, 9
_KINDS = {
    torch.float32: TensorProto.FLOAT,
    torch.float64: TensorProto.DOUBLE,
    torch.int64: TensorProto.INT64,
    torch.bool: TensorProto.BOOL,
}
Shape = Sequence[int | str]
"""A number, or the name of a dimension that may have any size."""


class OnnxBuilder:
    """Nodes of one graph, or of the body of a `Scan`, which reads the constants of its graph.

    Args:
        dtype: of the floating point values, float32 or float64.
        prefix: what the names of its values begin with.
        outer: the graph around this one.
    """

    def __init__(
        self, dtype: torch.dtype, prefix: str = "", outer: OnnxBuilder | None = None
    ) -> None:
        self.dtype = dtype
        self.nodes = list[NodeProto]()
        self._root: OnnxBuilder = self if outer is None else outer._root
        if outer is None:
            self.prefix, self.constants = prefix, list[TensorProto]()
            self._numbers, self._names = count(), dict[tuple[Any, ...], str]()

    def new_name(self, hint: str) -> str:
        """A name that no other value has."""
        return f"{self._root.prefix}{hint}_{next(self._root._numbers)}"

    def constant(self, value: Tensor | float | bool | Sequence[int]) -> str:
        """A constant of the graph; integers are int64."""
        return self._add_constant(self._as_tensor(value).detach())

    def _add_constant(self, tensor: Tensor) -> str:
        tensor = tensor.contiguous()
        key = (tensor.dtype, tensor.shape, tensor.view(-1).numpy().tobytes())
        root = self._root
        if key not in root._names:
            root._names[key] = name = self.new_name("constant")
            root.constants.append(numpy_helper.from_array(tensor.numpy(), name))
        return root._names[key]

    def _as_tensor(self, value: Tensor | float | bool | Sequence[int]) -> Tensor:
        if isinstance(value, Tensor):
            return value.to(self.dtype) if value.is_floating_point() else value
        if isinstance(value, bool):
            return torch.tensor(value)
        if isinstance(value, int | float):
            return torch.tensor(float(value), dtype=self.dtype)
        return torch.tensor(list(value), dtype=torch.int64)

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        """A node of one result, whose name is returned."""
        return self.add_several(op, 1, *inputs, **attributes)[0]

    def add_several(self, op: str, outputs: int, *inputs: str, **attributes: Any) -> list[str]:
        """A node of several results."""
        names = [self.new_name(op.lower()) for _ in range(outputs)]
        self.nodes.append(helper.make_node(op, list(inputs), names, **attributes))
        return names

    def rename(self, value: str, name: str) -> str:
        """The same value under a given name."""
        self.nodes.append(helper.make_node("Identity", [value], [name]))
        return name

    def add_rows(self, matrix: Tensor, *, is_int8: bool) -> str:
        """A matrix ``(rows, columns)``; as int8 with a scale for each row, or as it is.

        It is rescaled outside all loops.
        """
        if not is_int8:
            return self.constant(matrix)
        root, (rows, scales) = self._root, scale_rows(matrix)
        steps = self._add_constant(scales)  # opset 18 knows scales in float32 alone
        value = root.add("DequantizeLinear", self._add_constant(rows), steps, axis=0)
        return value if self.dtype == torch.float32 else root.cast(value)

    def add_columns(self, matrix: Tensor, *, is_int8: bool) -> str:
        """The same, transposed: the right factor of a product.

        Its scales stay along the first axis: beside a product onnxruntime takes those along the
        second for leave to round the other factor too.
        """
        if not is_int8:
            return self.constant(matrix.T)
        return self._root.add("Transpose", self.add_rows(matrix, is_int8=True))

    def cast(self, value: str) -> str:
        """A value in the dtype of the graph."""
        return self.add("Cast", value, to=_KINDS[self.dtype])

    def split(self, value: str, widths: Sequence[int]) -> list[str]:
        """The parts of a value's last dimension."""
        if len(widths) == 1:
            return [value]
        return self.add_several("Split", len(widths), value, self.constant(list(widths)), axis=-1)

    def join(self, values: Sequence[str], axis: int = -1) -> str:
        """Values side by side."""
        return values[0] if len(values) == 1 else self.add("Concat", *values, axis=axis)

    def dimension(self, value: str, axis: int) -> str:
        """The size of one dimension, ``(1,)``."""
        return self.add("Shape", value, start=axis, end=axis + 1)

    def describe(self, name: str, shape: Shape, dtype: torch.dtype | None = None) -> ValueInfoProto:
        """An input or output of the graph."""
        return helper.make_tensor_value_info(name, _KINDS[dtype or self.dtype], list(shape))

    def finish(
        self, name: str, inputs: Sequence[ValueInfoProto], outputs: Sequence[ValueInfoProto]
    ) -> GraphProto:
        """The graph; only the outermost one holds constants."""
        constants = self.constants if self._root is self else []
        return helper.make_graph(self.nodes, name, list(inputs), list(outputs), constants)
