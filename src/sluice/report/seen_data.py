"""A word on data that the model was trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sluice.report.model_data import ModelData
from sluice.sequence import Checkpoint, Series
from sluice.sequence.data.fingerprint import hash_contents
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.models import Classifier

SEEN = (
    "These are the data that the model was trained on: the scores say little about other data. "
    "`sluice train` prints those of the part that it held out."
)


def describe_seen_data(checkpoint: Checkpoint, given: ModelData) -> tuple[str, ...]:
    """A warning if the data are those of the model's training, to the bit; else nothing."""
    if not checkpoint.data_fingerprint:
        return ()
    if given.series is not None:
        is_classifier = isinstance(checkpoint.model, Classifier)
        series = _label_sequences(given.series) if is_classifier else given.series
        found = series.fingerprint()
    elif isinstance(given.ids, RaggedArray):
        found = hash_contents(checkpoint.vocabulary.to_json(), given.ids)
    else:
        return ()
    return (SEEN,) if found == checkpoint.data_fingerprint else ()


def _label_sequences(series: Series) -> Series:
    """A table with labels of steps as training a classifier reads it: one label a sequence."""
    if not isinstance(series.labels, RaggedArray):
        return series
    found = [np.unique(one[one > 0]) for one in series.labels]
    places = [place for place, one in enumerate(found) if len(one) == 1]
    labels = tuple(int(found[place][0]) - 1 for place in places)
    return replace(series.select(places), labels=labels)
