"""The library's arguments as options of a command."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_OPTIONS = {
    "unit": "tokenize",
    "hidden_size": "hidden",
    "num_layers": "layers",
    "batch_size": "batch",
    "max_length": "length",
    "num_beams": "beam",
    "names": "only",
}
"""Where a command's parameter has another name than the library's argument."""
_OTHERS = {"cache": "the environment variable XDG_CACHE_HOME"}
"""What is set in another way than by an option."""


def name_on_command_line(params: Iterable[Any], argument: str) -> str:
    """The option that stands for an argument of the library, among a command's parameters.

    What only a training can be told is an option of `sluice train`.

    >>> name_on_command_line([], "seq_len")
    '`sluice train --seq-len`'
    """
    if argument in _OTHERS:
        return _OTHERS[argument]
    name = _OPTIONS.get(argument, argument)
    given = next((one.opts[0] for one in params if one.name in (name, argument)), None)
    return given or f"`sluice train --{name.replace('_', '-')}`"
