"""The command that writes a trained model as a file of another engine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from sluice.cli.errors import fail, report_errors
from sluice.cli.options import CheckpointArgument, Threads

if TYPE_CHECKING:
    from sluice.export import ExportedFile
    from sluice.sequence import Checkpoint

Target = Literal["onnx", "c", "keras", "torch", "rtneural"]
_SUFFIXES: dict[Target, str] = {
    "onnx": ".onnx",
    "c": ".c",
    "keras": ".keras",
    "torch": ".py",
    "rtneural": ".rtneural.json",
}
_OPTIONS: dict[Target, tuple[str, ...]] = {
    "onnx": ("stream", "int8", "check"),
    "c": ("int8",),
    "keras": ("stream",),
    "torch": (),
    "rtneural": (),
}
"""Which of the options apply to a target."""
_TOKENS = 5_000
"""How many tokens of the data are compared."""


def export(
    checkpoint: CheckpointArgument,
    to: Annotated[Target, typer.Option(help="What to write.", rich_help_panel="Export")] = "onnx",
    stream: Annotated[
        bool,
        typer.Option(
            "--stream", help="Write a single step, for live use.", rich_help_panel="Export"
        ),
    ] = False,
    int8: Annotated[
        bool,
        typer.Option(
            "--int8", help="Write matrices in int8, a scale per row.", rich_help_panel="Export"
        ),
    ] = False,
    check: Annotated[
        str | None,
        typer.Option(
            metavar="DATA",
            help="Held-out data on which the file's loss is measured beside the model's.",
            rich_help_panel="Export",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Output file; default: beside the model.", rich_help_panel="Output"),
    ] = None,
    threads: Threads = None,
) -> None:
    """Write a trained model as a file that another engine runs, and compare the two.

    The file is run before it is written; one that differs is refused. C is always a single step.
    """
    given = {"stream": stream, "int8": int8, "check": check}
    for name, value in given.items():
        if value and name not in _OPTIONS[to]:
            fail(f"--{name} does not apply to --to {to}; leave it out")
    with report_errors(ValueError, ImportError):
        import torch

        import sluice.export
        from sluice.sequence import Checkpoint, LanguageModel

        torch.set_num_threads(threads or 1)
        found = Checkpoint.load(checkpoint)
        path = out or checkpoint.with_suffix(_SUFFIXES[to])
        if path.exists() and path.samefile(checkpoint):
            fail(f"--out must not be the model itself, got {out}")
        if check is not None and not isinstance(found.model, LanguageModel):
            fail(
                f"--check compares losses of language models, and {checkpoint} is a "
                f"{type(found.model).__name__}; leave it out"
            )
        write: Any = getattr(sluice.export, to)
        made: ExportedFile = write(
            found.model, path, **{name: given[name] for name in _OPTIONS[to] if name != "check"}
        )
        _report(made, "Read again" if to == "rtneural" else "Run")
        if check is not None:
            _compare_losses(found, made.path, check)


def _report(made: ExportedFile, how: str) -> None:
    typer.echo(f"Written: {made.path} ({made.size:,} bytes)")
    typer.echo(f"{how} here, it differs from the model by at most {made.difference:.1e}.")
    for label, shapes in (("Reads", made.inputs), ("Gives", made.outputs)):
        listed = "; ".join(f"{n} ({', '.join(map(str, s))})" for n, s in shapes.items())
        typer.echo(f"{label}: {listed}")
    typer.echo(f"Run it: {made.usage}")


def _compare_losses(checkpoint: Checkpoint, path: Path, data: str) -> None:
    from sluice.export.to_onnx.evaluation import measure_loss
    from sluice.report.held_out import load_held_out

    held_out = load_held_out(checkpoint, data, _TOKENS)
    model = checkpoint.model.eval()
    own, theirs = held_out.loss(model), measure_loss(path, model, held_out.batches(0))
    typer.echo(
        f"On {held_out.steps:,} tokens of {data}: the model {own:.4f}, the file {theirs:.4f} "
        f"{checkpoint.loss_unit}."
    )
