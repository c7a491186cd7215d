"""The loss of a language model's file on data, in the engine that runs the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from sluice.export.to_onnx.engine import open_session, run_session
from sluice.files import StrPath
from sluice.sequence import Batch
from sluice.sequence.models import LanguageModel
from sluice.sequence.vocabulary import PADDING


def measure_loss(path: StrPath, model: LanguageModel, batches: Iterable[Batch]) -> float:
    """The cross-entropy of the file at ``path``, which `sluice.export.onnx` wrote of ``model``.

    Args:
        path: the file, of one step or of many.
        model: whose initial states every batch starts from.
        batches: tokens and the targets after each.

    Returns:
        The mean over all targets but padding, in nats.

    Raises:
        ExportError: onnxruntime cannot run the file.
        OSError: the file cannot be read.
    """
    session = open_session(Path(path).read_bytes())
    steps_alone = len(session.get_inputs()[0].shape) == 1
    total = items = 0.0
    for batch in batches:
        states = _expand_states(model, batch.inputs.shape[1])
        for tokens, targets in _split(batch, steps_alone):
            found = run_session(session, {"tokens": tokens, **states})
            states = {name: found[f"{name[:-2]}_n"] for name in states}
            logits = found["logits"].flatten(0, -2).double()
            total += float(
                functional.cross_entropy(
                    logits, targets.flatten(), ignore_index=PADDING, reduction="sum"
                )
            )
            items += int((targets != PADDING).sum())
    return total / items


def _split(batch: Batch, steps_alone: bool) -> Iterator[tuple[Tensor, Tensor]]:
    if steps_alone:
        return zip(batch.inputs, batch.targets, strict=True)
    return iter([(batch.inputs, batch.targets)])


def _expand_states(model: LanguageModel, batch: int) -> dict[str, Tensor]:
    places = model.layers.get_initial_states()
    return {
        f"{state.name}_0": torch.stack([place[number] for place in places])
        .expand(-1, batch, -1)
        .contiguous()
        for number, state in enumerate(model.layers.cell.graph.states)
    }
