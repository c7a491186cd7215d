"""Files of the API."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Path

from sluice.studio.api.routing import UNAVAILABLE
from sluice.studio.exports.formats import FORMATS

Ending = Annotated[
    Literal["abc", "mid", "svg", "pdf", "ogg", "musicxml"], Path(description="The kind of file.")
]
BookEnding = Annotated[Literal["abc", "pdf"], Path(description="The kind of file.")]

FILE_RESPONSES: dict[int | str, dict[str, object]] = {
    **UNAVAILABLE,
    200: {
        "description": "The file.",
        "content": {
            kind.media_type.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}
            for kind in FORMATS.values()
        },
    },
    304: {"description": "The file of `If-None-Match` is still the same."},
}
