"""The fields of a form that was sent, read one by one: a form that is refused is shown again."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData, UploadFile

from sluice.studio.archive.tables.base import MAX_ID
from sluice.studio.errors import StudioError
from sluice.studio.languages import gettext as _


@dataclass(frozen=True)
class SentFields:
    """What a form brought; a field that is missing is empty."""

    data: FormData = field(default_factory=FormData)

    def get_text(self, name: str) -> str:
        """A field as it was typed."""
        value = self.data.get(name, "")
        return value if isinstance(value, str) else ""

    def is_checked(self, name: str) -> bool:
        """Whether a box is checked."""
        return self.get_text(name) == "1"

    def get_number(self, name: str) -> int | None:
        """The number in a field; None if it is empty.

        Raises:
            StudioError: there is something else in it.
        """
        text = self.get_text(name).strip()
        if not text:
            return None
        number = _read_number(text)
        if number is None:
            raise StudioError(_("This is no number."), name)
        return number

    def get_numbers(self, name: str) -> list[int]:
        """The numbers of all fields with this name; what is no number is left out."""
        texts = [value for value in self.data.getlist(name) if isinstance(value, str)]
        return [number for text in texts if (number := _read_number(text)) is not None]

    def get_day(self, name: str) -> date | None:
        """The date in a field; None if it is empty.

        Raises:
            StudioError: there is something else in it.
        """
        text = self.get_text(name).strip()
        if not text:
            return None
        try:
            return date.fromisoformat(text)
        except ValueError:
            raise StudioError(_("Write a date, such as 2026-03-29."), name) from None

    def get_file(self, name: str) -> UploadFile | None:
        """The file that was chosen; None if none was."""
        value = self.data.get(name)
        return value if isinstance(value, UploadFile) and value.filename else None


def _read_number(text: str) -> int | None:
    is_number = text.isascii() and text.isdigit() and len(text) <= 10
    return int(text) if is_number and int(text) <= MAX_ID else None


async def read_fields(request: Request) -> AsyncIterator[SentFields]:
    """The fields of the form that this request brings; its files are closed at the end."""
    form = await request.form()
    try:
        yield SentFields(form)
    finally:
        await form.close()


async def read_texts(request: Request) -> dict[str, str]:
    """The fields of the form that this request brings, without its files."""
    form = await request.form()
    return {name: value for name, value in form.items() if isinstance(value, str)}


FieldsDep = Annotated[SentFields, Depends(read_fields)]
