"""The inputs of composing: a model file, and tunes to edit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path

from sluice.files import StrPath
from sluice.sequence import Checkpoint, LanguageModel
from sluice.tunes.errors import AbcSyntaxError, TuneError
from sluice.tunes.notation import abc_file
from sluice.tunes.notation.transcription import GAP
from sluice.tunes.tune import Tune, from_abc

_LOCAL_CHECKPOINT = Path("tunes-out/tunes.safetensors")


SHIPPED = "shipped"
"""The name of the bundled model, where a model file can be named."""


def load_trained(name: StrPath) -> Checkpoint:
    """The model of tunes in a file, or the bundled one for `SHIPPED`, to train on from.

    Raises:
        CheckpointError: no such file, truncated, or not a language model.
        TuneError: a language model, but not of tunes; or no model is bundled.
    """
    shipped = _find_shipped()
    if str(name) == SHIPPED and shipped is None:
        raise TuneError("This installation has no model of tunes; name a file to train on from.")
    path = shipped if shipped is not None and str(name) == SHIPPED else Path(name)
    loaded = Checkpoint.load(path, kind=LanguageModel)
    if not any(token.startswith("M:") for token in loaded.vocabulary.tokens):
        raise TuneError(f"{name} is a language model, but not of tunes; give a model of tunes.")
    return loaded


def _find_shipped() -> Path | None:
    folder = resources.files("sluice.tunes") / "model"
    files = sorted(str(file) for file in folder.iterdir()) if folder.is_dir() else []
    return next((Path(file) for file in files if file.endswith(".safetensors")), None)


def find_checkpoint() -> Path:
    """The bundled model, else the file that `sluice train tunes` wrote here.

    Raises:
        TuneError: there is neither.
    """
    shipped = _find_shipped()
    if shipped is not None or _LOCAL_CHECKPOINT.is_file():
        return shipped or _LOCAL_CHECKPOINT
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
