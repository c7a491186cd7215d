"""The inputs of composing: a model file, and tunes to edit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path

from sluice.files import StrPath
from sluice.tunes.errors import AbcSyntaxError, TuneError
from sluice.tunes.notation import abc_file
from sluice.tunes.notation.transcription import GAP
from sluice.tunes.tune import Tune, from_abc

_LOCAL_CHECKPOINT = Path("tunes-out/tunes.safetensors")


def find_checkpoint() -> Path:
    """The bundled model, else the file that `sluice train tunes` wrote here.

    Raises:
        TuneError: there is neither.
    """
    folder = resources.files("sluice.tunes") / "model"
    shipped = sorted(str(file) for file in folder.iterdir()) if folder.is_dir() else []
    found = [Path(file) for file in shipped if file.endswith(".safetensors")]
    if found or _LOCAL_CHECKPOINT.is_file():
        return [*found, _LOCAL_CHECKPOINT][0]
    raise TuneError(
        "This installation has no model of tunes, and none was trained here; run "
        "`sluice train tunes` (some minutes), or name a file with --checkpoint."
    )


def strip_last_bar_line(tokens: Sequence[str], text: str) -> Sequence[str]:
    """Without the last bar line where the text has none: reading adds it."""
    return tokens if text.rstrip().endswith(("|", ":", "]")) else tokens[:-1]


def read_tune(path: StrPath, *, gaps: bool = False, complete: bool = True) -> Tune:
    """The first tune of an ABC file, to be continued (not `complete`), filled or varied.

    Raises:
        TuneError: the file cannot be opened, holds no tune, or its first cannot be read.
    """
    block = abc_file.read_blocks(path)[0]
    try:
        tune = from_abc(block, gaps)
    except AbcSyntaxError as error:
        raise TuneError(f"{path}, line {error.line}: {error}.") from None
    if gaps and GAP not in tune.tokens:
        raise TuneError(f"{path} has no gap; write a * where music is to be filled in.")
    if complete:
        return tune
    last = block.music_lines()[-1].text if block.music_lines() else ""
    return replace(tune, tokens=tuple(strip_last_bar_line(tune.tokens, last)))
