"""`sluice.export.js`."""

from __future__ import annotations

from pathlib import Path

from torch import nn

from sluice.export.errors import ExportError
from sluice.export.exported import ExportedFile
from sluice.export.network_writer import choose_network
from sluice.export.to_js.engine import check_program
from sluice.export.to_js.program import write_program
from sluice.files import StrPath, write_atomically
from sluice.sequence import Vocabulary
from sluice.sequence.models import LanguageModel


def js(
    layer_or_model: nn.Module,
    path: StrPath,
    *,
    vocabulary: Vocabulary | None = None,
    int8: bool = False,
    wasm: bool | None = None,
    check: bool = True,
) -> ExportedFile:
    """Write a layer, or a language model, as one JavaScript module with its weights inside.

    It runs in browsers and in node, and imports nothing. ``createState()`` is the state of a
    sequence, ``reset(state)`` begins another one, ``step(state, input)`` computes a step and
    returns a ``Float32Array``. A model's step takes a token's id and gives logits;
    ``generate({ prompt, temperature, seed, length })`` draws ids one by one, the same as
    `sluice.sequence.generate` for a seed below 2^53, but for rounding.

    Args:
        layer_or_model: A float32 layer of one direction, of any cell, with its readout; or a
            `sluice.sequence.LanguageModel`.
        path: The file, whose name ends in ``.js`` or ``.mjs``; missing folders are created.
        vocabulary: A model's, for ``encode(text)`` and ``decode(ids)``.
        int8: Write matrices in int8 with a scale for each row, a quarter of the size.
        wasm: Add the matrix products in WebAssembly with SIMD, 4 KB, for engines that have it; it
            needs clang and wasm-ld. None adds them where these are installed.
        check: Run the module in node, if there is one, and compare it with ours in float64.

    Returns:
        The file, its size, and the difference found; None where there is no node.

    Raises:
        ExportError: the module differs from ours by more than rounding explains, and nothing is
            written; a layer that reads from the end, copies, float64; another module; a
            vocabulary of subwords, or one without a model; another name; ``wasm`` without its
            compiler.
        OSError: the file cannot be written.

    Example:
        >>> import sluice, tempfile
        >>> path = tempfile.mkdtemp() + "/mgu.js"
        >>> sluice.export.js(sluice.nn.Recurrent("mgu", 3, 8), path).outputs
        {'output': (8,)}
    """
    path = Path(path)
    if path.suffix not in (".js", ".mjs"):
        raise ExportError(f"the name of a JavaScript module must end in .js, got {path.name}")
    module = choose_network(layer_or_model, "JavaScript")
    is_model = isinstance(module, LanguageModel)
    if vocabulary is not None and not isinstance(module, LanguageModel):
        raise ExportError("vocabulary: of a language model alone; leave it out")
    program = write_program(module, path.stem, int8=int8, vocabulary=vocabulary, wasm=wasm)
    difference = check_program(module, program, int8=int8) if check else None
    content = program.text.encode()
    write_atomically(path, content)
    inputs: dict[str, tuple[int | str, ...]] = {
        "token" if is_model else "input": () if is_model else (program.input_size,)
    }
    inputs |= {f"input_{one}": (width,) for one, width in program.inputs.items()}
    names = "createState, generate, step" if is_model else "createState, reset, step"
    usage = f'import {{ {names} }} from "./{path.name}"'
    return ExportedFile(
        path, len(content), inputs, {"output": (program.output_size,)}, difference, usage
    )
