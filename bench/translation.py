"""Translation by an LSTM, by convolutions and by a transformer, from German to English.

    python bench/translation.py --data FOLDER [--models lstm,convs2s] [--seeds 0,1,2]
        [--epochs 10 | --minutes 7] [--threads 2] [--runs FOLDER] [--table]

FOLDER holds Multi30k's raw files (`train`, `val` and `test_2016_flickr`, each `.de` and `.en`,
gzip or plain), which you fetch yourself: the licence of their text is not stated. All models have
one vocabulary, of 6,000 subwords of both languages, and about the same number of weights.

Each model and seed is a run of its own, with a file of its results in `--runs`; a run that is
there is not repeated, and one that was interrupted goes on. `--table` only writes the table of
the runs that are there, which is also done after each. `translation_speed.py` measures speeds.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import torch
from paired import RESULTS
from rich.console import Console
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from translation_cases import CASES, Sentences, read_sentences

from sluice import doctor
from sluice.run.kernels import extension
from sluice.sequence import (
    Checkpoint,
    Progress,
    TrainingConfig,
    generate_outputs,
    train,
)

console = Console()
TEST = "test_2016_flickr"
LENGTHS = ((1, 9), (10, 14), (15, 19), (20, 99))
"""Words of the sources whose scores are shown apart."""


@dataclass(frozen=True)
class Run:
    """A model, a seed and a budget."""

    case: str
    seed: int
    budget: dict[str, float]

    @property
    def name(self) -> str:
        """Of its files."""
        ((kind, size),) = self.budget.items()
        return f"{self.case}-{size:g}-{kind}-{self.seed}"


def perform(run: Run, sentences: Sentences, folder: Path) -> None:
    """Train and judge, unless that was done; the results stand in a file."""
    found = folder / f"{run.name}.json"
    if found.exists():
        return
    case = CASES[run.case]
    torch.manual_seed(run.seed)
    model = case.build(len(sentences.vocabulary))
    states = folder / run.name
    training, validation = (sentences.batches(one, case.batch_size) for one in ("train", "val"))
    last = Progress(0, 0, 0, 0, 0, 0, 0, None, None, False, 0, 0)

    def show(progress: Progress) -> None:
        nonlocal last
        last = progress
        if progress.has_new_validation:
            console.print(
                f"{run.name}: epoch {progress.epoch:.1f}, {progress.seconds:.0f} s, validation "
                f"{progress.validation_loss:.3f} nats"
            )

    config = TrainingConfig(**run.budget, **case.training, seed=run.seed, save_seconds=60)
    done = train(
        model, training, validation, config, folder=states, resume=states.exists(), on_progress=show
    )
    if done.stop_reason == "interrupted":
        raise SystemExit(f"{run.name} was interrupted; run the command again to go on")
    checkpoint = Checkpoint(
        model.eval(), sentences.vocabulary, target_vocabulary=sentences.vocabulary
    )
    checkpoint.save(folder / f"{run.name}.safetensors")
    results: dict[str, Any] = {
        "case": run.case,
        "seed": run.seed,
        "budget": run.budget,
        "parameters": sum(one.numel() for one in model.parameters()),
        "epochs": last.epoch,
        "seconds": done.seconds,
        "validation": done.validation_loss,
    }
    for beams in (1, 5):
        results[f"beams {beams}"] = judge(checkpoint, sentences, beams)
    found.write_text(json.dumps(results, indent=1))
    scores = (f"{results[f'beams {beams}']['BLEU']:.1f}" for beams in (1, 5))
    console.print(f"{run.name}: BLEU {' greedy, '.join(scores)} with 5 beams")


def judge(checkpoint: Checkpoint, sentences: Sentences, beams: int) -> dict[str, Any]:
    """Scores of the outputs for the test part, also by the length of the sources."""
    sources, targets = sentences.texts[TEST]
    made = generate_outputs(checkpoint, sources, num_beams=beams, max_length=100)
    outputs, bleu, chrf = [one.text for one in made], BLEU(), CHRF()
    by_length = {}
    for least, most in LENGTHS:
        places = [k for k, one in enumerate(sources) if least <= len(one.split()) <= most]
        chosen = [[texts[k] for k in places] for texts in (outputs, targets)]
        score = BLEU().corpus_score(chosen[0], [chosen[1]]).score
        by_length[f"{least} to {most}"] = [len(places), score]
    return {
        "BLEU": bleu.corpus_score(outputs, [targets]).score,
        "chrF": chrf.corpus_score(outputs, [targets]).score,
        "signatures": [str(bleu.get_signature()), str(chrf.get_signature())],
        "by length": by_length,
    }


def write_table(folder: Path) -> None:
    """The results of all runs in a folder, as a page of `bench/results`."""
    runs = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for case in CASES:
        for run in runs:
            if run["case"] == case:
                ((kind, size),) = run["budget"].items()
                shown = f"{size / 60:g} minutes" if kind == "seconds" else f"{size:g} {kind}"
                groups.setdefault((case, shown), []).append(run)
    ordered = sorted(groups.items(), key=lambda item: item[0][1])
    first = runs[0]["beams 1"]
    signatures = first["signatures"]
    lines = [
        "# Translation from German to English",
        "",
        "German to English on Multi30k (29,000 pairs of training, test 2016), one vocabulary of",
        "6,000 subwords. Means over seeds, in brackets the lowest and the highest. Signatures of",
        f"sacrebleu: BLEU `{signatures[0]}`,",
        f"chrF `{signatures[1]}`.",
        "",
        *_tabulate(
            "model, budget, seeds, weights, epochs, validation in nats, BLEU greedy, "
            "BLEU of 5 beams, chrF of 5 beams",
            [_describe(*key, group) for key, group in ordered],
        ),
        "",
        "BLEU of 5 beams by the words of a source (and how many sentences there are):",
        "",
        *_tabulate(
            ", ".join(["model, budget", *(_name_length(first, one) for one in first["by length"])]),
            [[CASES[case].title, shown, *_by_length(group)] for (case, shown), group in ordered],
        ),
        "",
        f"Measured on {date.today()}:",
        "",
        *(f"- {name}: {value}" for name, value in doctor.describe_machine().items()),
    ]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "translation.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _tabulate(columns: str, rows: Sequence[Sequence[str]]) -> list[str]:
    names = columns.split(", ")
    rule = "|---|" + "---:|" * (len(names) - 1)
    return [f"| {' | '.join(names)} |", rule, *(f"| {' | '.join(row)} |" for row in rows)]


def _describe(case: str, budget: str, group: list[dict[str, Any]]) -> list[str]:
    greedy, searched = ([run[f"beams {n}"] for run in group] for n in (1, 5))
    return [
        CASES[case].title,
        budget,
        f"{len(group)}",
        f"{group[0]['parameters'] / 1e6:.1f} M",
        f"{statistics.mean(run['epochs'] for run in group):.1f}",
        f"{statistics.mean(run['validation'] for run in group):.3f}",
        _spread([one["BLEU"] for one in greedy]),
        _spread([one["BLEU"] for one in searched]),
        _spread([one["chrF"] for one in searched]),
    ]


def _spread(values: Sequence[float]) -> str:
    spread = f" ({min(values):.1f} to {max(values):.1f})" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{spread}"


def _name_length(scores: dict[str, Any], name: str) -> str:
    return f"{name} ({scores['by length'][name][0]})"


def _by_length(group: list[dict[str, Any]]) -> list[str]:
    found = [run["beams 5"]["by length"] for run in group]
    return [f"{statistics.mean(one[name][1] for one in found):.1f}" for name in found[0]]


def main() -> None:
    """Perform the runs that were asked for, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", default="lstm,convs2s,transformer")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--epochs", type=float, default=10)
    parser.add_argument("--minutes", type=float)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--runs", type=Path, default=Path("translation-runs"))
    parser.add_argument("--table", action="store_true")
    asked = parser.parse_args()
    asked.runs.mkdir(parents=True, exist_ok=True)
    if not asked.table:
        torch.set_num_threads(asked.threads)
        extension.set_num_threads(asked.threads)
        sentences = read_sentences(asked.data)
        budget = {"epochs": asked.epochs}
        if asked.minutes is not None:
            budget = {"seconds": 60 * asked.minutes}
        for seed in map(int, asked.seeds.split(",")):
            for name in asked.models.split(","):
                perform(Run(name, seed, budget), sentences, asked.runs)
                write_table(asked.runs)
    write_table(asked.runs)


if __name__ == "__main__":
    main()
