"""Numbers in addresses: `/tunes/{number:number}`; anything else there is no page."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query
from starlette.convertors import Convertor, register_url_convertor

OptionalNumber = Annotated[int | None, Query(ge=0, le=999_999_999)]
"""A number behind the question mark, or none."""


class NumberConvertor(Convertor[int]):
    """Takes numbers that a database has, of at most nine digits."""

    regex = "[1-9][0-9]{0,8}"

    def convert(self, value: str) -> int:
        """The number."""
        return int(value)

    def to_string(self, value: int) -> str:
        """Its digits."""
        return str(value)


register_url_convertor("number", NumberConvertor())
