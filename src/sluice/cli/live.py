"""`sluice look --live`: follows a training from another terminal."""

from __future__ import annotations

import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from sluice.cli.errors import fail, report_known_errors
from sluice.cli.usage import is_given

if TYPE_CHECKING:
    from sluice.insight import JournalReader

_INTERVAL = 0.5
"""Seconds between two looks at the file."""
_ENDS = {
    "budget": "The training has ended.",
    "patience": "The training has ended, as the loss stopped falling.",
    "interrupted": "The training was stopped early.",
    "diverged": "The training has ended, as its loss or a gradient was not finite.",
}


def follow_training(context: typer.Context, folder: Path) -> None:
    """Show what the monitor of a training sees, until it ends, or q or Ctrl-C is pressed."""
    for one in context.command.params:
        if one.name not in ("checkpoint", "live") and is_given(context, str(one.name)):
            name = one.opts[0] if one.opts[0].startswith("-") else one.name.upper()
            fail(f"{name} does not apply to --live, which shows a whole training; leave it out")
    with report_known_errors():
        from sluice.insight import JournalReader
        from sluice.insight.monitor.journal import find_journal

        console, reader = Console(), JournalReader(find_journal(folder))
        reader.read()
        if not console.is_terminal or reader.end is not None:
            console.print(_render(reader), soft_wrap=not console.is_terminal)
            return
        _follow(console, reader)


def _follow(console: Console, reader: JournalReader) -> None:
    with _read_keys() as find_keys, Live(console=console, auto_refresh=False) as live:
        try:
            while True:
                reader.read()
                if reader.end is not None:
                    break
                live.update(_render(reader, follows=True), refresh=True)
                if "q" in find_keys(_INTERVAL).lower():
                    break
        except KeyboardInterrupt:
            pass
        live.update(_render(reader), refresh=True)


def _render(reader: JournalReader, follows: bool = False) -> RenderableType:
    """The display of what was read, and how the training is getting on."""
    from sluice.insight.monitor.display import render_observations

    notes = Text()
    if reader.end is not None:
        notes = Text(_ENDS.get(reader.end, "The training has ended."), "bold")
    elif follows:
        ago = max(0.0, time.time() - reader.path.stat().st_mtime)
        notes = Text(f"Last seen {ago:.0f} s ago; q or Ctrl-C ends this view alone.", "dim")
    if reader.skipped:
        unread = "1 line" if reader.skipped == 1 else f"{reader.skipped} lines"
        notes.append(f" {unread} of {reader.path.name} could not be read and is left out.", "dim")
    return Group(render_observations(reader.observations), notes)


@contextmanager
def _read_keys() -> Iterator[Callable[[float], str]]:
    """Yield a function that waits so many seconds for keys, and returns those pressed."""
    if sys.platform == "win32" or not sys.stdin.isatty():
        yield _wait
        return
    import termios
    import tty

    handle = sys.stdin.fileno()
    before = termios.tcgetattr(handle)
    tty.setcbreak(handle, termios.TCSADRAIN)
    try:
        yield lambda seconds: _wait_for_keys(handle, seconds)
    finally:
        termios.tcsetattr(handle, termios.TCSADRAIN, before)


def _wait(seconds: float) -> str:
    time.sleep(seconds)
    return ""


def _wait_for_keys(handle: int, seconds: float) -> str:
    ready, _, _ = select.select([handle], [], [], seconds)
    # Not through sys.stdin, whose buffer takes more keys than it gives.
    return os.read(handle, 64).decode(errors="replace") if ready else ""
