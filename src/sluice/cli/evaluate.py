"""The command that judges a trained model on data, beside baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sluice.cli.errors import report_known_errors
from sluice.cli.options import CheckpointArgument, Threads
from sluice.cli.score_display import group_score_tables


def evaluate(
    checkpoint: CheckpointArgument,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Held-out data, of the kind the model was trained on: text, ABC, MIDI, a table "
            "(CSV, Parquet), piano rolls (JSON); for a model of pairs, or of labels of tokens, "
            "lines of a source, a tab and a target.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Output file: .json for all of it, .csv for the scores.", rich_help_panel="Output"
        ),
    ] = None,
    threads: Threads = None,
) -> None:
    """Judge a trained model on held-out data, beside baselines."""
    with report_known_errors():
        import torch

        from sluice.files import require_writable
        from sluice.report.evaluation import evaluate_model
        from sluice.report.evaluation.evaluation_report import require_report_suffix
        from sluice.sequence import Checkpoint

        torch.set_num_threads(threads or 1)
        if out is not None:
            require_report_suffix(out)
            require_writable(out.parent)
        report = evaluate_model(Checkpoint.load(checkpoint), data)
        console = Console()
        for note in report.notes:
            console.print(note, highlight=False, soft_wrap=True, markup=False)
        console.print(group_score_tables(report.tables))
        if out is not None:
            report.save(out)
            typer.echo(f"Written: {out}")
