"""`sluice.export.c`."""

from __future__ import annotations

import re
from pathlib import Path

from torch import nn

from sluice.export.errors import ExportError
from sluice.export.exported import ExportedFile
from sluice.export.network_writer import choose_network
from sluice.export.to_c.compiled import check_program
from sluice.export.to_c.program import FLAGS, ProgramWriter
from sluice.files import StrPath, write_atomically
from sluice.sequence.models import LanguageModel


def c(
    layer_or_model: nn.Module, path: StrPath, *, int8: bool = False, check: bool = True
) -> ExportedFile:
    """Write a layer, or a language model, as C99: ``path`` and a header beside it.

    A struct holds the state; ``NAME_reset`` starts a sequence, ``NAME_step`` computes a step, NAME
    being the file's name. Nothing is allocated. exp, tanh and log are the file's own, and no
    products are fused with sums: every compiler and processor gives the same bits, but where a
    cell uses sin, cos, erf or a power, which are the C library's.

    Args:
        layer_or_model: A float32 layer of one direction, of any cell, with its readout; or a
            `sluice.sequence.LanguageModel`, whose step takes a token's id and gives logits.
        path: The C file, whose name ends in ``.c``; missing folders are created.
        int8: Write matrices in int8 with a scale for each row; sums stay in float32.
        check: Compile the program with the machine's C compiler, run it and compare it with ours
            in float64.

    Returns:
        The C file, the bytes of both files, and the difference found.

    Raises:
        ExportError: the program differs from ours by more than rounding explains, and nothing is
            written; a layer that reads from the end, copies, float64; another module; no compiler
            for the check; a name that does not end in ``.c``.
        OSError: a file cannot be written.

    Example:
        >>> import sluice, tempfile
        >>> path = tempfile.mkdtemp() + "/mgu.c"
        >>> made = sluice.export.c(sluice.nn.Recurrent("mgu", 3, 8), path)
        >>> made.inputs, made.outputs
        ({'input': (3,)}, {'output': (8,)})
    """
    path = Path(path)
    if path.suffix != ".c":
        raise ExportError(f"the name of the C file must end in .c, got {path.name}")
    name = re.sub(r"\W", "_", path.stem, flags=re.ASCII)
    name = f"net_{name}" if name[0].isdigit() else name
    if name != path.stem:
        raise ExportError(f"{path.name} must be a name of C before .c, as in {name}.c")
    module = choose_network(layer_or_model, "C")
    program = ProgramWriter(module, name, int8).write()
    checked = check_program(module, program, name, int8=int8) if check else None
    texts = {path.with_suffix(".h"): program.header, path: program.body}
    for file, text in texts.items():
        write_atomically(file, text.encode())
    is_model = isinstance(module, LanguageModel)
    inputs: dict[str, tuple[int | str, ...]] = {
        "token" if is_model else "input": () if is_model else (program.input_size,)
    }
    inputs |= {f"input_{one}": (width,) for one, width in program.inputs.items()}
    size = sum(len(text.encode()) for text in texts.values())
    code = "" if checked is None or not checked.code_bytes else f"{checked.code_bytes:,} of code, "
    usage = (
        f"cc {FLAGS} -c {path.name}: {name}_reset, then {name}_step. "
        f"Bytes: {code}{program.constant_bytes:,} of constants, {program.state_bytes:,} of state"
    )
    difference = None if checked is None else checked.difference
    return ExportedFile(path, size, inputs, {"output": (program.output_size,)}, difference, usage)
