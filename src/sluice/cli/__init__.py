"""The command line: thin commands that call the library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from sluice._version import __version__
from sluice.cli import (
    ablate,
    cells,
    compare,
    compose,
    doctor,
    evaluate,
    export,
    forecast,
    generate,
    look,
    predict,
    search,
    show,
    sketch,
    studio,
    train,
)
from sluice.cli.errors import CommandGroup
from sluice.cli.flags import Command
from sluice.cli.options import spread_options

app = typer.Typer(cls=CommandGroup, no_args_is_help=True, pretty_exceptions_enable=False)


def main() -> None:
    app()


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sluice {__version__}")
        raise typer.Exit


@app.callback(epilog="Example: sluice show lstm")
def sluice(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Recurrent networks whose cell is written once, as its update equations."""


_SHOW, _TRAIN, _UNDERSTAND = "Cells", "Training and generation", "Understanding a model"
_COMMANDS: tuple[tuple[str, Callable[..., None], str, str], ...] = (
    ("cells", cells.list_cells, _SHOW, "sluice cells"),
    ("show", show.show, _SHOW, "sluice show peephole-lstm --as latex"),
    ("sketch", sketch.sketch, _SHOW, "sluice sketch gru --out gru.svg"),
    ("compare", compare.compare, _SHOW, "sluice compare --cells gru,lstm --task adding --quick"),
    ("train", spread_options(train.train), _TRAIN, "sluice train novel.txt --cell gru --minutes 5"),
    (
        "search",
        spread_options(search.search),
        _TRAIN,
        "sluice search novel.txt --tune hidden=64..512:log --trials 30 --processes 2",
    ),
    ("generate", generate.generate, _TRAIN, 'sluice generate model.safetensors --prompt "It was "'),
    ("forecast", forecast.forecast, _TRAIN, "sluice forecast model.safetensors sensors.csv"),
    ("evaluate", evaluate.evaluate, _TRAIN, "sluice evaluate model.safetensors held-out.txt"),
    ("predict", predict.predict, _TRAIN, "sluice predict model.safetensors new.csv"),
    ("export", export.export, _TRAIN, "sluice export model.safetensors --to onnx --int8"),
    ("compose", compose.compose_tunes, _TRAIN, "sluice compose --dance jig --key D --seed 4"),
    ("look", look.look, _UNDERSTAND, "sluice look model.safetensors novel.txt --units all"),
    ("ablate", ablate.ablate, _UNDERSTAND, "sluice ablate model.safetensors held-out.txt"),
    ("doctor", doctor.doctor, "This machine", "sluice doctor"),
)
for _name, _command, _panel, _example in _COMMANDS:
    app.command(_name, cls=Command, rich_help_panel=_panel, epilog=f"Example: {_example}")(_command)
app.add_typer(studio.app, name="studio", rich_help_panel=_TRAIN)
