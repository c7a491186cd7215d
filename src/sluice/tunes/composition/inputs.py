"""The inputs of composing: a model file, and tunes to edit."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib import resources
from pathlib import Path

from sluice.files import StrPath
from sluice.sequence import Checkpoint, LanguageModel
from sluice.tunes.errors import AbcSyntaxError, TuneError
from sluice.tunes.notation import tune_files
from sluice.tunes.notation.abc_file import Block
from sluice.tunes.notation.transcription import GAP, ends_with_bar_line
from sluice.tunes.tune import Tune, from_abc

_LOCAL_CHECKPOINT = Path("tunes-out/tunes.safetensors")
SHIPPED = "shipped"
"""The name of the bundled model, where a model file can be named."""

_TEXT_START = re.compile(r"\ufeff?\s*(?:[A-Za-z]:(?![\\/])|%|<s>|[\[{]\s*[\"{])")
"""A field (but not a drive, as in `C:\\tunes`), a comment, a token, JSON."""


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


def is_text(text_or_path: StrPath) -> bool:
    """Whether a string is the text of tunes and not the path of a file.

    It is text if no file has this name, and it has a line break or begins like a field, a comment
    or JSON.

    >>> [is_text(given) for given in ("X:1", "T:a\\nK:D\\nd2|", "jigs.abc", "C:/jigs.abc")]
    [True, True, False, False]
    """
    if not isinstance(text_or_path, str):
        return False
    looks_like_text = "\n" in text_or_path or "\r" in text_or_path
    if not looks_like_text and not _TEXT_START.match(text_or_path):
        return False
    return not _exists(text_or_path)


def _exists(path: str) -> bool:
    try:
        return bool(path) and Path(path).exists()
    except (OSError, ValueError):  # longer than a name may be, or with a NUL
        return False


def find_tunes(text_or_path: StrPath) -> tuple[str, tune_files.TuneFile]:
    """The tunes of a text or file, and what to call it in messages.

    Raises:
        TuneError: the file cannot be opened, or there is no tune.
    """
    if is_text(text_or_path):
        name = "the text"
        return name, tune_files.split_tunes(str(text_or_path), name)
    if isinstance(text_or_path, str) and not _exists(text_or_path):
        raise TuneError(
            f"{text_or_path!r:.80} is neither a file nor the text of a tune, which has fields "
            "such as K:D on lines of their own; check the path."
        )
    return str(text_or_path), tune_files.read_file(text_or_path)


def read_tune(text_or_path: StrPath, *, gaps: bool = False, complete: bool = True) -> Tune:
    """The first tune of a text or file, to be continued (not `complete`), filled or varied.

    Raises:
        TuneError: the file cannot be opened, there is no tune, or the first cannot be read.
    """
    name, found = find_tunes(text_or_path)
    if not found.blocks:
        problem = found.problems[0]
        raise TuneError(f"{name}, line {problem.line}: {problem.reason}.")
    block = found.blocks[0]
    tune = _read_block(block, name, gaps)
    if gaps and GAP not in tune.tokens:
        raise TuneError(f"{name} has no gap; write a * where music is to be filled in.")
    if complete:
        return tune
    return tune if ends_with_bar_line(block) else replace(tune, tokens=tune.tokens[:-1])


def read_tunes(text_or_path: StrPath) -> list[Tune]:
    """All tunes of a text or file.

    Raises:
        TuneError: the file cannot be opened, there is no tune, or one of them cannot be read.
    """
    name, found = find_tunes(text_or_path)
    if found.problems:
        problem = found.problems[0]
        raise TuneError(f"{name}, line {problem.line}: {problem.reason}.")
    return [_read_block(block, name) for block in found.blocks]


def _read_block(block: Block, name: str, gaps: bool = False) -> Tune:
    try:
        return from_abc(block, gaps)
    except AbcSyntaxError as error:
        raise TuneError(f"{name}, line {error.line}: {error}.") from None
