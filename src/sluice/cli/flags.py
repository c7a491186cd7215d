"""Flags in help texts: without a type, as they take no value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from typer.core import TyperCommand, TyperOption


class Command(TyperCommand):
    """A command whose help shows no type beside a flag."""

    def get_params(self, ctx: Any) -> list[Any]:
        return hide_flag_types(super().get_params(ctx))


def hide_flag_types(parameters: Iterable[Any]) -> list[Any]:
    """Give the flags among `parameters` an empty metavar, which replaces ``<bool>`` in the help."""
    found = list(parameters)
    for one in found:
        if isinstance(one, TyperOption) and one.is_bool_flag and one.metavar is None:
            one.metavar = ""
    return found
