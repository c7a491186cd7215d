"""`sluice.export.onnx`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sluice.export.errors import ExportError
from sluice.export.exported import ExportedFile
from sluice.export.layer_graph import as_layer
from sluice.export.model_inputs import describe_inputs, describe_model
from sluice.export.to_onnx.form import LayerForm
from sluice.files import StrPath, write_atomically
from sluice.nn.stack import RecurrentStack
from sluice.sequence.models import SequenceModel


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
    """Write a recurrent layer, or a whole model, as an ONNX file; time and batch stay free.

    A layer is written from its equations: as ONNX's own LSTM, GRU or RNN where it computes the
    same, else as a `Scan`, before which all that depends on the input alone is computed. A model
    goes through `torch.onnx.export`, its recurrent layers likewise. Both are as in evaluation:
    nothing is dropped out. The states are inputs and outputs, ``h_0`` and ``h_n`` for a state h,
    laid out as the layer's call has them: ``(layers × directions, batch, width)``, or
    ``h_l0_0``, ``(batch, width)``, for each layer of another size. Where a new sequence starts from
    other numbers than zeros, the file's metadata says so under ``initial_states``.

    Args:
        layer_or_model: A layer of `sluice.nn` or `torch.nn`, float32 or float64, a
            `sluice.sequence.LanguageModel`, a `Tagger` or `Classifier`, or any module whose call
            takes tensors.
        path: The file to write; missing folders are created.
        inputs: For any other module: an example of each argument. All dimensions but the last are
            free (of integers all): time and batch, or the batch alone.
        stream: Write one step: ``input`` is ``(batch, input)``, tokens are ``(batch,)``.
        lengths: Add the input ``lengths``, ``(batch,)``, int64, zeros allowed; of a layer, or of
            one of those models.
        resets: Add the input ``resets``, boolean, laid out as the input's steps; likewise.
        int8: Write matrices in int8 with a scale for each row, at about a quarter of the size;
            sums stay in float32.
        check: Run the file in onnxruntime at three shapes and compare it with ours in float64.

    Returns:
        The file, its size, its inputs and outputs, and the difference found.

    Raises:
        ExportError: the file differs from ours by more than rounding explains, and nothing is
            written; a layer of copies; ``stream`` for a layer that reads from the end; ``lengths``
            or ``resets`` for another module; a model that is not one call, as of pairs, or that
            torch cannot export; weights of another dtype.
        MissingExtraError: onnx, onnxruntime or onnxscript is not installed.
        OSError: the file cannot be written.

    Example:
        >>> import sluice, tempfile, onnxruntime, numpy
        >>> layer = sluice.nn.Recurrent("mgu", 3, 8)
        >>> path = tempfile.mkdtemp() + "/mgu.onnx"
        >>> sluice.export.onnx(layer, path).outputs
        {'output': ('time', 'batch', 8), 'h_n': (1, 'batch', 8)}
        >>> session = onnxruntime.InferenceSession(path)
        >>> x, h = numpy.zeros((5, 2, 3), "float32"), numpy.zeros((1, 2, 8), "float32")
        >>> [value.shape for value in session.run(None, {"input": x, "h_0": h})]
        [(5, 2, 8), (1, 2, 8)]
    """
    layer = as_layer(layer_or_model)
    if layer is not None:
        if inputs is not None:
            raise ExportError("inputs: a layer needs no examples; leave inputs out")
        return _export_layer(layer, Path(path), LayerForm(stream, lengths, resets, int8), check)
    form = LayerForm(stream, lengths, resets, int8)
    return _export_model(layer_or_model, Path(path), inputs, form, check)


def _export_layer(
    layer: RecurrentStack, path: Path, options: LayerForm, check: bool
) -> ExportedFile:
    # The library onnx is an extra.
    from sluice.export.to_onnx.layer_check import check_layer
    from sluice.export.to_onnx.layer_file import LayerFile

    file = LayerFile(layer, options)
    content = file.build().SerializeToString()
    difference = check_layer(layer, file, options, content) if check else None
    return _write(path, content, file.inputs, file.outputs, difference)


def _export_model(
    model: nn.Module,
    path: Path,
    examples: Sequence[Tensor] | None,
    form: LayerForm,
    check: bool,
) -> ExportedFile:
    # The library onnx is an extra.
    from sluice.export.to_onnx import model_file

    outputs: list[str] | None = None
    if isinstance(model, SequenceModel) and examples is None:
        model, inputs, outputs = describe_model(
            model, stream=form.stream, lengths=form.lengths, resets=form.resets
        )
    elif examples is None:
        raise ExportError(
            f"inputs: a {type(model).__name__} needs an example of each argument of its call, as "
            "in inputs=(torch.zeros(7, 3, 5),)"
        )
    elif form.stream or form.lengths or form.resets:
        name = next(one for one in ("stream", "lengths", "resets") if getattr(form, one))
        raise ExportError(
            f"{name}: of a layer or a model of sluice.sequence; for another module make it one of "
            "its arguments"
        )
    else:
        inputs = describe_inputs(examples)
    made = model_file.build_model(model, inputs, outputs, stream=form.stream, int8=form.int8)
    content = made.SerializeToString()
    difference = model_file.check_model(model, inputs, content, int8=form.int8) if check else None
    given = {one.name: one.shape for one in inputs}
    return _write(path, content, given, _describe(made.graph.output), difference)


def _describe(values: Any) -> dict[str, tuple[int | str, ...]]:
    """Shapes by name, free dimensions by theirs."""
    return {
        value.name: tuple(
            one.dim_value if one.HasField("dim_value") else one.dim_param
            for one in value.type.tensor_type.shape.dim
        )
        for value in values
    }


def _write(
    path: Path,
    content: bytes,
    inputs: dict[str, tuple[int | str, ...]],
    outputs: dict[str, tuple[int | str, ...]],
    difference: float | None,
) -> ExportedFile:
    write_atomically(path, content)
    usage = (
        f"onnxruntime.InferenceSession({path.name!r}).run(None, "
        f"{{{', '.join(f'{name!r}: ...' for name in inputs)}}})"
    )
    return ExportedFile(path, len(content), inputs, outputs, difference, usage)
