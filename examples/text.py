"""Text by characters, as in Karpathy's char-rnn (2015): the last tenth is for validation.

    python examples/text.py tinyshakespeare.txt [--seconds 600] [--hidden 256]

The text of that name is `data/tinyshakespeare/input.txt` of the repository karpathy/char-rnn; any
other text works.
"""

import argparse
from collections.abc import Sequence

from sluice.sequence import (
    Progress,
    Sampling,
    TrainingConfig,
    generate,
    load_data,
    make_task,
    train,
)


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse_arguments(arguments)
    data = load_data(options.text)
    model = make_task(
        data,
        validation=0.1,
        batch_size=50,
        seq_len=100,  # steps of a stream's batch; the state is carried on to the next
        hidden_size=options.hidden,
        num_layers=options.layers,
        dropout=options.dropout,
    )
    print(data.report(), model.report, sep="\n")
    plan = TrainingConfig(seconds=options.seconds, precision="bfloat16")
    train(
        model.model, model.training, model.validation, plan, on_progress=print_progress
    )  # the best is kept

    figures = model.compute_metrics()
    print(f"{figures['nats per token']:.3f} nats per character on {figures.items:,} of validation")
    sampling = Sampling(temperature=0.8, max_length=200)
    (ids,) = generate(model.model, seeds=[0], sampling=sampling)
    print(model.checkpoint.vocabulary.decode_text(ids))


def parse_arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Learn a text by characters.")
    parser.add_argument("text")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--dropout", type=float, default=0.2)
    return parser.parse_args(arguments)


def print_progress(progress: Progress) -> None:
    if progress.has_new_validation:
        print(f"step {progress.step:6,}: {progress.validation_loss:.3f}", flush=True)


if __name__ == "__main__":
    main()
