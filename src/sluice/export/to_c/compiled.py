"""A C program compiled here and run beside what it was written from."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
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


@dataclass(frozen=True)
class CheckedProgram:
    """What came of compiling a program here.

    Attributes:
        difference: The greatest difference from ours in float64.
        code_bytes: The bytes of machine code; None where the machine lacks the program ``size``.
    """

    difference: float
    code_bytes: int | None


def check_program(
    module: RecurrentStack | LanguageModel, program: CProgram, name: str, *, int8: bool
) -> CheckedProgram:
    """The program compiled and run beside ``module``.

    Raises `ExportError` where they differ by more than rounding explains, or where there is no
    compiler.
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

        difference = check_steps(module, program.inputs, run, int8=int8)
        return CheckedProgram(difference, _measure_code(Path(folder) / f"{name}.o"))


def _compile(compiler: str, program: CProgram, name: str, folder: Path, reads_tokens: bool) -> Path:
    (folder / f"{name}.h").write_text(program.header)
    (folder / f"{name}.c").write_text(program.body)
    (folder / "driver.c").write_text(write_driver(program, name, reads_tokens=reads_tokens))
    for rest in (["-c", f"{name}.c"], ["driver.c", f"{name}.o", "-lm", "-o", "driver"]):
        command = [compiler, *FLAGS.split(), *rest]
        said = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if said.returncode:
            raise ExportError(f"{compiler} cannot compile the program: {said.stderr.strip()[:500]}")
    return folder / "driver"


def _measure_code(compiled: Path) -> int | None:
    """The bytes of a compiled file's instructions, by the sections that hold them."""
    if shutil.which("size") is None:
        return None
    said = subprocess.run(["size", "-A", compiled], capture_output=True, text=True, check=False)
    rows = (line.split() for line in said.stdout.splitlines())
    found = [
        int(row[1]) for row in rows if len(row) == 3 and row[0].startswith((".text", "__text"))
    ]
    return sum(found) or None
