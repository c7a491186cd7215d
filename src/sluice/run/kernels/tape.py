"""What the kernels keep of every step, read back."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from sluice.run.spec import RunSpec


class TapeReader:
    """Reads a named value, ``(time, batch, width)``, where the kernels left it.

    Args:
        job: The pass.
        program: The program for the kernels that it ran.
        tape: What it left; None where it left nothing.
        places: (place, item) of each name; a name that is missing is zero throughout.
        order: What brings the tape's sequences into the order of the caller; None where they are.
        output: The output; a value given out alone lies there where the tape does without it.
    """

    def __init__(
        self,
        spec: RunSpec,
        program: Any,
        tape: Any,
        locations: Mapping[str, tuple[int, int]],
        order: Tensor | None,
        output: Tensor | None = None,
    ) -> None:
        self._program, self._tape, self._locations, self._order = program, tape, locations, order
        self._named, self._sizes, self._shape = (
            spec.graph.outputs_by_name,
            spec.sizes,
            spec.x.shape[:2],
        )
        self._like = spec.x.new_empty(0)
        self._from_output: dict[str, Tensor] = {}
        first, *others = spec.graph.output
        if output is not None and not others and not tape.holds(locations[first][0]):
            self._from_output[first] = _copy(output)  # others may write to the output

    def __call__(self, name: str) -> Tensor:
        value = self._from_output[name] if name in self._from_output else self._read_tape(name)
        return value if self._order is None else value.index_select(1, self._order)

    def _read_tape(self, name: str) -> Tensor:
        shape = (*self._shape, self._sizes.of(self._named[name].width))
        if name not in self._locations:
            return self._like.new_zeros(shape)
        made = self._like.new_empty(shape)
        self._tape.read(self._program, *self._locations[name], made.data_ptr())
        return made


def _copy(tensor: Tensor) -> Tensor:
    """A copy by this thread alone: torch's would spin for milliseconds beside a kernel."""
    made = tensor.new_empty(tensor.shape)
    ctypes.memmove(made.data_ptr(), tensor.data_ptr(), tensor.nbytes)
    return made
