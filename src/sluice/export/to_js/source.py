"""The constants and the statements of a JavaScript module while it is written."""

from __future__ import annotations

import torch
from torch import Tensor

from sluice.export.step_writer import StepSource
from sluice.export.to_js.operations import JS_OPERATIONS
from sluice.sequence.compression import scale_rows

ALIGNMENT = 16
"""Of an array of constants, in bytes."""


class JsSource(StepSource):
    """Writes arrays as places in one memory: first the constants, then, from ``w`` on, the rest.

    Room is made for the states first (`reserve_state`), then for the inputs.

    Attributes:
        inputs: Where the step copies its arguments to, and their widths.
        output: Where its result stands.
        state_size: How many numbers all states have.
        work_size: How many numbers there are behind the constants.
    """

    language = "JavaScript"
    operations = JS_OPERATIONS

    def __init__(self) -> None:
        super().__init__()
        self.inputs = dict[str, tuple[str, int]]()
        self.output = ""
        self.state_size = self.work_size = 0
        self._states = dict[str, str]()
        self._constants = bytearray()
        self._known = dict[bytes, str]()

    @property
    def constants(self) -> bytes:
        """The constants, float32 and int8, as they lie in memory."""
        return bytes(self._constants)

    def array(self, values: Tensor) -> str:
        """A constant array, float or int8: its place in floats, or in bytes."""
        flat = values.detach().flatten().contiguous()
        is_int8 = flat.dtype == torch.int8
        content = flat.cpu().numpy().astype("i1" if is_int8 else "<f4").tobytes()
        key = bytes([is_int8]) + content
        if key not in self._known:
            place = len(self._constants)
            self._known[key] = str(place if is_int8 else place // 4)
            self._constants += content + bytes(-len(content) % ALIGNMENT)
        return self._known[key]

    def declare(self, width: int) -> str:
        """An array of the step."""
        self.work_size += width
        return f"(w + {self.work_size - width})"

    def add_map(
        self, out: str, weight: Tensor, bias: Tensor | None, operand: str, is_int8: bool
    ) -> None:
        """``out = weight @ operand + bias``; the matrix lies in rows."""
        rows, columns = weight.shape
        added = "-1" if bias is None else self.array(bias.float())
        sizes = f"{rows}, {columns}"
        if is_int8:
            whole, scales = scale_rows(weight)
            own = f"{self.array(whole)}, {self.array(scales)}, {added}"
            self.add(f"mapInt8({out}, {own}, {operand}, {sizes});")
            return
        self.add(f"map({out}, {self.array(weight.float())}, {added}, {operand}, {sizes});")

    def number(self, value: float) -> str:
        """The float32 nearest to a value, in the shortest form that gives it back."""
        if value != value:
            return "NaN"
        if value in (float("inf"), float("-inf")):
            return "Infinity" if value > 0 else "(-Infinity)"
        text = f"{torch.tensor(value, dtype=torch.float32).item():.9g}"
        return f"({text})" if text.startswith("-") else text

    def element(self, array: str, index: str) -> str:
        """An element of an array."""
        return f"m[{array} + {index}]"

    def define(self, name: str, value: str) -> str:
        """A statement that gives a value a name within a loop."""
        return f"const {name} = {value};"

    def int8_element(self, array: str, index: str) -> str:
        """An element of an int8 array as a number."""
        return f"q[{array} + {index}]"

    def reserve_state(self, name: str, width: int) -> None:
        """Make room for a state, before anything else is declared."""
        self._states[name] = self.declare(width)
        self.state_size = self.work_size

    def reserve_input(self, name: str, width: int) -> None:
        """Make room for an argument of the step."""
        self.inputs[name] = self.declare(width), width

    def input_array(self, name: str) -> str:
        """Where the step copies an argument to."""
        return self.inputs[name][0]

    def state_array(self, name: str) -> str:
        """Where the step copies a state to."""
        return self._states[name]

    def output_array(self, width: int) -> str:
        """What the step gives out."""
        self.output = self.declare(width)
        return self.output

    def divide(self, index: str, count: int) -> str:
        """The whole part of an index divided by a count."""
        return f"({index} / {count} | 0)"
