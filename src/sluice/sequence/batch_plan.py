"""How batches of sequences are cut: whole, in streams, or in windows of labelled steps."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.sequence.batch import BatchSource
from sluice.sequence.batching.bucketed import BucketBatches
from sluice.sequence.batching.streams import StreamBatches
from sluice.sequence.data.label_windows import LabelWindows
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.series import Series
from sluice.sequence.data.targets import StepLabels, SupervisedSequences

LONG_SEQUENCE = 2_000
"""Sequences with more steps than this on average are read in streams; shorter ones whole."""


@dataclass(frozen=True)
class BatchPlan:
    """How batches are cut.

    Attributes:
        batch_size: sequences or streams in a batch.
        chunk: steps of a stream's batch, or of a window.
        seed: for the order.
    """

    batch_size: int
    chunk: int
    seed: int

    def make_buckets(self, steps: SupervisedSequences) -> BatchSource:
        return BucketBatches(steps, self.batch_size, self.seed)

    def find_label_window(self, data: Series) -> dict[str, int] | None:
        """The window for step labels, if whole sequences would be too long or too few to train."""
        lengths = data.values.lengths
        few = len(lengths) < self.batch_size or lengths.mean() > LONG_SEQUENCE
        if isinstance(data.labels, RaggedArray) and few and lengths.max() > 2 * self.chunk:
            return {"steps": self.chunk, "context": self.chunk // 2}
        return None

    def make_label_batches(
        self, steps: SupervisedSequences, window: dict[str, int] | None
    ) -> BatchSource:
        if window and isinstance(steps, StepLabels):
            steps = LabelWindows.cut(steps, **window)
        return self.make_buckets(steps)

    def make_streams(self, steps: SupervisedSequences) -> BatchSource:
        # With little data, fewer streams, so that each has at least two chunks.
        streams = max(1, min(self.batch_size, int(steps.lengths.sum()) // (2 * self.chunk)))
        return StreamBatches(steps, streams, self.chunk, self.seed)
