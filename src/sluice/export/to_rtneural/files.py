"""`sluice.export.rtneural`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from sluice.export.comparison import Original
from sluice.export.errors import ExportError
from sluice.export.exported import ExportedFile
from sluice.export.layer_graph import as_layer
from sluice.export.parts import split_model
from sluice.export.to_rtneural.document import make_document
from sluice.files import StrPath, write_atomically
from sluice.insight import from_keras
from sluice.nn.readout import Readout

STEPS = (12, 1, 7)
"""The lengths of the sequences that are compared."""


def rtneural(layer_or_model: nn.Module, path: StrPath, *, check: bool = True) -> ExportedFile:
    """Write a layer as the JSON that RTNeural's ``json_parser::parseJson`` reads.

    RTNeural (Chowdhury 2021, arXiv:2106.03037) is a C++ library for small networks in real-time
    audio. A layer is an ``LSTM`` or a ``GRU`` with the reset after the product, or a stack of them,
    of one direction; a readout becomes a ``dense`` layer with its activation. The engine's
    ``reset()`` starts a sequence, from zeros.

    Args:
        layer_or_model: A layer of `sluice.nn` or `torch.nn` in float32.
        path: The file to write; missing folders are created.
        check: Read the file again, each layer by the equations that RTNeural documents for it, and
            compare the outputs with ours. RTNeural itself is not run.

    Returns:
        The file, its size and the difference found.

    Raises:
        ExportError: a cell, an activation function or another module that RTNeural lacks, whose
            message names what is missing; float64; layers that read from the end; initial states
            other than zeros.
        OSError: the file cannot be written.

    Example:
        >>> import sluice, tempfile
        >>> path = tempfile.mkdtemp() + "/amplifier.json"
        >>> made = sluice.export.rtneural(sluice.nn.LSTM(1, 16, output_size=1), path)
        >>> made.inputs, made.outputs
        ({'input': (1,)}, {'output': (1,)})
    """
    path, parts = Path(path), split_model(layer_or_model)
    if parts is None:
        raise ExportError(
            f"RTNeural's file is written of recurrent layers, not of a "
            f"{type(layer_or_model).__name__}"
        )
    content = json.dumps(make_document(parts))
    if next(parts.layers.parameters()).dtype != torch.float32:
        raise ExportError("RTNeural's file is written in float32; call .float() first")
    module = as_layer(layer_or_model) or layer_or_model
    difference = _check(module, json.loads(content)) if check else None
    write_atomically(path, content.encode())
    return ExportedFile(
        path, len(content.encode()), {"input": (parts.input_size,)},
        {"output": (parts.output_size,)}, difference,
        f"RTNeural::json_parser::parseJson<float>(std::ifstream({path.name!r})), then reset() and "
        "forward() for each step",
    )  # fmt: skip


def _check(module: nn.Module, document: dict[str, Any]) -> float:
    """The greatest difference between the document and ``module``, the document in float64."""
    original, worst = Original(module), 0.0
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        for number, steps in enumerate(STEPS):
            x = torch.randn(1, steps, document["in_shape"][-1])
            found = _run_document(document, x.double())
            worst = max(worst, original.compare(x, found, f"check {number + 1} ({steps} steps)"))
    return worst


def _run_document(document: dict[str, Any], x: Tensor) -> Tensor:
    """What the layers of a document give for ``(batch, time, features)``."""
    for layer in document["layers"]:
        arrays = [np.array(one) for one in layer["weights"]]
        if layer["type"] in ("lstm", "gru"):
            x = from_keras(arrays, layer["type"])(x)[0]
            continue
        if arrays:
            kernel, bias = map(torch.from_numpy, arrays)
            x = x @ kernel + bias
        x = Readout(x.shape[-1], None, layer["activation"] or "identity")(x)
    return x
