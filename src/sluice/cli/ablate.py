"""The command that ablates gates and units of a trained model, one after another."""

from __future__ import annotations

import json
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from sluice.cli.errors import report_errors
from sluice.cli.options import CheckpointArgument, Theme, Threads, parse_units
from sluice.cli.usage import refuse_unused

if TYPE_CHECKING:
    from sluice.report.ablation import Ablation, Effect
    from sluice.report.generation_samples import Continuation
    from sluice.report.held_out import HeldOutData, Quality
    from sluice.sequence import Checkpoint

_ABLATION, _GENERATION = "Ablation", "Generation"


def ablate(
    context: typer.Context,
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
    group: Annotated[
        int,
        typer.Option(help="Number of units that are silenced together.", rich_help_panel=_ABLATION),
    ] = 1,
    tokens: Annotated[
        int,
        typer.Option(
            min=1,
            help="Held-out tokens, or steps of a series, to evaluate on.",
            rich_help_panel=_ABLATION,
        ),
    ] = 5_000,
    units: Annotated[
        str,
        typer.Option(
            metavar="N|all",
            help="Number of units to show, those with the largest increase of the loss first.",
            rich_help_panel=_ABLATION,
        ),
    ] = "5",
    seed: Annotated[
        int,
        typer.Option(
            min=0, help="Random seed, of a language model's text.", rich_help_panel=_GENERATION
        ),
    ] = 0,
    length: Annotated[
        int,
        typer.Option(
            min=1,
            help="Maximum number of new tokens, of a language model's text.",
            rich_help_panel=_GENERATION,
        ),
    ] = 200,
    out: Annotated[Path, typer.Option(help="Output folder.", rich_help_panel="Output")] = Path(
        "ablate-out"
    ),
    theme: Theme = "light",
    threads: Threads = None,
) -> None:
    """Measure the loss with each gate open, shut or at its mean, and with each unit silenced.

    Beside the model's own loss stands what a language model then generates; for other models the
    accuracy of labels or keys, the error of forecasts, or how many outputs are exact.
    """
    shown_units = parse_units(units)
    with report_errors(ValueError, ImportError):
        import torch

        from sluice.files import require_writable, write_atomically
        from sluice.render.picture import save_figure
        from sluice.report import ablation, generation_samples
        from sluice.report.held_out import load_held_out
        from sluice.sequence import Checkpoint, LanguageModel

        torch.set_num_threads(threads or 1)
        require_writable(out)
        model = Checkpoint.load(checkpoint)
        generates = isinstance(model.model, LanguageModel)
        refuse_unused(context, "generates" if generates else "other")
        judged = load_held_out(model, data, tokens)
        console = Console()
        with _AblationDisplay(console) as live:
            found = ablation.ablate(
                model.model,
                lambda: judged.loss(model.model),
                run_for_means=lambda: judged.run_longest(model.model),
                group=group,
                on_progress=live.show,
            )
        shown = [*found.gates(), *found.units()[:shown_units]]
        console.print(_describe(judged, model, found), highlight=False)
        report = found.to_dict() | {"loss_unit": model.loss_unit}
        if generates:
            cuts = [effect.intervention for effect in shown]
            drawn = generation_samples.generate_continuations(model, cuts, seed, length)
            console.print(_build_generation_table(shown, drawn))
            report |= {"generated": [one._asdict() for one in drawn], "seed": seed}
        else:
            whole, cut = _measure_qualities(model, judged, shown)
            console.print(_build_quality_table(shown, whole, cut))
            report |= _export_qualities(shown, whole, cut)
        paths = [out / "ablation.json", out / "ablation.png", out / "ablation.svg"]
        write_atomically(paths[0], json.dumps(report, indent=1, ensure_ascii=False).encode())
        label = f"increase of the loss ({model.loss_unit})"
        for path in paths[1:]:
            save_figure(found.figure(theme, label), path)
    typer.echo(f"Written: {', '.join(map(str, paths))}")


def _describe(judged: HeldOutData, model: Checkpoint, found: Ablation) -> str:
    from sluice.sequence.data.report import pluralize

    skipped = f", {judged.skipped} skipped for unknown tokens" if judged.skipped else ""
    noun = "part" if judged.data.is_stream else "sequence"
    held_out = pluralize(len(judged.parts), f"held-out {noun}")
    unit = "tokens" if judged.data.series is None else "steps"
    return (
        f"{held_out}, {judged.steps:,} {unit}{skipped}. "
        f"The intact model: {found.loss:.3f} {model.loss_unit}."
    )


def _build_generation_table(shown: list[Effect], drawn: list[Continuation]) -> Table:
    """The loss under each ablation, and what is generated from the same seed."""
    whole, *cut = drawn
    table = _start_table("first\ndifference", "length", "loss of\nthe text")
    table.add_row("none", "", "", "", str(len(whole.tokens)), f"{whole.loss:.2f}")
    for effect, one in zip(shown, cut, strict=True):
        table.add_row(
            *_format_effect(effect),
            "never" if one.differs is None else str(one.differs),
            str(len(one.tokens)),
            f"{one.loss:.2f}",
        )
    table.caption = (
        "Generated from one seed: where the first token differs, how long it is, and how likely "
        "the intact model finds it (nats per token)."
    )
    return table


def _measure_qualities(
    model: Checkpoint, judged: HeldOutData, shown: list[Effect]
) -> tuple[Quality, list[Quality]]:
    """Of the intact model, and under each ablation."""
    whole = judged.measure_quality(model.model)
    assert whole is not None
    found = []
    for effect in shown:
        with effect.intervention.apply(model.model):
            quality = judged.measure_quality(model.model)
        assert quality is not None
        found.append(quality)
    return whole, found


def _build_quality_table(shown: list[Effect], whole: Quality, cut: list[Quality]) -> Table:
    """The loss under each ablation, and what the model gets right."""
    table = _start_table(whole.name, "change")
    table.add_row("none", "", "", f"{whole.value:.4g}", "")
    for effect, one in zip(shown, cut, strict=True):
        table.add_row(
            *_format_effect(effect), f"{one.value:.4g}", f"{one.value - whole.value:+.3g}"
        )
    return table


def _export_qualities(shown: list[Effect], whole: Quality, cut: list[Quality]) -> dict[str, object]:
    values = [
        {"label": str(effect.intervention), "value": one.value if isfinite(one.value) else None}
        for effect, one in zip(shown, cut, strict=True)
    ]
    return {"quality": {"name": whole.name, "intact": whole.value, "effects": values}}


def _start_table(*more: str) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("ablation", no_wrap=True)
    for name in ("loss", "increase", *more):
        table.add_column(name, justify="right", no_wrap=True)
    table.caption_justify = "left"
    return table


def _format_effect(effect: Effect) -> tuple[str, str, str]:
    return str(effect.intervention), f"{effect.loss:.3f}", f"{effect.increase:+.3f}"


class _AblationDisplay(Progress):
    """A progress bar of the ablations, and the most harmful one so far."""

    def __init__(self, console: Console) -> None:
        super().__init__(
            BarColumn(bar_width=24),
            TextColumn("{task.completed} of {task.total} ablations | {task.description}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.task_id = self.add_task("", total=None)
        self.worst: Effect | None = None

    def show(self, done: int, whole: int, effect: Effect) -> None:
        if self.worst is None or not effect.increase <= self.worst.increase:
            self.worst = effect
        worst = f"worst: {self.worst.intervention} {self.worst.increase:+.3f}"
        self.update(self.task_id, completed=done, total=whole, description=worst)
