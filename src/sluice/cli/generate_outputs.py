"""`sluice generate` with a model of pairs: an output for each input."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sluice.cli.errors import fail

if TYPE_CHECKING:
    from sluice.sequence import Checkpoint, PairOutput

STDIN = "-"
_SHOWN = 8
"""Unknown tokens of an input that are named."""


def read_inputs(inputs: Sequence[str] | None, file: str | None) -> list[str]:
    """The inputs given with `--input`, or the lines of `--input-file`."""
    if inputs and file is not None:
        fail("--input and --input-file exclude each other; choose one")
    if inputs:
        if not all(text.strip() for text in inputs):
            fail("--input must not be empty; give a text")
        return list(inputs)
    if file is None:
        fail("a model of pairs needs inputs; give --input or --input-file")
    lines = _read_stdin() if file == STDIN else _read_file(Path(file))
    if not any(line.strip() for line in lines):
        fail(f"{'standard input' if file == STDIN else file} holds no input; give one a line")
    return lines


def write_outputs(
    checkpoint: Checkpoint,
    inputs: Sequence[str],
    *,
    beam: int,
    length_penalty: float,
    length: int | None,
    scores: bool,
    out: Path | None,
) -> None:
    """Generate the output of each input, one a line, and say on stderr what was assumed.

    An empty line of the inputs gives an empty line. With `scores`, a tab and the log-probability of
    the output follow it.
    """
    from sluice.cli.progress import show_fraction
    from sluice.files import require_writable, write_atomically
    from sluice.sequence import generate_outputs
    from sluice.sequence.pair_outputs import MAX_OUTPUT

    if out is not None:
        require_writable(out.parent)
    longest, began = length or MAX_OUTPUT, time.monotonic()
    places = [place for place, text in enumerate(inputs) if text.strip()]
    with show_fraction("generating") as show:
        made = generate_outputs(
            checkpoint,
            [inputs[place] for place in places],
            num_beams=beam,
            length_penalty=length_penalty,
            max_length=longest,
            on_progress=lambda done: show(done / len(places)),
        )
    seconds = time.monotonic() - began
    lines = [""] * len(inputs)
    for place, one in zip(places, made, strict=True):
        lines[place] = _format_output(one, scores)
    text = "".join(line + "\n" for line in lines)
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_atomically(out, text.encode())
        typer.echo(f"Written: {out}", err=True)
    for note in _describe(inputs, places, made, longest):
        typer.echo(f"sluice: {note}", err=True)
    tokens = sum(len(one.ids) + one.is_complete for one in made)
    typer.echo(f"{tokens:,} tokens, {tokens / max(seconds, 1e-9):,.0f} a second.", err=True)


def _format_output(one: PairOutput, scores: bool) -> str:
    text = " ".join(one.text.splitlines())
    return f"{text}\t{one.log_probability:.4f}" if scores else text


def _describe(
    inputs: Sequence[str], places: Sequence[int], made: Sequence[PairOutput], longest: int
) -> list[str]:
    """Sentences on unknown tokens, empty lines and outputs that were cut."""
    from sluice.sequence.data.report import pluralize

    notes = []
    for place, one in zip(places, made, strict=True):
        if one.unknown:
            more = len(one.unknown) - _SHOWN
            names = ", ".join(map(repr, one.unknown[:_SHOWN])) + (f" and {more} more" * (more > 0))
            notes.append(f"input {place + 1}: the model does not know {names}")
    empty = len(inputs) - len(places)
    if empty:
        lines = "line stays" if empty == 1 else "lines stay"
        notes.append(f"{empty:,} empty {lines} empty")
    cut = sum(not one.is_complete for one in made)
    if cut:
        notes.append(
            f"{pluralize(cut, 'output')} did not end within {longest:,} tokens; see --length"
        )
    return notes


def _read_stdin() -> list[str]:
    data = sys.stdin.buffer.read()
    try:
        return data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        fail(f"standard input is not UTF-8 in line {line}; convert it, or give --input-file a file")


def _read_file(path: Path) -> list[str]:
    from sluice.sequence.data.readers.encodings import open_text, scan_text

    with open_text(path, scan_text(path).encoding) as lines:
        return [line.removesuffix("\n") for line in lines]
