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

Target = Literal["onnx", "c", "js", "html", "keras", "torch", "rtneural"]
_SUFFIXES: dict[Target, str] = {
    "onnx": ".onnx",
    "c": ".c",
    "js": ".js",
    "html": ".html",
    "keras": ".keras",
    "torch": ".py",
    "rtneural": ".rtneural.json",
}
_OPTIONS: dict[Target, tuple[str, ...]] = {
    "onnx": ("stream", "int8", "check"),
    "c": ("int8",),
    "js": ("int8", "check"),
    "html": ("int8",),
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

    The file is run before it is written; one that differs is refused. C and JavaScript are
    always a single step. HTML is a page on which the model writes, or composes tunes. CHECKPOINT
    may be the word tunes, for the bundled model.
    """
    given = {"stream": stream, "int8": int8, "check": check}
    for name, value in given.items():
        if value and name not in _OPTIONS[to]:
            fail(f"--{name} does not apply to --to {to}; leave it out")
    with report_errors(ValueError, ImportError):
        import torch

        import sluice.export
        from sluice.export.to_js.engine import find_node
        from sluice.sequence import Checkpoint, LanguageModel

        if to == "js" and check and find_node() is None:
            fail("--check needs node to run the module, which is not installed; leave it out")
        torch.set_num_threads(threads or 1)
        named, checkpoint = checkpoint, _find_file(checkpoint)
        found = Checkpoint.load(checkpoint)
        path = out or named.with_suffix(_SUFFIXES[to])
        if path.exists() and path.samefile(checkpoint):
            fail(f"--out must not be the model itself, got {out}")
        if check is not None and not isinstance(found.model, LanguageModel):
            fail(
                f"--check compares losses of language models, and {checkpoint} is a "
                f"{type(found.model).__name__}; leave it out"
            )
        options: dict[str, Any] = {n: given[n] for n in _OPTIONS[to] if n != "check"}
        if to in ("js", "html"):
            options["vocabulary"] = found.vocabulary
        write: Any = _write_page if to == "html" else getattr(sluice.export, to)
        made: ExportedFile = write(found if to == "html" else found.model, path, **options)
        _report(made, to)
        if check is not None:
            _compare_losses(found, made.path, check)


def _report(made: ExportedFile, to: Target) -> None:
    typer.echo(f"Written: {made.path} ({made.size:,} bytes)")
    if made.difference is None:
        typer.echo("There is no node here, so it was not run.")
    else:
        how = "Read again" if to == "rtneural" else "Run"
        typer.echo(f"{how} here, it differs from the model by at most {made.difference:.1e}.")
    for label, shapes in (("Reads", made.inputs), ("Gives", made.outputs)):
        listed = "; ".join(f"{n} ({', '.join(map(str, s))})" for n, s in shapes.items())
        if listed:
            typer.echo(f"{label}: {listed}")
    typer.echo(f"Run it: {made.usage}")


def _find_file(checkpoint: Path) -> Path:
    """The model file; the bundled one of tunes for its name."""
    if checkpoint != Path("tunes") or checkpoint.exists():
        return checkpoint
    from sluice.tunes.composition.inputs import find_checkpoint

    return find_checkpoint()


def _write_page(checkpoint: Checkpoint, path: Path, int8: bool, vocabulary: Any) -> ExportedFile:
    import sluice.export
    from sluice.sequence import LanguageModel
    from sluice.tunes.web_page.page import composes_tunes, write_tunes_page

    if not isinstance(checkpoint.model, LanguageModel):
        fail(f"a page is written of language models, not of a {type(checkpoint.model).__name__}")
    if composes_tunes(vocabulary):
        return write_tunes_page(checkpoint, path, int8=int8)
    return sluice.export.html(checkpoint.model, path, vocabulary=vocabulary, int8=int8)


def _compare_losses(checkpoint: Checkpoint, path: Path, data: str) -> None:
    from sluice.export.to_js.evaluation import measure_loss as measure_module_loss
    from sluice.export.to_onnx.evaluation import measure_loss
    from sluice.report.held_out import load_held_out

    held_out = load_held_out(checkpoint, data, _TOKENS)
    model = checkpoint.model.eval()
    own, batches = held_out.loss(model), held_out.batches(0)
    if path.suffix == ".onnx":
        theirs = measure_loss(path, model, batches)
    else:
        theirs = measure_module_loss(path.read_text(), batches)
    typer.echo(
        f"On {held_out.steps:,} tokens of {data}: the model {own:.4f}, the file {theirs:.4f} "
        f"{checkpoint.loss_unit}."
    )
