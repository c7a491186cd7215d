"""Held-out data to judge a trained model by, and its loss and quality on them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch

from sluice.files import StrPath
from sluice.report.ablation import AblationError
from sluice.report.model_data import ModelData, load_model_data
from sluice.sequence import Batch, Checkpoint, evaluate
from sluice.sequence.models import (
    ChoraleModel,
    Classifier,
    Forecaster,
    PairModel,
    SequenceModel,
    Tagger,
    decode,
)
from sluice.sequence.vocabulary import END

PART, BATCH = 256, 64
"""Steps of a part of a stream, and sequences that are run together."""
_LONG = 2_000
"""A sequence with more steps than this is cut as a stream is."""
_DECODED = 100
"""Pairs that are decoded to count exact outputs."""
_METRICS: dict[type[SequenceModel], str] = {
    Classifier: "accuracy",
    Tagger: "accuracy",
    Forecaster: "MAE",
    ChoraleModel: "frame accuracy",
    PairModel: "exact outputs",
}


class Quality(NamedTuple):
    """A figure of a model beside its loss: `name`, and `value`."""

    name: str
    value: float


@dataclass(frozen=True)
class HeldOutData:
    """Sequences, or parts of them, to judge a model by; a `BatchSource` of one epoch.

    A part begins as the parts of a stream do in training: from the initial state, in the middle.
    It has an `END` only where the sequence itself ends.

    Attributes:
        data: where they come from.
        parts: of each the sequence's number, its first step and the one after the last.
        skipped: how many were left out for a token that the model does not know.
    """

    data: ModelData
    parts: list[tuple[int, int, int]]
    skipped: int

    stateful: ClassVar[bool] = False

    @property
    def steps(self) -> int:
        """How many steps there are."""
        return sum(stop - first for _, first, stop in self.parts)

    def __len__(self) -> int:
        return -(-len(self.parts) // BATCH)

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """All parts, those of similar length together; the same in every epoch."""
        order = sorted(self.parts, key=lambda part: part[2] - part[1])
        for number in range(first, len(self)):
            yield self.data.make_batch(order[number * BATCH : (number + 1) * BATCH])

    def loss(self, model: SequenceModel) -> float:
        """The model's own loss per item."""
        with torch.no_grad():
            found = [model.loss(batch)[0] for batch in self.batches(0)]
        items = sum(one.items for one in found)
        if not items:
            raise AblationError(f"{self.data.source} has nothing to predict; give more data")
        return sum(float(one.total) for one in found) / items

    def run_longest(self, model: SequenceModel) -> None:
        """Run a model on the longest parts, cut where the shortest of them ends.

        Nothing of it is padding: the place to take means of gates.
        """
        parts = sorted(self.parts, key=lambda part: part[2] - part[1])[-BATCH:]
        batch = self.data.make_batch(parts)
        steps = len(batch.inputs) if batch.lengths is None else int(batch.lengths.min())
        if isinstance(model, PairModel):
            model(batch.inputs[:steps], batch.targets[: int((batch.targets > 0).sum(0).min())])
        else:
            model(batch.inputs[:steps])

    def measure_quality(self, model: SequenceModel) -> Quality | None:
        """What the model gets right, or by how much it is off; None for a language model.

        Accuracy of labels; frame accuracy of keys; the mean absolute error of forecasts, in the
        data's units; the share of at most 100 outputs that greedy decoding gives exactly.
        """
        name = next((name for kind, name in _METRICS.items() if isinstance(model, kind)), None)
        if name is None:
            return None
        if isinstance(model, PairModel):
            return Quality(name, self._count_exact(model))
        return Quality(name, evaluate(model, self).by_method["model"][name])

    def _count_exact(self, model: PairModel) -> float:
        right = 0
        places = self.parts[:: max(1, len(self.parts) // _DECODED)][:_DECODED]
        for first in range(0, len(places), BATCH):
            batch = self.data.make_batch(places[first : first + BATCH])
            longest = len(batch.targets) + 1
            found = decode(model, batch.inputs, batch.lengths, max_length=longest)
            for one, target in zip(found, batch.targets.T.tolist(), strict=True):
                right += one.ids == target[: target.index(END)]
        return right / len(places)


def load_held_out(checkpoint: Checkpoint, path: StrPath, steps: int) -> HeldOutData:
    """Read held-out data for a trained model, as its training read its own.

    Args:
        checkpoint: the model, with its vocabulary, columns and labels.
        path: the file or folder.
        steps: read no more than about so many, evenly from all of the data.

    Raises:
        DataError: data that cannot be read, or with other columns or labels.
        AblationError: no sequence that the model knows, or nothing to compare it with.
        ValueError: the domain cannot read the data.
    """
    data = load_model_data(checkpoint, path)
    if not data.has_targets:
        raise AblationError(f"{path} has no labels, so there is no loss; give data with labels")
    known, skipped = list[tuple[int, int, int]](), 0
    for part in _cut(data, checkpoint.model):
        if data.is_known(*part):
            known.append(part)
        else:
            skipped += 1
    if not known:
        raise AblationError(
            f"{path} must contain a sequence of which the model knows every token; give "
            "data of the kind it was trained on"
        )
    every = max(1, -(-sum(stop - first for _, first, stop in known) // steps))
    return HeldOutData(data, known[::every], skipped)


def _cut(data: ModelData, model: SequenceModel) -> Iterator[tuple[int, int, int]]:
    """All sequences; streams, and long ones where outputs need nothing later, in parts."""
    is_whole = isinstance(model, Classifier | PairModel) or model.layers.bidirectional
    for index in range(len(data)):
        count = data.count_steps(index)
        in_parts = not is_whole and (data.is_stream or count > _LONG)
        for first in range(0, count, PART if in_parts else max(count, 1)):
            yield index, first, min(count, first + PART) if in_parts else count
