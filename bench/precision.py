"""Validation loss by precision: the model of `make train`, trained in float32 and in bfloat16 for
equally many steps from the same seed, then evaluated in each precision.

    python bench/precision.py [--seeds 0 1] [--epochs 5]

One thread. Five epochs are about the steps that `make train` takes in its two minutes.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
from paired import Report

from sluice.sequence import Checkpoint, compute_loss_per_token
from sluice.tunes.composition import training

TRAINED, EVALUATED = ("float32", "bfloat16"), ("float32", "bfloat16", "int8")


def losses(prepared: training.TuneDataset, weights: Path) -> dict[str, float]:
    """Validation nats per token of saved weights, in each precision."""
    model = Checkpoint.load(weights)
    validation = [model.vocabulary.encode(tune.tokens) for tune in prepared.split.validation]
    found = {}
    for precision in EVALUATED:
        model.model.layers.precision = precision
        found[precision] = compute_loss_per_token(model.model, validation)
    return found


def main() -> None:
    """Train, evaluate and save the table."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seeds", nargs="*", type=int, default=[0, 1])
    arguments.add_argument("--epochs", type=float, default=5.0)
    wanted = arguments.parse_args()
    torch.set_num_threads(1)
    prepared = training.prepare_dataset()
    notes = [
        "Validation nats per token, and in brackets the difference from float32 throughout.",
        f"One LSTM layer of 256, {wanted.epochs:g} epochs, one thread; every weight is float32.",
    ]
    columns = ["seed", "trained in", "steps", *(f"evaluated in {name}" for name in EVALUATED)]
    report = Report("precision", "Validation loss by precision, in nats", columns, notes)
    for seed in wanted.seeds:
        baseline = None
        for precision in TRAINED:
            with tempfile.TemporaryDirectory() as folder:
                weights, plan = (
                    Path(folder) / "w",
                    training.make_training_config(epochs=wanted.epochs, seed=seed),
                )
                outcome = training.train(prepared, weights, plan, precision=precision)
                found = losses(prepared, weights)
            baseline = found["float32"] if baseline is None else baseline
            cells = [f"{nats:.4f} ({nats - baseline:+.4f})" for nats in found.values()]
            report.add(str(seed), precision, str(outcome.steps), *cells)
    report.keep()


if __name__ == "__main__":
    main()
