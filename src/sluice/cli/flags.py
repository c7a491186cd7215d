"""Commands: flags in their help texts, and options in their messages."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from typer.core import TyperCommand, TyperOption

from sluice.cli.option_names import name_on_command_line
from sluice.option_names import use_option_names


class Command(TyperCommand):
    """A command whose help shows no type beside a flag, and whose messages name its options."""

    def get_params(self, ctx: Any) -> list[Any]:
        return hide_flag_types(super().get_params(ctx))

    def invoke(self, ctx: Any) -> Any:
        """Run it, with the library's arguments called by its options."""
        with use_option_names(partial(name_on_command_line, self.params)):
            return super().invoke(ctx)


def hide_flag_types(parameters: Iterable[Any]) -> list[Any]:
    """Give the flags among `parameters` an empty metavar, which replaces ``<bool>`` in the help."""
    found = list(parameters)
    for one in found:
        if isinstance(one, TyperOption) and one.is_bool_flag and one.metavar is None:
            one.metavar = ""
    return found
