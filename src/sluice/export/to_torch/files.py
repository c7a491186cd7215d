"""`sluice.export.torch`."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

from torch import Tensor, manual_seed, nn, no_grad, randint, randn, zeros
from torch.export import Dim
from torch.export import export as export_program
from torch.export import load as load_program
from torch.export import save as save_program
from torch.random import fork_rng

from sluice.export.comparison import Original
from sluice.export.errors import ExportError
from sluice.export.exported import ExportedFile
from sluice.export.layer_graph import as_layer
from sluice.export.parts import ModelParts, split_model
from sluice.export.to_torch.chain import TorchChain
from sluice.files import StrPath, write_atomically

SHAPES = ((7, 3), (1, 1), (12, 2))
"""Time and batch of the calls that are compared."""


def torch(layer_or_model: nn.Module, path: StrPath, *, check: bool = True) -> ExportedFile:
    """Write a layer or a model as a program of torch's own layers, which runs without Sluice.

    The file is that of `torch.export.save`, which ``torch.export.load(path).module()`` opens, also
    for torch's compilers. Recurrent layers become torch's, as by ``sluice.nn.convert(...,
    to="torch")``; that is the way to a module rather than a file. Time and batch are free. The
    program takes the input and each state, and gives the output and each state after the last step:
    ``(layers × directions, batch, width)``. Nothing is dropped out.

    Args:
        layer_or_model: A `sluice.nn.LSTM`, `GRU` or `RNN` or one of torch's, float32 or float64,
            with or without a readout; or a `sluice.sequence.LanguageModel`, `Tagger` or
            `Classifier` of such layers, whose outputs are logits.
        path: The file, whose name ends in ``.pt2``; missing folders are created.
        check: Open the file, run it at three shapes and compare it with ours in float64.

    Returns:
        The file, its inputs and outputs, and the difference found.

    Raises:
        ExportError: a layer that torch lacks, whose message names what is missing; initial states
            other than zeros; another module; a name that does not end in ``.pt2``; a file that
            differs by more than rounding explains, of which nothing is written.
        OSError: the file cannot be written.

    Example:
        >>> import sluice, tempfile, torch
        >>> path = tempfile.mkdtemp() + "/lstm.pt2"
        >>> made = sluice.export.torch(sluice.nn.LSTM(3, 8), path)
        >>> made.outputs
        {'output': ('time', 'batch', 8), 'h_n': (1, 'batch', 8), 'c_n': (1, 'batch', 8)}
        >>> h, c = torch.zeros(2, 1, 5, 8)
        >>> torch.export.load(path).module()(torch.zeros(20, 5, 3), h, c)[0].shape
        torch.Size([20, 5, 8])
    """
    path, parts = Path(path), split_model(layer_or_model)
    if path.suffix != ".pt2":
        raise ExportError(f"the name of a program of torch must end in .pt2, got {path.name}")
    if parts is None:
        raise ExportError(
            "a program of torch is written of recurrent layers, language models, taggers and "
            f"classifiers, not of a {type(layer_or_model).__name__}; in Python "
            'sluice.nn.convert(model, to="torch") changes the layers of any module'
        )
    chain = TorchChain(parts).eval()
    content = _export(chain, parts)
    module = as_layer(layer_or_model) or layer_or_model
    difference = _check(module, chain, parts, content) if check else None
    write_atomically(path, content)
    return _describe(path, len(content), chain, parts, difference)


def _export(chain: TorchChain, parts: ModelParts) -> bytes:
    time, batch = Dim("time", min=1), Dim("batch", min=1)
    first = {0: batch, 1: time} if chain.batch_first else {0: time, 1: batch}
    x, *states = _draw(chain, parts, 7, 3)
    shapes: Any = {"x": first, "states": tuple({1: batch} for _ in states)}
    file = io.BytesIO()
    with warnings.catch_warnings(), no_grad():
        warnings.simplefilter("ignore")
        save_program(export_program(chain, (x, *states), dynamic_shapes=shapes), file)
    return file.getvalue()


def _draw(chain: TorchChain, parts: ModelParts, steps: int, batch: int) -> list[Tensor]:
    """An input and zeros as states."""
    lead = (batch, steps) if chain.batch_first else (steps, batch)
    dtype = next(chain.parameters()).dtype
    x = randint(parts.input_size, lead)
    if parts.table is None:
        x = randn(*lead, parts.input_size, dtype=dtype)
    return [x, *(zeros(chain.places, batch, width, dtype=dtype) for width in chain.sizes)]


def _check(module: nn.Module, chain: TorchChain, parts: ModelParts, content: bytes) -> float:
    """The greatest difference between the program and ``module`` in float64."""
    original, worst = Original(module), 0.0
    program: Any = load_program(io.BytesIO(content)).module()
    with fork_rng(devices=[]), no_grad():
        manual_seed(0)
        for number, (steps, batch) in enumerate(SHAPES):
            x, *states = _draw(chain, parts, steps, batch)
            found = program(x, *states)[0]
            if not chain.batch_first:
                x, found = x.transpose(0, 1), found if parts.reads_ends else found.transpose(0, 1)
            case = f"check {number + 1} (time {steps}, batch {batch})"
            worst = max(worst, original.compare(x, found, case))
    return worst


def _describe(
    path: Path, size: int, chain: TorchChain, parts: ModelParts, difference: float | None
) -> ExportedFile:
    lead = ("batch", "time") if chain.batch_first else ("time", "batch")
    name = "input" if parts.table is None else "tokens"
    inputs: dict[str, tuple[int | str, ...]] = {
        name: lead if parts.table is not None else (*lead, parts.input_size)
    }
    ends = ("batch",) if parts.reads_ends else lead
    outputs: dict[str, tuple[int | str, ...]] = {"output": (*ends, parts.output_size)}
    for state, width in zip(chain.state_names, chain.sizes, strict=True):
        inputs[f"{state}_0"] = outputs[f"{state}_n"] = (chain.places, "batch", width)
    usage = f"torch.export.load({path.name!r}).module()({', '.join(inputs)})"
    return ExportedFile(path, size, inputs, outputs, difference, usage)
