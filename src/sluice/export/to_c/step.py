"""The constants and the statements of a C program while it is written."""

from __future__ import annotations

import torch
from torch import Tensor

from sluice.export.step_writer import StepSource
from sluice.export.to_c.helpers import lay_out_blocks
from sluice.export.to_c.operations import C_OPERATIONS
from sluice.sequence.compression import scale_rows


class CSource(StepSource):
    """Constants and statements while they are written."""

    language = "C"
    operations = C_OPERATIONS

    def __init__(self) -> None:
        super().__init__()
        self.constants = list[str]()
        self.constant_bytes = 0
        self._known = dict[str, str]()

    def array(self, values: Tensor) -> str:
        """A constant array, float or int8; equal ones are one."""
        flat = values.detach().flatten()
        is_int8 = flat.dtype == torch.int8
        text = ", ".join(str(one) if is_int8 else write_number(one) for one in flat.tolist())
        kind = "int8_t" if is_int8 else "float"
        if (kind + text) not in self._known:
            name = self.new_name("k")
            self._known[kind + text] = name
            self.constants.append(f"static const {kind} {name}[{len(flat)}] = {{{text}}};")
            self.constant_bytes += len(flat) * flat.element_size()
        return self._known[kind + text]

    def declare(self, width: int) -> str:
        """An array of the step."""
        name = self.new_name("v")
        self.add(f"float {name}[{width}];")
        return name

    def add_map(
        self, out: str, weight: Tensor, bias: Tensor | None, operand: str, is_int8: bool
    ) -> None:
        """``out = weight @ operand + bias``; the matrix lies in blocks of rows."""
        rows, columns = weight.shape
        added = "0" if bias is None else self.array(bias.float())
        sizes = f"{rows}, {columns}"
        if is_int8:
            whole, scales = scale_rows(weight)
            own = (self.array(lay_out_blocks(whole)), self.array(scales), added)
            self.add(f"map_int8({out}, {', '.join(own)}, {operand}, {sizes});")
            return
        laid = self.array(lay_out_blocks(weight.float()))
        self.add(f"map({out}, {laid}, {added}, {operand}, {sizes});")

    def number(self, value: float) -> str:
        """A float literal."""
        return write_number(value)

    def element(self, array: str, index: str) -> str:
        """An element of an array."""
        return f"{array}[{index}]"

    def define(self, name: str, value: str) -> str:
        """A statement that gives a value a name within a loop."""
        return f"const float {name} = {value};"

    def int8_element(self, array: str, index: str) -> str:
        """An element of an int8 array as a number."""
        return f"(float){array}[{index}]"

    def input_array(self, name: str) -> str:
        """The argument of the step."""
        return name

    def state_array(self, name: str) -> str:
        """The member of the struct."""
        return f"state->{name}"

    def output_array(self, width: int) -> str:
        """The argument of the step."""
        return "output"

    def divide(self, index: str, count: int) -> str:
        """The whole part of an index divided by a count."""
        return f"{index} / {count}"


def write_number(value: float) -> str:
    """A float literal that is the float32 nearest to ``value``."""
    if value != value:
        return "NAN"
    if value in (float("inf"), float("-inf")):
        return "INFINITY" if value > 0 else "(-INFINITY)"
    text = f"{torch.tensor(value, dtype=torch.float32).item():.9g}"
    text = text if any(mark in text for mark in ".e") else f"{text}.0"
    return f"({text}f)" if text.startswith("-") else f"{text}f"
