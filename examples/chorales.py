"""Bach's chorales as piano rolls: which of 88 keys sound at the next step, each independently.

    python examples/chorales.py jsb-chorales-quarter.json [--seconds 180] [--hidden 256]

The file is a split of Boulanger-Lewandowski et al. (2012) by quarter notes, as in the repository
czhuang/JSB-Chorales-dataset. The result is the negative log-likelihood per step, in nats, on
the test part; the validation part selects the weights.
"""

import argparse
from collections.abc import Sequence

from rich.console import Console

from sluice.sequence import BucketBatches, Progress, TrainingConfig, load_data, make_task, train
from sluice.sequence.metrics import evaluate


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse_arguments(arguments)
    data = load_data(options.chorales)
    model = make_task(
        data,
        batch_size=16,
        hidden_size=options.hidden,
        num_layers=1,
        dropout=options.dropout,
    )
    print(data.report(), model.report, sep="\n")
    plan = TrainingConfig(seconds=options.seconds, learning_rate=2e-3, validations=20)
    train(
        model.model, model.training, model.validation, plan, on_progress=print_progress
    )  # the best is kept

    test = data.split().test
    assert test is not None, "chorales come with a test part"
    Console().print(
        evaluate(model.model, BucketBatches(test.to_supervised(), 16, seed=0)).to_table()
    )


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Learn Bach's chorales.")
    parser.add_argument("chorales")
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--dropout", type=float, default=0.5)
    return parser.parse_args(arguments)


def print_progress(progress: Progress) -> None:
    if progress.has_new_validation:
        print(f"step {progress.step:6,}: {progress.validation_loss:.3f}", flush=True)


if __name__ == "__main__":
    main()
