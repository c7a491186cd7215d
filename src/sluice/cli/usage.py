"""Which options a command can use in which situation; the others are refused by name.

An option in `USES[command]` is used only in the situations that list it. An option that is in no
list of its command is used always.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import typer

from sluice.cli.errors import fail
from sluice.cli.pair_flags import PAIR_FLAGS, PAIR_MODEL_FLAGS
from sluice.cli.table_flags import CSV_FLAGS, SPREADSHEET_FLAGS, TABLE_FLAGS


class Usage(NamedTuple):
    """What a situation is called in a message, and the parameters that it can use."""

    situation: str
    parameters: tuple[str, ...] = ()


_LABELS = ("kind", "inputs", "id", "time", "label", "cell", *TABLE_FLAGS)
_TABLE = (
    *_LABELS,
    *("target", "horizon", "period", "quantiles", "known", "seq_len", "linear_lags"),
    "calendar",
)
_ANY_TABLE = (*CSV_FLAGS, *SPREADSHEET_FLAGS)
_TEXT_LABELS = (
    "kind",
    "encoding",
    "columns",
    "header",
    "tokenize",
    "cell",
    "sparse_embeddings",
)
_PAIRS = (
    "kind",
    "encoding",
    "columns",
    "target_file",
    "tokenize",
    "cell",
    "sparse_embeddings",
    *PAIR_FLAGS,
    *PAIR_MODEL_FLAGS,
)
_SAMPLING = ("temperature", "top_k", "top_p", "typical", "seed")
_SHOWN_TUNE = ("chords", "swing", "precision")
_NEW_TUNE = ("dance", "key", "meter", "mode", "prompt", "no_form", *_SHOWN_TUNE)
_NEW_CHORALE = ("voices", "meter", "phrases")

FORMATS = {
    "tunes": Usage("tunes, which an LSTM learns", ("corpus", "sparse_embeddings")),
    "text": Usage("text", ("kind", "encoding", "tokenize", "seq_len", "cell", "sparse_embeddings")),
    "abc": Usage("ABC", ("kind", "seq_len", "cell", "sparse_embeddings")),
    "midi": Usage("MIDI", ("kind", "seq_len", "cell", "sparse_embeddings")),
    "rolls": Usage("piano rolls", ("kind", "cell")),
    "pairs": Usage("pairs of texts", _PAIRS),
    "labels": Usage("texts with labels", _TEXT_LABELS),
    "csv": Usage("a table in CSV", (*_TABLE, *CSV_FLAGS)),
    "parquet": Usage("a table in Parquet", _TABLE),
    "jsonl": Usage("a table in JSON lines", _TABLE),
    "spreadsheet": Usage("a spreadsheet", (*_TABLE, *SPREADSHEET_FLAGS)),
}
"""What `sluice train` reads, by the name of its format."""

TASKS = {
    "streams": Usage("long sequences of tokens", FORMATS["text"].parameters),
    "sequences": Usage(
        "short sequences of tokens, read whole",
        ("kind", "encoding", "tokenize", "cell", "sparse_embeddings"),
    ),
    "pairs": FORMATS["pairs"],
    "text labels": FORMATS["labels"],
    "chords": Usage("piano rolls", FORMATS["rolls"].parameters),
    "voices": Usage("chorales, which a biaxial network learns", ("corpus", "seq_len", "cell")),
    "table labels": Usage("a table with labels", (*_LABELS, *_ANY_TABLE)),
    "long labels": Usage(
        "a table with labels of long series",
        (*_LABELS, *_ANY_TABLE, "seq_len"),
    ),
    "forecasts": Usage("a table to forecast", (*_TABLE, *_ANY_TABLE)),
}
"""What `sluice train` learns, which is known once the data is read."""

USES: Mapping[str, Mapping[str, Usage]] = {
    "train": {**FORMATS, **TASKS},
    "search": {**FORMATS, **TASKS},
    "generate": {
        "beam": Usage(
            "a beam search, in which nothing is random",
            ("beam", "length_penalty", "prompt", "count"),
        ),
        "sampling": Usage("sampling", (*_SAMPLING, "prompt", "count")),
        "pairs": Usage(
            "a model of pairs", ("inputs", "input_file", "scores", "beam", "length_penalty")
        ),
    },
    "compose": {
        "new": Usage("a new tune", _NEW_TUNE),
        "continue": Usage("--continue", ("resume", *_SHOWN_TUNE)),
        "fill": Usage("--fill", ("fill", *_SHOWN_TUNE)),
        "vary": Usage("--vary", ("vary", "strength", *_SHOWN_TUNE)),
        "voices": Usage("--voices", (*_NEW_CHORALE, "resume")),
        "harmonise": Usage("--harmonise", ("voices", "harmonise")),
    },
    "show": {
        "typeset": Usage("typeset equations", ("out", "theme")),
        "terminal": Usage("equations, LaTeX or a graph on the terminal"),
        "llvm": Usage("--as llvm", ("part", "double")),
        "triton": Usage("--as triton", ("part",)),
    },
    "sketch": {
        "plain": Usage(
            "a sketch without --recording",
            (
                "series",
                "animate",
                "strokes",
                "blanks",
                "unrolled",
                "layers",
                "bidirectional",
                "output",
                "reverse",
                "language",
            ),
        ),
        "several": Usage("several cells", ("output", "reverse", "language")),
        "series": Usage("--series", ("series", "reverse", "language")),
        "animate": Usage("--animate", ("animate", "reverse", "language")),
        "strokes": Usage("--strokes", ("strokes", "output", "language")),
        "blanks": Usage("--blanks", ("blanks", "output", "language")),
        "unrolled": Usage("--unrolled", ("unrolled", "output", "language")),
        "stack": Usage("a stack of layers", ("layers", "bidirectional", "output", "language")),
        "recording": Usage(
            "a sketch of a recording", ("layer", "step", "sequence", "unit", "reverse")
        ),
    },
    "compare": {
        "one cell": Usage("a single cell", ("gate_init",)),
        "one cell without gates": Usage("a single cell that has no gate on its state"),
        "several cells": Usage("several cells", ("match", "gate_init")),
        "several cells without gates": Usage("cells that have no gate on their state", ("match",)),
    },
    "ablate": {
        "generates": Usage("a language model", ("seed", "length")),
        "other": Usage("a model that generates no text"),
    },
    "evaluate": {
        "series": Usage("a model of series", ("period", "held_out", "origins", "stride")),
        "pairs": Usage("a model of pairs", ("target_file", "beam", "length_penalty")),
        "other": Usage("a model that forecasts no series and makes no pairs"),
    },
    "look": {
        "text": Usage("--text, which is a single sequence"),
        "data": Usage("data from a file", ("sequence",)),
    },
}


def refuse_unused(context: typer.Context, situation: str) -> None:
    """Refuse what was given on the command line and cannot be used in a situation.

    Args:
        context: of the command that runs.
        situation: one of the keys of `USES` for this command.
    """
    given = [name for name in context.params if is_given(context, name)]
    refuse_unused_names(context, situation, given)


def refuse_unused_names(
    context: typer.Context, situation: str, given: Iterable[str], form: str = "{}"
) -> None:
    """As `refuse_unused`, for these parameters, written as `form` says."""
    uses = USES[str(context.info_name)]
    usage = uses[situation]
    restricted = {name for one in uses.values() for name in one.parameters}
    unused = [
        form.format(_option(context, name))
        for name in given
        if name in restricted.difference(usage.parameters)
    ]
    if unused:
        usable = ", ".join(_option(context, name) for name in usage.parameters)
        hint = f"the options for it are {usable}" if usable else "leave it out"
        verb = "does" if len(unused) == 1 else "do"
        fail(f"{', '.join(unused)} {verb} not apply to {usage.situation}; {hint}")


def is_given(context: typer.Context, name: str) -> bool:
    """Whether a parameter was given on the command line, and is not a default."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _option(context: typer.Context, name: str) -> str:
    """A parameter as it is written on the command line."""
    return next(one.opts[0] for one in context.command.params if one.name == name)
