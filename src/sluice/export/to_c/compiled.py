"""A C program compiled here and run beside what it was written from."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from copy import deepcopy
from pathlib import Path

import torch
from torch import Tensor

from sluice.export.comparison import find_tolerance, measure_difference
from sluice.export.errors import ExportError
from sluice.export.layer_graph import round_rows
from sluice.export.to_c.program import FLAGS, CProgram
from sluice.nn.stack import RecurrentStack
from sluice.run.dispatch import REFERENCE
from sluice.sequence.models import LanguageModel

STEPS = (12, 1, 7)
"""The lengths of the sequences that are compared."""

_DRIVER = """\
#include <stdio.h>
#include "{name}.h"
int main(void)
{{
    static {name}_state state;
    static {kind} x[{count}];
    static float y[{upper}_OUTPUT_SIZE];
    {name}_reset(&state);
    while (fread(x, 4, {count}, stdin) == {count}) {{
        {name}_step(&state, {first}{beside}, y);
        fwrite(y, 4, {upper}_OUTPUT_SIZE, stdout);
    }}
    return 0;
}}
"""


def write_driver(program: CProgram, name: str, *, reads_tokens: bool) -> str:
    """A program that reads the inputs of every step from its input, and writes the outputs."""
    start, beside = program.input_size, list[str]()
    for width in program.inputs.values():
        beside.append(f", x + {start}")
        start += width
    return _DRIVER.format(
        name=name, upper=name.upper(), kind="int" if reads_tokens else "float",
        count=1 if reads_tokens else start, first="x[0]" if reads_tokens else "x",
        beside="".join(beside),
    )  # fmt: skip


def check_program(
    module: RecurrentStack | LanguageModel, program: CProgram, name: str, *, int8: bool
) -> float:
    """The greatest difference between the compiled program and ``module`` in float64.

    Raises `ExportError` where it is more than rounding explains, or where there is no compiler.
    """
    compiler = next((one for one in ("cc", "gcc", "clang") if shutil.which(one)), None)
    if compiler is None:
        raise ExportError("the check needs a C compiler (cc, gcc or clang); or say check=False")
    own, worst = deepcopy(module).cpu().eval(), 0.0
    layer = own if isinstance(own, RecurrentStack) else own.layers
    layer.backend = REFERENCE
    if int8:
        with torch.no_grad():
            for tensor in (*own.parameters(), *own.buffers()):
                tensor.copy_(round_rows(tensor))
    exact = deepcopy(own).double()
    with tempfile.TemporaryDirectory() as folder:
        binary = _compile(compiler, program, name, Path(folder), isinstance(own, LanguageModel))
        with torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            for number, steps in enumerate(STEPS):
                given = _draw_inputs(own, program, steps)
                expected, rounded = ({"output": _call(one, given)} for one in (exact, own))
                rows = [one.view(steps, -1) for one in given.values()]
                sent = rows[0].int() if isinstance(own, LanguageModel) else torch.cat(rows, 1)
                said = subprocess.run(
                    [binary], input=sent.numpy().tobytes(), capture_output=True, check=True
                ).stdout
                found = torch.frombuffer(bytearray(said), dtype=torch.float32)
                tolerance = find_tolerance(rounded, expected, torch.float32)
                case = f"check {number + 1} ({steps} steps)"
                shaped = {"output": found.view(steps, -1)}
                worst = max(worst, measure_difference(shaped, expected, tolerance, case))
    return worst


def _compile(compiler: str, program: CProgram, name: str, folder: Path, reads_tokens: bool) -> Path:
    (folder / f"{name}.h").write_text(program.header)
    (folder / f"{name}.c").write_text(program.body)
    (folder / "driver.c").write_text(write_driver(program, name, reads_tokens=reads_tokens))
    command = [compiler, *FLAGS.split(), f"{name}.c", "driver.c", "-lm", "-o", "driver"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if said.returncode:
        raise ExportError(f"{compiler} cannot compile the program: {said.stderr.strip()[:500]}")
    return folder / "driver"


def _draw_inputs(
    module: RecurrentStack | LanguageModel, program: CProgram, steps: int
) -> dict[str, Tensor]:
    if isinstance(module, LanguageModel):
        return {"tokens": torch.randint(program.input_size, (steps, 1))}
    found = {"input": torch.randn(steps, 1, program.input_size)}
    return found | {name: torch.rand(steps, 1, width) for name, width in program.inputs.items()}


def _call(module: RecurrentStack | LanguageModel, given: dict[str, Tensor]) -> Tensor:
    """The outputs of all steps, ``(time, width)``."""
    dtype = next(module.parameters()).dtype
    first, *beside = (one.to(dtype) if one.is_floating_point() else one for one in given.values())
    named = dict(zip(list(given)[1:], beside, strict=True))
    time_major = not (isinstance(module, RecurrentStack) and module.batch_first)
    if not time_major:
        first, named = first.transpose(0, 1), {n: t.transpose(0, 1) for n, t in named.items()}
    y: Tensor = module(first, **named)[0]
    return y.reshape(len(next(iter(given.values()))), -1)
