"""`sluice.export.keras`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sluice.export.comparison import Original
from sluice.export.errors import ExportError
from sluice.export.exported import ExportedFile
from sluice.export.layer_graph import as_layer
from sluice.export.parts import ModelParts, split_model
from sluice.export.to_keras.model import KerasModelBuilder, call_model, load_keras, save_model
from sluice.files import StrPath, write_atomically

SHAPES = ((7, 3), (1, 1), (12, 2))
"""Time and batch of the calls that are compared."""


def keras(
    layer_or_model: nn.Module, path: StrPath, *, stream: bool = False, check: bool = True
) -> ExportedFile:
    """Write a layer or a model as a file of Keras 3, which opens without Sluice and without torch.

    A layer whose equations are those of Keras' ``LSTM``, ``GRU`` (both forms of the reset) or
    ``SimpleRNN`` becomes it, one of two directions a ``Bidirectional``; a readout becomes a
    ``Dense``, an embedding an ``Embedding``. Layers are called ``embedding``, ``layer_0``,
    ``layer_1``, ..., ``readout``. Sequences start from zeros, and nothing is dropped out.

    Args:
        layer_or_model: A layer of `sluice.nn` or `torch.nn`, float32 or float64; or a
            `sluice.sequence.LanguageModel`, `Tagger` or `Classifier`, whose outputs are logits.
        path: The file, whose name ends in ``.keras``; missing folders are created.
        stream: Layers that keep their states from call to call (``stateful=True``), for a batch
            of 1.
        check: Open the file in Keras, run it at three shapes and compare it with ours in float64.

    Returns:
        The file; its input is ``(batch, time, features)``, or ids ``(batch, time)``, int32.

    Raises:
        ExportError: the file differs from ours by more than rounding explains, and nothing is
            written; a cell that Keras does not have, whose message names what is missing; initial
            states other than zeros; ``stream`` for a layer that reads from the end; another
            module; a name that does not end in ``.keras``.
        MissingExtraError: Keras is not installed.
        OSError: the file cannot be written.

    Example:
        >>> import sluice, tempfile
        >>> path = tempfile.mkdtemp() + "/gru.keras"
        >>> made = sluice.export.keras(sluice.nn.GRU(3, 8, output_size=2), path)
        >>> made.inputs, made.outputs
        ({'input': ('batch', 'time', 3)}, {'output': ('batch', 'time', 2)})
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise ExportError(f"the name of a file of Keras must end in .keras, got {path.name}")
    parts = split_model(layer_or_model)
    if parts is None:
        raise ExportError(
            "Keras is written of recurrent layers, language models, taggers and classifiers, not "
            f"of a {type(layer_or_model).__name__}"
        )
    builder = KerasModelBuilder(parts, stream=stream)
    model = builder.build()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.keras"
        save_model(model, file)
        content = file.read_bytes()
        module = as_layer(layer_or_model) or layer_or_model
        difference = _check(module, parts, file, builder.dtype, stream) if check else None
    write_atomically(path, content)
    return _describe(path, len(content), parts, stream, difference)


def _describe(
    path: Path, size: int, parts: ModelParts, stream: bool, difference: float | None
) -> ExportedFile:
    lead: tuple[int | str, ...] = (1 if stream else "batch", "time")
    name = "input" if parts.table is None else "tokens"
    features = (parts.input_size,) if parts.table is None else ()
    ends = lead[:1] if parts.reads_ends else lead
    usage = f"keras.saving.load_model({path.name!r})({name})"
    if stream:
        usage += "; a new sequence: layer.reset_state() of each recurrent layer"
    return ExportedFile(
        path, size, {name: (*lead, *features)}, {"output": (*ends, parts.output_size)},
        difference, usage,
    )  # fmt: skip


def _check(
    module: nn.Module, parts: ModelParts, file: Path, dtype: torch.dtype, stream: bool
) -> float:
    """The greatest difference between the file in Keras and ``module`` in float64."""
    original, worst, library = Original(module), 0.0, load_keras()
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        for number, (steps, batch) in enumerate(SHAPES):
            batch = 1 if stream else batch
            x = _draw(parts, batch, steps, dtype)
            pieces = _run_in_pieces(library, library.saving.load_model(file), x, 1 + stream)
            found = pieces[-1] if parts.reads_ends else torch.cat(pieces, 1)
            case = f"check {number + 1} (batch {batch}, time {steps})"
            worst = max(worst, original.compare(x, found, case))
    return worst


def _draw(parts: ModelParts, batch: int, steps: int, dtype: torch.dtype) -> Tensor:
    if parts.table is not None:
        return torch.randint(parts.input_size, (batch, steps), dtype=torch.int32)
    return torch.randn(batch, steps, parts.input_size, dtype=dtype)


def _run_in_pieces(library: Any, model: Any, x: Tensor, count: int) -> list[Tensor]:
    """The outputs of a model called for one part of the steps after the other."""
    return [call_model(library, model, one.contiguous()) for one in x.chunk(count, 1)]
