"""A process that writes one file and ends: `python -m sluice.studio.exports.job`.

It reads a line of JSON, `{"format": "pdf", "title": "…", "tunes": ["X:1…"]}`, and writes the file
to its standard output. With status 2 it has refused, and its standard error has the sentence.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

from sluice.errors import SluiceError
from sluice.tunes.notation.tune_files import split_tunes
from sluice.tunes.tune import Tune, from_abc

MEGABYTES, MAX_OPEN_FILES = 1024, 64
REFUSED = 2


def get_seconds(num_tunes: int) -> int:
    """How long a file of so many tunes may take."""
    return 20 + num_tunes


def limit_process(num_tunes: int) -> None:
    """Let the system end this process before it takes too much of anything."""
    if sys.platform == "win32":
        return
    import resource

    size = MEGABYTES << 20
    for kind, most in (
        (resource.RLIMIT_AS, size),
        (resource.RLIMIT_CPU, get_seconds(num_tunes)),
        (resource.RLIMIT_FSIZE, size),
        (resource.RLIMIT_NOFILE, MAX_OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (most, hard))
    os.nice(5)


def write_file(request: dict[str, Any]) -> bytes:
    """The file that a request asks for.

    Raises:
        SluiceError: a tune that cannot be read or written so.
    """
    tunes = [from_abc(block) for abc in request["tunes"] for block in split_tunes(abc, "ABC").blocks]
    if request["format"] == "pdf" and len(tunes) != 1:
        from sluice.studio.exports.book_pages import write_book

        return write_book(request["title"], tunes)
    return _WRITERS[request["format"]](tunes)


def _write_music_xml(tunes: Sequence[Tune]) -> bytes:
    from sluice.studio.exports.music_xml import to_music_xml

    return to_music_xml(tunes[0])


_WRITERS: dict[str, Callable[[Sequence[Tune]], bytes]] = {
    "svg": lambda tunes: tunes[0].svg().encode(),
    "pdf": lambda tunes: tunes[0].pdf(),
    "ogg": lambda tunes: tunes[0].ogg(),
    "musicxml": _write_music_xml,
}


def main() -> int:
    """Write the file; the exit status."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries print where the file goes
    request = json.loads(sys.stdin.buffer.readline())
    limit_process(len(request["tunes"]))
    try:
        content = write_file(request)
    except (SluiceError, RecursionError, MemoryError) as error:
        is_told = isinstance(error, SluiceError)
        sys.stderr.write(str(error) if is_told else "This tune is too large to be drawn.")
        return REFUSED
    output.write(content)
    output.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
