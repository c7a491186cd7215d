"""The bundled model of tunes: how it is trained and packed.

The recipe takes about an hour on two cores. It learns from the collections whose terms are clear
(`sluice.tunes.corpus.licences`), split by family; run and resume it with
`python -m sluice.tunes.composition.pretrained OUT`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from sluice import tunes
from sluice.files import StrPath
from sluice.sequence import Checkpoint, LanguageModel, Progress, TrainingConfig, TrainingResult
from sluice.sequence.training.schedules import Cosine
from sluice.tunes.composition import training
from sluice.tunes.composition.composer import Composer
from sluice.tunes.corpus import collections, comparison, families, licences, statistics
from sluice.tunes.corpus.index import TuneIndex
from sluice.tunes.tune import Tune

CHECKPOINT_NAME = "tunes.safetensors"
_VALIDATION_LIST = Path(tunes.__file__).parent / "model" / "validation.txt"
"""Drawn once by family; fixed, so that figures compare when more tunes are read."""
CARD_DANCES = ("jig", "reel", "hornpipe", "air", "slip jig", "march", "strathspey")

MODEL_CONFIG = training.TuneModelConfig(
    embedding_size=256,
    hidden_size=512,
    num_layers=2,
    dropout=0.5,
    embedding_dropout=0.2,
    recurrent_dropout=0.25,
    batch_size=32,
)
TRAINING_CONFIG = TrainingConfig(
    epochs=22,
    learning_rate=2.5e-3,
    schedule=Cosine(),
    warmup=0.05,
    weight_decay=0.05,
    betas=(0.9, 0.99),
    max_grad_norm=0.5,
    validations=22,
    precision="bfloat16",
)


def prepare_dataset(*, by_family: bool = True) -> training.TuneDataset:
    """The tunes that the model learns from, without the bundled list of validation tunes and their
    relatives; or split at random for comparison.

    Raises:
        MissingExtraError: music21 is not installed.
    """
    collection = collections.load_collections(exclude=licences.find_exclusion_reason)
    if not by_family:
        return training.TuneDataset(collection, families.split_at_random(collection.tunes, seed=0))
    listed = frozenset(_VALIDATION_LIST.read_text().splitlines())
    split = families.split_by_choice(collection.tunes, lambda tune: _get_place(tune) in listed)
    return training.TuneDataset(collection, split)


def _get_place(tune: Tune) -> str:
    """Where a tune stands in music21's corpus."""
    path = Path(tune.source)
    return f"{path.parent.name}/{path.name}:{tune.line}"


def train(folder: StrPath, *, by_family: bool = True) -> TrainingResult:
    """Run the recipe; weights and checkpoints are written to `folder`.

    Raises:
        SequenceError, OSError: as `training.train`.
    """
    return training.train(
        prepare_dataset(by_family=by_family),
        Path(folder) / CHECKPOINT_NAME,
        TRAINING_CONFIG,
        model_config=MODEL_CONFIG,
        precision="bfloat16",
        folder=folder,
        resume=True,
        on_progress=_print_progress,
    )


def pack(checkpoint: StrPath, out: StrPath) -> None:
    """Write the trained weights as they are bundled: in float16, without the training tunes.

    Raises:
        CheckpointError: no such file, or not a language model.
        OSError: `out` cannot be written.
    """
    trained = Checkpoint.load(checkpoint, kind=LanguageModel)
    tunes = ("training", "titles")
    metadata = {name: value for name, value in trained.metadata.items() if name not in tunes}
    replace(trained, metadata=metadata).save(out, dtype="float16")


def build_card(
    checkpoint: StrPath, training_checkpoint: StrPath, count: int = 100, *, form: bool = True
) -> Table:
    """The table of the model card: composed tunes beside the validation tunes.

    Args:
        checkpoint: the bundled file, as `pack` wrote it.
        training_checkpoint: the file that `train` wrote, with the training tunes to search for
            copies.
        count: how many tunes.
        form: as for `Composer.compose`.
    """
    composer = Composer.load(checkpoint)
    tunes = composer.compose(count, form=form)
    index = Composer.load(training_checkpoint).index
    shown = comparison.build_table(tunes, _ReferenceCorpus(index, composer.corpus))
    nearest = [index.find_nearest(tune.tokens[2:]) for tune in tunes]
    runs = sorted(found.run if found else 0 for found in nearest)
    lengths = sorted(len(tune.tokens) for tune in tunes)
    shown.add_row("the longest run of all, tokens", str(runs[-1]), "")
    shown.add_row("tokens of a tune, median", str(lengths[count // 2]), "")
    return shown


def build_dance_card(
    checkpoint: StrPath, count: int = 100, dances: Sequence[str] = CARD_DANCES, *, seed: int = 0
) -> Table:
    """The measures of each dance: composed tunes beside all tunes of the recipe's collections.

    Args:
        checkpoint: a model file.
        count: how many tunes of each dance.
        dances: which.
        seed: of the first tune of each dance.
    """
    nothing = TuneIndex([])
    printed = collections.load_collections(exclude=licences.find_exclusion_reason).tunes
    corpus = statistics.compute_dance_statistics(printed, nothing)
    composer = Composer.load(checkpoint)
    composed = {
        dance: statistics.compute_statistics(
            composer.compose(count, seed=seed, dance=dance), nothing
        )
        for dance in dances
    }
    return comparison.build_dance_table(composed, corpus)


@dataclass(frozen=True)
class _ReferenceCorpus:
    index: TuneIndex
    corpus: statistics.TuneStatistics


def _print_progress(progress: Progress) -> None:
    if progress.has_new_validation:
        Console().print(
            f"{progress.fraction:4.0%}  {progress.seconds:6.0f} s  loss {progress.loss:.3f}  "
            f"validation {progress.validation_loss:.4f}  best {progress.best_loss:.4f}",
            highlight=False,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Train the bundled model of tunes.")
    parser.add_argument("out", type=Path, help="the folder for weights and checkpoints")
    parser.add_argument("--random-split", action="store_true", help="ignore families")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pack", type=Path, help="write the bundled file, print its card")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    outcome = train(chosen.out, by_family=not chosen.random_split)
    if chosen.pack is not None:
        pack(chosen.out / CHECKPOINT_NAME, chosen.pack)
        Console().print(build_card(chosen.pack, chosen.out / CHECKPOINT_NAME))
        Console().print(build_dance_card(chosen.pack))
    Console().print(f"{outcome.validation_loss:.4f} nats per token after {outcome.seconds:.0f} s")


if __name__ == "__main__":
    main()
