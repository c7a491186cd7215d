"""The command that predicts labels with a trained classifier or tagger."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sluice.cli.errors import report_known_errors
from sluice.cli.options import CheckpointArgument, Threads
from sluice.cli.score_display import group_score_tables

if TYPE_CHECKING:
    from sluice.report.label_predictions import LabelPredictions

_MAX_COLUMNS = 8
"""Classes whose probabilities fit beside each other; of more, only the most likely is shown."""


def predict(
    checkpoint: CheckpointArgument,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="What to label: a table (CSV, Parquet) with the model's columns; for a model of "
            "tokens, lines of text. Labels in it are compared with.",
        ),
    ],
    rows: Annotated[
        int,
        typer.Option(
            min=0, help="Number of rows to show; --out has all.", rich_help_panel="Output"
        ),
    ] = 20,
    out: Annotated[
        Path | None, typer.Option(help="Output file: CSV.", rich_help_panel="Output")
    ] = None,
    threads: Threads = None,
) -> None:
    """Predict the class of each sequence, or of each step, with its probability."""
    with report_known_errors():
        import torch

        from sluice.files import require_writable
        from sluice.report.label_predictions import predict_labels
        from sluice.sequence import Checkpoint

        torch.set_num_threads(threads or 1)
        if out is not None:
            require_writable(out.parent)
        predictions = predict_labels(Checkpoint.load(checkpoint), data)
        console = Console()
        for note in predictions.notes:
            console.print(note, highlight=False, soft_wrap=True, markup=False)
        console.print(_build_table(predictions, rows))
        console.print(predictions.count_predicted().to_table())
        if predictions.has_labels:
            console.print(group_score_tables(predictions.compute_metrics().to_score_tables()))
        if out is not None:
            predictions.save(out)
            typer.echo(f"Written: {out}")


def _build_table(predictions: LabelPredictions, rows: int) -> Table:
    from sluice.sequence.metrics.fitted_table import escape_controls

    columns = predictions.list_columns()
    before = len(columns) - len(predictions.labels)
    few = len(predictions.labels) <= _MAX_COLUMNS
    table = Table(title=f"{min(rows, len(predictions)):,} of {len(predictions):,} predictions")
    for name in columns[:before]:
        table.add_column(escape(name))
    for name in [f"P({label})" for label in predictions.labels] if few else ["probability"]:
        table.add_column(escape(name), justify="right")
    for row in islice(predictions.list_rows(), rows):
        chances = [f"{float(one):.3f}" for one in row[before:]]
        table.add_row(
            *(escape(escape_controls(one)) for one in row[:before]),
            *(chances if few else [max(chances)]),
        )
    return table
