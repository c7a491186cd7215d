"""`sluice.export.torch`."""

from __future__ import annotations

import io
from pathlib import Path

from torch import Tensor, manual_seed, nn, no_grad, randint, randn, save
from torch.random import fork_rng

from sluice.export.comparison import Original
from sluice.export.errors import ExportError
from sluice.export.exported import ExportedFile
from sluice.export.layer_graph import as_layer
from sluice.export.parts import ModelParts, split_model
from sluice.export.to_torch.module import ModuleWriter, TorchModule
from sluice.files import StrPath, write_atomically

SHAPES = ((7, 3), (1, 1), (12, 2))
"""Time and batch of the calls that are compared."""


def torch(layer_or_model: nn.Module, path: StrPath, *, check: bool = True) -> ExportedFile:
    """Write a layer or a model as a Python module that needs torch alone, and its weights.

    Recurrent layers become torch's own, as by ``sluice.nn.convert(..., to="torch")``. The module
    has a class ``Network`` and ``load()``, which reads the weights from the file beside it. Its
    call takes an input and states, by default zeros, and gives the output and the last states, as
    torch's layers do. It can be trained on, and torch's exporters read it.

    Args:
        layer_or_model: A `sluice.nn.LSTM`, `GRU` or `RNN` or one of torch's, float32 or float64,
            with or without a readout; or a `sluice.sequence.LanguageModel`, `Tagger` or
            `Classifier` of such layers, whose outputs are logits.
        path: The module, whose name ends in ``.py``; the weights are written beside it, with
            ``.pt``. Missing folders are created.
        check: Run the module at three shapes and compare it with ours in float64.

    Returns:
        The module, the bytes of both files, and the difference found.

    Raises:
        ExportError: a layer that torch lacks, whose message names what is missing; initial states
            other than zeros; another module; a name that is not one of Python's before ``.py``; a
            module that differs by more than rounding explains, of which nothing is written.
        OSError: a file cannot be written.

    Example:
        >>> import sluice, tempfile
        >>> path = tempfile.mkdtemp() + "/tagger.py"
        >>> made = sluice.export.torch(sluice.nn.LSTM(3, 8, output_size=2), path)
        >>> made.inputs, made.outputs
        ({'input': ('time', 'batch', 3)}, {'output': ('time', 'batch', 2)})
    """
    path, parts = Path(path), split_model(layer_or_model)
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise ExportError(f"the file must be a name of Python's and end in .py, got {path.name}")
    if parts is None:
        raise ExportError(
            "a module of torch is written of recurrent layers, language models, taggers and "
            f"classifiers, not of a {type(layer_or_model).__name__}; in Python "
            'sluice.nn.convert(model, to="torch") changes the layers of any module'
        )
    made = ModuleWriter(parts).write(path.stem)
    module = as_layer(layer_or_model) or layer_or_model
    difference = _check(module, parts, made) if check else None
    weights = io.BytesIO()
    save(made.weights, weights)
    files = {path.with_suffix(".pt"): weights.getvalue(), path: made.text.encode()}
    for file, content in files.items():
        write_atomically(file, content)
    return _describe(path, sum(map(len, files.values())), parts, difference)


def _check(module: nn.Module, parts: ModelParts, made: TorchModule) -> float:
    """The greatest difference between the written module and ``module`` in float64."""
    original, network, worst = Original(module), made.open(), 0.0
    with fork_rng(devices=[]), no_grad():
        manual_seed(0)
        for number, (steps, batch) in enumerate(SHAPES):
            x = _draw(parts, steps, batch)
            if parts.layers.batch_first:
                found = network(x)[0]
            else:
                found = network(x.transpose(0, 1))[0]
                found = found if parts.reads_ends else found.transpose(0, 1)
            case = f"check {number + 1} (time {steps}, batch {batch})"
            worst = max(worst, original.compare(x, found, case))
    return worst


def _draw(parts: ModelParts, steps: int, batch: int) -> Tensor:
    """An input, batch first."""
    if parts.table is not None:
        return randint(parts.input_size, (batch, steps))
    dtype = next(parts.layers.parameters()).dtype
    return randn(batch, steps, parts.input_size, dtype=dtype)


def _describe(path: Path, size: int, parts: ModelParts, difference: float | None) -> ExportedFile:
    lead = ("batch", "time") if parts.layers.batch_first else ("time", "batch")
    features = () if parts.table is not None else (parts.input_size,)
    ends = ("batch",) if parts.reads_ends else lead
    name = "input" if parts.table is None else "tokens"
    inputs: dict[str, tuple[int | str, ...]] = {name: (*lead, *features)}
    outputs: dict[str, tuple[int | str, ...]] = {"output": (*ends, parts.output_size)}
    usage = f"from {path.stem} import load; y, states = load()({name})"
    return ExportedFile(path, size, inputs, outputs, difference, usage)
