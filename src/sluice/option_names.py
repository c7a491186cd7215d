"""What messages call an option: `kind=` for a caller in Python, `--kind` on a command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_find_name: ContextVar[Callable[[str], str]] = ContextVar("find_name", default="{}=".format)


def name_option(argument: str) -> str:
    """A library's argument as whoever reads the message writes it.

    >>> name_option("kind")
    'kind='
    >>> with use_option_names("--{}".format):
    ...     name_option("kind")
    '--kind'
    """
    return _find_name.get()(argument)


def name_argument(argument: str) -> str:
    """As `name_option`, for a sentence about it: `kind` for a caller in Python.

    >>> name_argument("hidden_size")
    'hidden_size'
    >>> with use_option_names("--{}".format):
    ...     name_argument("hidden")
    '--hidden'
    """
    return name_option(argument).removesuffix("=")


@contextmanager
def use_option_names(find_name: Callable[[str], str]) -> Iterator[None]:
    """Let `find_name` name the options in messages that are written inside the ``with`` block."""
    token = _find_name.set(find_name)
    try:
        yield
    finally:
        _find_name.reset(token)


def name_setting(argument: str, value: object) -> str:
    """An argument with a value, as whoever reads the message writes it.

    >>> name_setting("decimal", ","), name_setting("drop_units", True)
    ("decimal=','", 'drop_units=True')
    >>> with use_option_names(lambda name: "--" + name.replace("_", "-")):
    ...     name_setting("decimal", ","), name_setting("drop_units", True)
    ("--decimal ','", '--drop-units')
    >>> with use_option_names("`sluice train --{}`".format):
    ...     name_setting("time", "when")
    "`sluice train --time 'when'`"
    """
    name = name_option(argument)
    if name.endswith("="):
        return f"{name}{value!r}"
    if value is True:
        return name
    if name.endswith("`"):  # a whole command: the value belongs inside
        return f"{name[:-1]} {value!r}`"
    return f"{name} {value!r}"
