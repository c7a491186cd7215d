"""A process that writes one file and ends: `python -m sluice.studio.exports.job`.

It reads a line of JSON, `{"format": "pdf", "title": "…", "tunes": ["X:1…"]}`, and writes the file
to its standard output. With status 2 it has refused, and its standard error has the sentence.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import ParseError

from sluice.errors import SluiceError
from sluice.studio.exports.formats import read_tune
from sluice.tunes.tune import Tune

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
    texts = request["tunes"]
    if len(texts) == 1:
        return _WRITERS[request["format"]](read_tune(texts[0]))
    from sluice.studio.exports.book_pages import write_book

    return write_book(request["title"], [read_tune(text) for text in texts])


def _write_music_xml(tune: Tune) -> bytes:
    from sluice.studio.exports.music_xml import to_music_xml

    return to_music_xml(tune)


_WRITERS: dict[str, Callable[[Tune], bytes]] = {
    "svg": lambda tune: tune.svg().encode(),
    "pdf": Tune.pdf,
    "ogg": Tune.ogg,
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
    except SluiceError as error:
        sys.stderr.write(str(error))
        return REFUSED
    except (RecursionError, MemoryError):
        sys.stderr.write("This tune is too large for that.")
        return REFUSED
    except ParseError:  # of the XML in which the score is drawn
        sys.stderr.write("A title or text of this tune has letters that cannot be drawn.")
        return REFUSED
    output.write(content)
    output.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
