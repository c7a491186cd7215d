"""What the models of `bench/translation.py` cost: a step of training, sentences, and a token.

    python bench/translation_speed.py --data FOLDER [--runs FOLDER]

FOLDER holds Multi30k's raw files, and `--runs` the trained models that `bench/translation.py` left
there; those of its first seed are measured, all in one run and by turns.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from paired import Report, measure_in_turns
from torch.nn.utils import parametrize
from translation_cases import CASES, Sentences, read_sentences

from sluice.sequence import Checkpoint, generate_outputs
from sluice.sequence.models.base import evaluation_mode

PLACES = (1, 50, 100, 200)
"""Where a token's cost in decoding is measured."""
SENTENCES = 200
"""The first ones of the test part, which are translated."""


def make_step(name: str, sentences: Sentences) -> Callable[[], None]:
    """A whole step of training of an untrained model, each time on the next batch."""
    case = CASES[name]
    torch.manual_seed(0)
    model = case.build(len(sentences.vocabulary)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    batches = itertools.cycle(list(sentences.batches("val", case.batch_size).batches(0))[:-1])

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss, _ = model.loss(next(batches))
        (loss.total / loss.items).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()

    return step


def measure_places(checkpoints: dict[str, Checkpoint]) -> dict[str, list[float]]:
    """Seconds of a step of decoding of one sentence at `PLACES`: the median of nine."""
    found = {name: [dict[int, float]() for _ in range(9)] for name in checkpoints}
    token = torch.full((1,), 9)
    for number in range(9):
        for name, checkpoint in checkpoints.items():
            model = checkpoint.model
            with evaluation_mode(model), parametrize.cached():
                memory, state = model.encode(torch.arange(3, 18)[:, None])
                decoding = model.start_decoding(memory, state)
                for place in range(1, max(PLACES) + 1):
                    began = time.perf_counter()
                    decoding.step(token)
                    found[name][number][place] = time.perf_counter() - began
    return {
        name: [statistics.median(times[place] for times in rounds) for place in PLACES]
        for name, rounds in found.items()
    }


def translate(checkpoint: Checkpoint, sources: Sequence[str], beams: int) -> None:
    """As `sluice generate` does, in batches of its default size."""
    generate_outputs(checkpoint, sources, num_beams=beams, max_length=100)


def main() -> None:
    """Measure, print and keep the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("translation-runs"))
    asked = parser.parse_args()
    sentences = read_sentences(asked.data)
    files = {name: asked.runs / f"{name}-10-epochs-0.safetensors" for name in CASES}
    trained = {name: Checkpoint.load(path) for name, path in files.items() if path.exists()}
    sources = sentences.texts["test_2016_flickr"][0][:SENTENCES]
    report = Report(
        "translation_speed",
        "What translation costs",
        [
            "model",
            "sentences/s in training",
            "sentences/s, greedy",
            "sentences/s, 5 beams",
            *(f"ms of token {place}" for place in PLACES),
        ],
        [
            f"Whole steps of training on batches of 64 pairs; {SENTENCES} test sentences decoded "
            "together as `sluice generate` does; one sentence of 15 tokens alone, by the place of "
            f"the token. {torch.get_num_threads()} threads. Medians, the models by turns."
        ],
    )
    nothing = partial(time.sleep, 0.05)
    steps = {name: make_step(name, sentences) for name in trained}
    training = measure_in_turns(steps, nothing, seconds=40)
    decoding = [
        measure_in_turns(
            {name: partial(translate, one, sources, beams) for name, one in trained.items()},
            nothing,
            seconds=10,
            least=3,
        )
        for beams in (1, 5)
    ]
    places = measure_places(trained)
    for name in trained:
        report.add(
            CASES[name].title,
            f"{CASES[name].batch_size / training[name]:,.0f}",
            *(f"{SENTENCES / times[name]:,.0f}" for times in decoding),
            *(f"{1000 * seconds:.2f}" for seconds in places[name]),
        )
    report.keep()


if __name__ == "__main__":
    main()
