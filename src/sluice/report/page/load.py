"""A model file and a data file, read as the inputs of a report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from sluice.files import StrPath
from sluice.report.model_data import ModelData, Needed, load_model_data
from sluice.report.page.forward import ROWS
from sluice.report.page.inputs import ReportInputs
from sluice.report.page.load_views import view_data
from sluice.report.page.step_losses import reads_whole
from sluice.sequence import Checkpoint, DataError
from sluice.sequence.data.ragged import Array
from sluice.sequence.models import Forecaster
from sluice.sequence.vocabulary import END, UNKNOWN


def load_inputs(
    path: StrPath,
    data: StrPath | None = None,
    *,
    text: str | None = None,
    sequence: int = 0,
    stop: int = 0,
) -> ReportInputs:
    """The inputs of a report: a model that ``sluice train`` wrote, and data for it.

    Args:
        path: The model file.
        data: A file or folder of the kind that the model was trained on; or the name of a domain
            (`sluice.report.domains`), for its own collection; for a model of pairs, or of labels of
            tokens, lines of a source, a tab and a target.
        text: The text itself, in place of ``data``, for a model of tokens.
        sequence: Which of the data's sequences comes first; others follow, up to `ROWS` steps.
        stop: Up to which step it is needed, if that is more.

    Raises:
        SequenceError: the model file cannot be read; no data, or both data and text; data that
            cannot be read; no such sequence; tokens, columns or labels that the model does not
            know.
        ValueError: the domain cannot read the data.
    """
    checkpoint = Checkpoint.load(path)
    needed = Needed(sequence, max(ROWS, stop))
    given = load_model_data(checkpoint, data, text=text, needed=needed)
    given.require_sequence(sequence)
    parts = _select_parts(checkpoint, given, sequence, max(ROWS, stop))
    given.require_known(*parts[0], checkpoint.vocabulary)
    examples = [given.sequences.read(index, 0, steps) for index, steps in parts]
    inputs, targets = ([_to_tensor(one) for one in side] for side in zip(*examples, strict=True))
    indices = [index for index, _ in parts]
    viewed = view_data(checkpoint, given, indices, inputs, targets)
    return ReportInputs(
        checkpoint.model,
        inputs,
        targets if given.has_targets else None,
        viewed.tokens,
        viewed.classes,
        viewed.properties,
        viewed.spans,
        [given.get_name(index) for index in indices],
        _list_facts(checkpoint, path, given, inputs),
        view=viewed.view,
        output_names=viewed.output_names,
        loss_unit=checkpoint.loss_unit,
    )


def _to_tensor(values: Array) -> Tensor:
    return torch.tensor(values if values.dtype.kind == "f" else values.astype(np.int64))


def _select_parts(
    checkpoint: Checkpoint, data: ModelData, sequence: int, steps: int
) -> list[tuple[int, int]]:
    """The sequence wanted, then others that the model knows, each with how many steps are read."""
    parts, left, whole = list[tuple[int, int]](), steps, reads_whole(checkpoint.model)
    for index in sorted(range(len(data)), key=lambda index: index != sequence):
        length = data.count_steps(index)
        count = length if whole else min(length, left)
        if index == sequence or (count > 0 and data.is_known(index, 0, count)):
            parts.append((index, count))
            left -= count
        if left <= 0:
            break
    return parts


def _list_facts(
    checkpoint: Checkpoint, path: StrPath, data: ModelData, inputs: Sequence[Tensor]
) -> dict[str, str]:
    model = checkpoint.model
    facts = {"model": type(model).__name__, "weights": str(path), "data": data.source}
    if data.series is None:
        facts["embedding"] = f"{model.config.embedding_size} numbers a token"
        facts["vocabulary"] = f"{len(checkpoint.vocabulary)} tokens"
    else:
        facts["inputs"] = _shorten(data.series.features)
    if checkpoint.labels:
        facts["labels"] = _shorten(checkpoint.labels)
    if isinstance(model, Forecaster):
        names = [data.series.features[k] for k in model.config.targets] if data.series else []
        facts["forecast"] = f"{_shorten(names)}, {model.config.horizon} steps ahead"
    if "mean" in checkpoint.preprocessing:
        facts["scale"] = "each input minus its mean, in deviations of the training data"
    if isinstance(checkpoint.metadata.get("validation"), float):
        facts["validation"] = f"{checkpoint.metadata['validation']:.3f} {checkpoint.loss_unit}"
    if data.series is None and UNKNOWN in checkpoint.vocabulary:
        facts |= _count_unknown(checkpoint, inputs)
    if data.note:
        facts["left out" if "skipped" in data.note else "note"] = data.note
    return facts


def _count_unknown(checkpoint: Checkpoint, inputs: Sequence[Tensor]) -> dict[str, str]:
    """How many tokens the vocabulary's unknown token stands for; refuses a text of nothing else."""
    (number,) = checkpoint.vocabulary.encode([UNKNOWN])
    counts = [int((ids == number).sum()) for ids in inputs]
    if counts[0] and counts[0] >= int((inputs[0] > END).sum()):
        raise DataError(
            f"the model knows none of the {counts[0]} {checkpoint.vocabulary.unit} of this text; "
            "give one like those it was trained on"
        )
    whole = sum(map(len, inputs))
    return (
        {"unknown tokens": f"{sum(counts):,} of {whole:,}, read as {UNKNOWN}"}
        if sum(counts)
        else {}
    )


def _shorten(names: Sequence[str], most: int = 12) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
