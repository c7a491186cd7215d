"""The command that ablates gates and units of a trained model, one after another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from sluice.cli.errors import report_errors
from sluice.cli.options import CheckpointArgument, Theme, Threads, parse_units

if TYPE_CHECKING:
    from sluice.report.ablation import Effect
    from sluice.report.generation_samples import Continuation

_ABLATION, _GENERATION = "Ablation", "Generation"


def ablate(
    checkpoint: CheckpointArgument,
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="Held-out data: a text file, an ABC file or a folder of ABC files.",
        ),
    ],
    group: Annotated[
        int,
        typer.Option(help="Number of units that are silenced together.", rich_help_panel=_ABLATION),
    ] = 1,
    tokens: Annotated[
        int,
        typer.Option(min=1, help="Held-out tokens to evaluate on.", rich_help_panel=_ABLATION),
    ] = 5_000,
    units: Annotated[
        str,
        typer.Option(
            metavar="N|all",
            help="Number of units to show, those with the largest increase of the loss first.",
            rich_help_panel=_ABLATION,
        ),
    ] = "5",
    seed: Annotated[int, typer.Option(min=0, help="Random seed.", rich_help_panel=_GENERATION)] = 0,
    length: Annotated[
        int, typer.Option(min=1, help="Maximum number of new tokens.", rich_help_panel=_GENERATION)
    ] = 200,
    out: Annotated[Path, typer.Option(help="Output folder.", rich_help_panel="Output")] = Path(
        "ablate-out"
    ),
    theme: Theme = "light",
    threads: Threads = None,
) -> None:
    """Measure the loss with each gate open, shut or at its mean, and with each unit silenced."""
    shown_units = parse_units(units)
    with report_errors(ValueError, ImportError):
        import torch

        from sluice.files import require_writable, write_atomically
        from sluice.render.picture import save_figure
        from sluice.report import ablation, generation_samples
        from sluice.sequence import Checkpoint

        torch.set_num_threads(threads or 1)
        require_writable(out)
        model = Checkpoint.load(checkpoint)
        judged = generation_samples.load_held_out(model, Path(data), tokens)
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
        drawn = generation_samples.generate_continuations(
            model, [effect.intervention for effect in shown], seed, length
        )
        skipped = f", {judged.skipped} sequences skipped" if judged.skipped else ""
        console.print(
            f"{len(judged.sequences)} held-out sequences, {judged.tokens:,} tokens{skipped}. "
            f"The intact model: {found.loss:.3f} nats per token.",
            highlight=False,
        )
        console.print(_build_table(shown, drawn))
        report = found.to_dict() | {"generated": [one._asdict() for one in drawn], "seed": seed}
        paths = [out / "ablation.json", out / "ablation.png", out / "ablation.svg"]
        write_atomically(paths[0], json.dumps(report, indent=1, ensure_ascii=False).encode())
        for path in paths[1:]:
            save_figure(found.figure(theme, "increase of the loss (nats per token)"), path)
    typer.echo(f"Written: {', '.join(map(str, paths))}")


def _build_table(shown: list[Effect], drawn: list[Continuation]) -> Table:
    """The loss under each ablation, and what is generated from the same seed."""
    whole, *cut = drawn
    table = Table(box=None, pad_edge=False)
    table.add_column("ablation", no_wrap=True)
    for name in ("loss", "increase", "first\ndifference", "length", "loss of\nthe text"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row("none", "", "", "", str(len(whole.tokens)), f"{whole.loss:.2f}")
    for effect, one in zip(shown, cut, strict=True):
        table.add_row(
            str(effect.intervention),
            f"{effect.loss:.3f}",
            f"{effect.increase:+.3f}",
            "never" if one.differs is None else str(one.differs),
            str(len(one.tokens)),
            f"{one.loss:.2f}",
        )
    table.caption = (
        "Generated from one seed: where the first token differs, how long it is, and how likely "
        "the intact model finds it (nats per token)."
    )
    table.caption_justify = "left"
    return table


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
