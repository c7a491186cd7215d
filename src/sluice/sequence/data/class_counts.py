"""How often each class occurs in the parts of a split, in words."""

from __future__ import annotations

import numpy as np

from sluice.sequence.data.labelled_texts import LabelledTexts
from sluice.sequence.data.ragged import Indices, RaggedArray
from sluice.sequence.data.series import Series
from sluice.sequence.data.splits import Split

_SHOWN = 12
"""Classes that are listed, the most frequent first."""
_IMBALANCE = 3
"""From this many times as many of the most frequent class as of the rarest, it is said."""


def count_classes(data: Series | LabelledTexts) -> Indices:
    """How often each class occurs among the labels, (classes,), int64; missing ones left out.

    >>> series = Series(("x",), RaggedArray.of([[[0.0]]] * 3), labels=(1, 0, 1), classes=("A", "B"))
    >>> count_classes(series).tolist()
    [1, 2]
    """
    if isinstance(data.labels, RaggedArray):
        steps = [np.bincount(one, minlength=len(data.classes) + 1) for one in data.labels]
        whole: Indices = np.sum([np.zeros(len(data.classes) + 1, np.int64), *steps], axis=0)
        return whole[1:]
    return np.bincount(np.array(data.labels or (), np.int64), minlength=len(data.classes))


def describe_classes(split: Split[Series] | Split[LabelledTexts]) -> tuple[str, ...]:
    """Sentences on the classes of a split: how many where, which are missing, and imbalance."""
    train, held_out = count_classes(split.train), count_classes(split.validation)
    names = split.train.classes
    order = np.argsort(-train, kind="stable")
    listed = [f"{names[k]} {train[k]:,} + {held_out[k]:,}" for k in order[:_SHOWN]]
    more = f", and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    found = [f"Labels to train on + to validate on: {', '.join(listed)}{more}."]
    alone = [names[k] for k in order if train[k] and not held_out[k]]
    if alone:
        found.append(f"Validation has none of {_shorten(alone)}, and says nothing of how they do.")
    unseen = [names[k] for k in order if held_out[k] and not train[k]]
    if unseen:
        found.append(f"Training has none of {_shorten(unseen)}, which the model cannot learn.")
    most, present = order[0], train[train > 0]
    if len(present) and train[most] >= _IMBALANCE * present.min():
        share = train[most] / train.sum()
        found.append(
            f"The classes are imbalanced: {share:.0%} of the training labels are {names[most]}, so "
            f"that always saying {names[most]} is right about as often."
        )
    return tuple(found)


def _shorten(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more classes" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
