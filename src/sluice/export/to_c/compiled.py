"""A C program compiled here and run beside what it was written from."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from sluice.export.errors import ExportError
from sluice.export.step_check import check_steps
from sluice.export.to_c.program import FLAGS, CProgram
from sluice.nn.stack import RecurrentStack
from sluice.sequence.models import LanguageModel

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
    with tempfile.TemporaryDirectory() as folder:
        is_model = isinstance(module, LanguageModel)
        binary = _compile(compiler, program, name, Path(folder), is_model)

        def run(given: list[Tensor]) -> list[Tensor]:
            sent = (one.numpy().tobytes() for one in given)
            said = (
                subprocess.run([binary], input=s, capture_output=True, check=True) for s in sent
            )
            return [torch.frombuffer(bytearray(s.stdout), dtype=torch.float32) for s in said]

        return check_steps(module, program.inputs, run, int8=int8)


def _compile(compiler: str, program: CProgram, name: str, folder: Path, reads_tokens: bool) -> Path:
    (folder / f"{name}.h").write_text(program.header)
    (folder / f"{name}.c").write_text(program.body)
    (folder / "driver.c").write_text(write_driver(program, name, reads_tokens=reads_tokens))
    command = [compiler, *FLAGS.split(), f"{name}.c", "driver.c", "-lm", "-o", "driver"]
    said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if said.returncode:
        raise ExportError(f"{compiler} cannot compile the program: {said.stderr.strip()[:500]}")
    return folder / "driver"
