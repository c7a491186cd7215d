"""The command that judges a trained model on data, beside baselines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from sluice.cli.errors import fail, report_known_errors
from sluice.cli.options import (
    Beam,
    CheckpointArgument,
    LengthPenalty,
    Threads,
    choose_length_penalty,
)
from sluice.cli.score_display import group_score_tables
from sluice.cli.usage import refuse_unused

_ORIGINS = "Series"


def evaluate(
    context: typer.Context,
    checkpoint: CheckpointArgument,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Held-out data, of the kind the model was trained on: text, ABC, MIDI, a table "
            "(CSV, Parquet), piano rolls (JSON); for a model of pairs, or of labels of tokens, "
            "lines of a source, a tab and a target; for a model of chorales, MusicXML or MIDI, or "
            "the word chorales for the test part of Bach's.",
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="Output file: .json for all of it, .csv for the scores.", rich_help_panel="Output"
        ),
    ] = None,
    period: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Length of a season in steps; default that of the training.",
            rich_help_panel=_ORIGINS,
        ),
    ] = None,
    held_out: Annotated[
        float | None,
        typer.Option(
            metavar="PART",
            help="Part of each series, at its end, that is forecast; default 0.1.",
            rich_help_panel=_ORIGINS,
        ),
    ] = None,
    origins: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Maximum number of rows of a series to forecast from; default 100.",
            rich_help_panel=_ORIGINS,
        ),
    ] = None,
    stride: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Rows between those to forecast from; default as --origins needs.",
            rich_help_panel=_ORIGINS,
        ),
    ] = None,
    target_file: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="File with the target of each line of DATA, for pairs in two files.",
            rich_help_panel="Data",
        ),
    ] = None,
    beam: Beam = None,
    length_penalty: LengthPenalty = None,
    threads: Threads = None,
) -> None:
    """Judge a trained model on held-out data, beside baselines."""
    with report_known_errors():
        import torch

        from sluice.chorales.evaluation import evaluate_chorales
        from sluice.files import require_writable
        from sluice.report.evaluation import EvaluationSettings, evaluate_model
        from sluice.report.evaluation.evaluation_report import require_report_suffix
        from sluice.sequence import Checkpoint
        from sluice.sequence.models import BiaxialModel, Forecaster, PairModel

        torch.set_num_threads(threads or 1)
        if out is not None:
            require_report_suffix(out)
            require_writable(out.parent)
        trained = Checkpoint.load(checkpoint)
        situations = {Forecaster: "series", PairModel: "pairs"}
        known = (name for kind, name in situations.items() if isinstance(trained.model, kind))
        refuse_unused(context, next(known, "other"))
        if origins is not None and stride is not None:
            fail("--origins and --stride exclude each other; choose one")
        if held_out is not None and not 0 < held_out < 1:
            fail(f"--held-out must be between 0 and 1, got {held_out:g}")
        if isinstance(trained.model, BiaxialModel):
            report = evaluate_chorales(trained, data)
        else:
            settings = EvaluationSettings(
                period,
                held_out,
                origins,
                stride,
                target_file,
                num_beams=beam or 1,
                length_penalty=choose_length_penalty(length_penalty, beam),
            )
            report = evaluate_model(trained, data, settings)
        console = Console()
        for note in report.notes:
            console.print(note, highlight=False, soft_wrap=True, markup=False)
        console.print(group_score_tables(report.tables))
        if out is not None:
            report.save(out)
            typer.echo(f"Written: {out}")
