"""Training on from the bundled model of tunes, a new model, and the bundled one untouched.

python bench/tunes_fine_tuning.py [--seconds 60] [--from MODEL] [--rows 0 1 2]
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path

import torch
from paired import Report

from sluice.sequence import Checkpoint, grow_vocabulary
from sluice.tunes.composition import training
from sluice.tunes.composition.inputs import SHIPPED, load_trained
from sluice.tunes.corpus import collections, families
from sluice.tunes.tune import Tune

COLLECTION = "airdsAirs"
TEST_PART = 0.1
TITLE = "Tunes: training on from the bundled model"
COLUMNS = ["model", "nats per token"]
NOTES = [
    "The loss of test tunes that no training saw. The collection of one's own is Aird's Airs, "
    "which the bundled model was not trained on; the test tunes are of families of which neither "
    "its training tunes nor the rest of the collection has a tune. One thread."
]


def split_own_tunes(seed: int = 0) -> tuple[training.TuneDataset, list[Tune]]:
    """The collection's tunes to train and validate on, and the test tunes."""
    everything = collections.load_collections()
    own = [COLLECTION in tune.source for tune in everything.tunes]
    groups = families.group_families(everything.tunes)
    alone = [group for group in groups if all(own[place] for place in group)]
    test: set[int] = set()
    for group in random.Random(seed).sample(alone, len(alone)):
        if len(test) < TEST_PART * sum(own):
            test.update(group)
    rest = [tune for place, tune in enumerate(everything.tunes) if own[place] and place not in test]
    collection = replace(everything, tunes=tuple(rest))
    dataset = training.TuneDataset(collection, families.split_by_family(rest, seed=seed))
    return dataset, [everything.tunes[place] for place in sorted(test)]


def train(dataset: training.TuneDataset, base: Checkpoint | None, seconds: float) -> Checkpoint:
    """The best weights after so many seconds, from `base` or from nothing."""
    config = training.make_training_config(seconds=seconds, from_trained=base is not None)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.safetensors"
        training.train(dataset, path, config, base=base)
        return Checkpoint.load(path)


def main() -> None:
    """Train both models, and save the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--from", dest="base", default=SHIPPED, help="the model file")
    arguments.add_argument("--seconds", type=float, default=60)
    arguments.add_argument("--rows", type=int, nargs="*", default=[], help="some of the three")
    chosen = arguments.parse_args()
    torch.set_num_threads(1)
    base = load_trained(chosen.base)
    dataset, test = split_own_tunes()
    fitting, validation = dataset.split.training, dataset.split.validation
    spelling = training.choose_model_tokens(fitting, base)
    grown = grow_vocabulary(base, chain(*training.tokenize([*fitting, *validation], spelling)))
    test = [
        tune
        for tune, tokens in zip(test, training.tokenize(test, spelling), strict=True)
        if all(token in grown.vocabulary for token in tokens)
    ]
    sizes = (
        f"{len(fitting)} tunes to train on, {len(validation)} to choose the best weights, "
        f"{len(test)} to test. The bundled model's vocabulary of {len(base.vocabulary)} grows by "
        f"{len(grown.vocabulary) - len(base.vocabulary)}."
    )
    report = Report("tunes_fine_tuning", TITLE, COLUMNS, [*NOTES, sizes])
    rows: dict[str, Callable[[], Checkpoint]] = {
        f"from nothing, {chosen.seconds:g} s": lambda: train(dataset, None, chosen.seconds),
        "the bundled model, untouched": lambda: grown,
        f"from the bundled model, {chosen.seconds:g} s": lambda: train(
            dataset, base, chosen.seconds
        ),
    }
    for number in chosen.rows or range(len(rows)):
        name, make = list(rows.items())[number]
        # A model from nothing also gets the tokens that only the bundled one knows.
        known = grow_vocabulary(make(), grown.vocabulary.tokens)
        report.add(name, f"{training.compute_nats_per_token(known, test):.3f}")
    report.keep(merge=1 if chosen.rows else 0)


if __name__ == "__main__":
    main()
