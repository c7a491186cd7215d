"""`sluice.export.onnx`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor, nn

from sluice.export.exported import ExportedFile
from sluice.export.layer_graph import as_layer
from sluice.export.to_onnx.layer_check import check_layer
from sluice.export.to_onnx.layer_file import LayerFile, LayerOptions
from sluice.files import StrPath, write_atomically
from sluice.nn.stack import RecurrentStack


def onnx(
    layer_or_model: nn.Module,
    path: StrPath,
    *,
    inputs: Sequence[Tensor] | None = None,
    stream: bool = False,
    lengths: bool = False,
    resets: bool = False,
    int8: bool = False,
    check: bool = True,
) -> ExportedFile:
    """Write a layer, or a whole model, as an ONNX file in evaluation mode.
    """
    layer = as_layer(layer_or_model)
    options = LayerOptions(stream, lengths, resets, int8)
    assert layer is not None
    return _export_layer(layer, Path(path), options, check)


def _export_layer(
    layer: RecurrentStack, path: Path, options: LayerOptions, check: bool
) -> ExportedFile:
    file = LayerFile(layer, options)
    content = file.build().SerializeToString()
    difference = check_layer(layer, file, options, content) if check else None
    write_atomically(path, content)
    return ExportedFile(path, len(content), file.inputs, file.outputs, difference, "")
