"""The options of `sluice train`, as they are given and as a training's record keeps them."""

from __future__ import annotations

import json
import math
import re
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sluice.cli import forecast_flags, pair_flags, table_flags
from sluice.cli.completion import complete_cell, complete_data
from sluice.cli.errors import fail
from sluice.cli.options import Threads, Tokenization, TrainingPrecision, value_or

if TYPE_CHECKING:
    from sluice.sequence import TrainingConfig

_DATA, _TABLE, _MODEL = "Data", forecast_flags.PANEL, "Model"
_BUDGET, _OPTIMIZATION = "Length of training", "Optimization"
BUDGETS = ("minutes", "epochs", "steps")


@dataclass(frozen=True)
class TrainOptions:
    """What a training was asked for on the command line; None is the default."""

    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="What to train on: a file or folder (text, pairs of texts, texts with labels, "
            "ABC, MIDI, piano rolls in JSON, CSV, Parquet, JSON lines, spreadsheets), '-' for "
            "standard input, 'tunes' for the default folk tunes, or 'chorales' for Bach's, in four "
            "parts.",
            autocompletion=complete_data,
        ),
    ]
    corpus: Annotated[
        list[Path] | None,
        typer.Option(
            help="ABC files instead of the default folk tunes; for chorales files or folders of "
            "MusicXML, MIDI or piano rolls; repeatable.",
            rich_help_panel=_DATA,
        ),
    ] = None
    base: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="MODEL",
            help="Train on from a model file, whose sizes and cell stay; for tunes also 'shipped'. "
            "Tokens and classes that only DATA have are added.",
            rich_help_panel=_MODEL,
        ),
    ] = None
    kind: Annotated[
        str | None,
        typer.Option(
            help="Format: text, pairs, labels (texts with labels), abc, midi, rolls (piano "
            "rolls), csv, parquet, jsonl or spreadsheet; default: recognised from the file.",
            rich_help_panel=_DATA,
        ),
    ] = None
    encoding: Annotated[
        str | None,
        typer.Option(
            help="Character encoding, such as windows-1252; default: recognised from the file.",
            rich_help_panel=_DATA,
        ),
    ] = None
    tokenize: Annotated[
        Tokenization | None,
        typer.Option(
            help="Unit of text: chars, words or subwords; default chars (of pairs with blanks: "
            "subwords).",
            rich_help_panel=_DATA,
        ),
    ] = None
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="A,B",
            help="Columns of source and target, or of text and label, from 1; of text and label "
            "by name too, as review,sentiment.",
            rich_help_panel=_DATA,
        ),
    ] = None
    target_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="File with the target of each line of DATA, for pairs in two files.",
            rich_help_panel=_DATA,
        ),
    ] = None
    seq_len: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Steps per batch of a long sequence, or per window of a forecast or of labels; "
            "default 100.",
            rich_help_panel=_DATA,
        ),
    ] = None
    target: Annotated[
        list[str] | None,
        typer.Option(help="Column to forecast; default all; repeatable.", rich_help_panel=_TABLE),
    ] = None
    inputs: Annotated[
        list[str] | None,
        typer.Option(help="Column to read; default all; repeatable.", rich_help_panel=_TABLE),
    ] = None
    id: Annotated[
        str | None,
        typer.Option(
            help="Column that says to which series a row belongs.", rich_help_panel=_TABLE
        ),
    ] = None
    time: Annotated[
        str | None,
        typer.Option(
            help="Column that orders the rows of a series: numbers or dates; several between "
            "commas, as date,hour.",
            rich_help_panel=_TABLE,
        ),
    ] = None
    label: Annotated[
        str | None,
        typer.Option(help="Column of labels, per series or per step.", rich_help_panel=_TABLE),
    ] = None
    horizon: forecast_flags.Horizon = None
    period: forecast_flags.Period = None
    quantiles: forecast_flags.Quantiles = None
    known: forecast_flags.Known = None
    calendar: forecast_flags.Calendar = None
    linear_lags: forecast_flags.LinearLags = None
    delimiter: table_flags.Delimiter = None
    decimal: table_flags.Decimal = None
    thousands: table_flags.Thousands = None
    comment: table_flags.Comment = None
    header: table_flags.Header = None
    missing: table_flags.Missing = None
    categories: table_flags.Categories = None
    drop_units: table_flags.DropUnits = None
    sheet: table_flags.Sheet = None
    time_format: table_flags.TimeFormat = None
    time_zone: table_flags.TimeZone = None
    no_time: table_flags.NoTime = None
    regular: table_flags.Regular = None
    vocabulary_size: pair_flags.VocabularySize = None
    joint_vocabulary: pair_flags.JointVocabulary = None
    group_by: pair_flags.GroupBy = None
    architecture: pair_flags.ModelArchitecture = None
    input_feeding: pair_flags.InputFeeding = None
    label_smoothing: pair_flags.LabelSmoothing = None
    cell: Annotated[
        str | None,
        typer.Option(
            help="Cell: a name such as gru or slstm, or path/to/file.py:ClassName; default lstm.",
            autocompletion=complete_cell,
            rich_help_panel=_MODEL,
        ),
    ] = None
    hidden: Annotated[
        int | None,
        typer.Option(
            help="Hidden units per layer; default 256 (64 for chorales, 128 for piano rolls).",
            rich_help_panel=_MODEL,
        ),
    ] = None
    layers: Annotated[
        int | None,
        typer.Option(
            help="Number of layers; default 2 (1 for tunes and recurrent models of pairs, 4 for "
            "convs2s, 3 for transformer).",
            rich_help_panel=_MODEL,
        ),
    ] = None
    dropout: Annotated[
        float | None,
        typer.Option(
            help="Dropout probability; default 0.2 (0.1 for chorales, 0.5 for piano rolls).",
            rich_help_panel=_MODEL,
        ),
    ] = None
    minutes: Annotated[
        float | None,
        typer.Option(help="Time limit in minutes; default 2.", rich_help_panel=_BUDGET),
    ] = None
    epochs: Annotated[
        float | None,
        typer.Option(
            help="Number of passes over the data, instead of --minutes.", rich_help_panel=_BUDGET
        ),
    ] = None
    steps: Annotated[
        int | None,
        typer.Option(
            help="Number of weight updates, instead of --minutes.", rich_help_panel=_BUDGET
        ),
    ] = None
    batch: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Sequences per batch; default 32 (16 for tunes, 8 for piano rolls, 4 for "
            "chorales).",
            rich_help_panel=_OPTIMIZATION,
        ),
    ] = None
    learning_rate: Annotated[
        float | None,
        typer.Option(
            help="Peak learning rate; default 0.004, with --from 0.001 (for tunes 0.008 and "
            "0.002; for piano rolls 0.01, for chorales 0.006).",
            rich_help_panel=_OPTIMIZATION,
        ),
    ] = None
    bptt: Annotated[
        str | None,
        typer.Option(
            metavar="K|K1,K2",
            help="Truncated BPTT: update every K1 steps, with gradients through the last K2 "
            "(K alone: K1 = K2 = K).",
            rich_help_panel=_OPTIMIZATION,
        ),
    ] = None
    sparse_embeddings: Annotated[
        bool | None,
        typer.Option(
            "--sparse-embeddings",
            help="Update only those rows of an embedding that a batch looks up: faster with a "
            "large vocabulary.",
            rich_help_panel=_OPTIMIZATION,
        ),
    ] = None
    checkpoint_every: Annotated[
        str | None,
        typer.Option(
            metavar="Nmin|Nsteps",
            help="How often a checkpoint is saved, as in 5min or 500steps; default 1min.",
            rich_help_panel=_BUDGET,
        ),
    ] = None
    seed: Annotated[
        int | None,
        typer.Option(min=0, help="Random seed; default 0.", rich_help_panel=_OPTIMIZATION),
    ] = None
    precision: Annotated[
        TrainingPrecision | None,
        typer.Option(
            help="Precision of the matrix products; default float32.",
            rich_help_panel="Hardware",
        ),
    ] = None
    threads: Threads = None

    def with_defaults(self, defaults: TrainOptions) -> TrainOptions:
        """These options, and `defaults` for those that are None."""
        given = self.select_given()
        if given.keys() & {*BUDGETS}:  # one budget replaces another
            defaults = replace(defaults, minutes=None, epochs=None, steps=None)
        return replace(defaults, **given)

    def select_given(self) -> dict[str, Any]:
        """The options that are not None, by name."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def to_json(self) -> dict[str, object]:
        given = self.select_given()
        if self.corpus is not None:
            given["corpus"] = [str(path) for path in self.corpus]
        return given

    @classmethod
    def read(cls, path: Path) -> TrainOptions | None:
        """The options in a training's record, if there is one at `path`."""
        if not path.is_file():
            return None
        try:
            values = json.loads(path.read_text())["options"]
            known = {one.name for one in fields(cls)}
            options = cls(**{name: value for name, value in values.items() if name in known})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            fail(
                f"{path} is not the record of a training ({error}); remove it or choose another "
                "--out"
            )
        corpus = None if options.corpus is None else [Path(one) for one in options.corpus]
        return replace(options, corpus=corpus)

    def require_one_budget(self) -> None:
        """Refuse two budgets."""
        if sum(getattr(self, name) is not None for name in BUDGETS) > 1:
            fail("--minutes, --epochs and --steps exclude each other; choose one")

    def build_config(self, defaults: TrainingConfig | None = None) -> TrainingConfig:
        """The training configuration for these options; where they are None, the defaults'."""
        from sluice.sequence import TrainingConfig

        self.require_one_budget()
        usual = defaults or TrainingConfig(seconds=1.0)
        minutes = self.minutes
        if minutes is not None and not 0 < minutes < math.inf:
            fail(f"--minutes must be above 0, got {minutes:g}")
        if self.epochs is None and self.steps is None and minutes is None:
            minutes = 2.0
        save_seconds, save_steps = _parse_interval(self.checkpoint_every)
        return replace(
            usual,
            save_seconds=save_seconds,
            save_steps=save_steps,
            seconds=None if minutes is None else 60 * minutes,
            epochs=self.epochs,
            steps=self.steps,
            learning_rate=value_or(self.learning_rate, usual.learning_rate),
            precision=self.precision,
            sparse_embeddings=bool(self.sparse_embeddings),
            seed=value_or(self.seed, usual.seed),
            bptt=value_or(_parse_bptt(self.bptt), usual.bptt),
        )


def _parse_interval(text: str | None) -> tuple[float | None, int | None]:
    """Seconds or steps between checkpoints."""
    if text is None:
        return 60.0, None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(min|steps?)", text.strip())
    amount = float(found[1]) if found else 0.0
    if found is None or not amount or (found[2] != "min" and not amount.is_integer()):
        fail(f"--checkpoint-every must be minutes or steps, as in 5min or 500steps, got {text!r}")
    return (60 * amount, None) if found[2] == "min" else (None, int(amount))


def _parse_bptt(text: str | None) -> int | tuple[int, int] | None:
    if text is None:
        return None
    try:
        steps = [int(part) for part in text.split(",")]
    except ValueError:
        steps = []
    if len(steps) not in (1, 2):
        fail(f"--bptt must be one or two numbers of steps, as in 20 or 20,60, got {text!r}")
    return steps[0] if len(steps) == 1 else (steps[0], steps[1])
