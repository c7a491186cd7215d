"""The files that a tune, a setting, a composition or a book can be taken as."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from urllib.parse import quote

from sluice.studio.errors import StudioError
from sluice.studio.languages import gettext as _
from sluice.tunes.notation.tune_files import split_tunes
from sluice.tunes.tune import Tune, from_abc

MAX_ABC_BYTES = 8192
"""The longest tune: what is longer takes seconds to read."""


@dataclass(frozen=True)
class FileFormat:
    """A kind of file.

    Attributes:
        ending: of its name, without a dot.
        media_type: as HTTP names it.
        is_quick: whether a web process writes it itself, rather than a job process.
        for_books: whether a whole book can be written so.
    """

    ending: str
    media_type: str
    is_quick: bool = False
    for_books: bool = False


FORMATS = {
    found.ending: found
    for found in (
        FileFormat("abc", "text/vnd.abc; charset=utf-8", is_quick=True, for_books=True),
        FileFormat("mid", "audio/midi", is_quick=True),
        FileFormat("svg", "image/svg+xml"),
        FileFormat("pdf", "application/pdf", for_books=True),
        FileFormat("ogg", "audio/ogg"),
        FileFormat("musicxml", "application/vnd.recordare.musicxml+xml"),
    )
}


def read_tune(abc: str) -> Tune:
    """The only tune of a text.

    Raises:
        StudioError: it is too long, or several tunes.
        TuneError: it cannot be read, and why.
    """
    if len(abc.encode()) > MAX_ABC_BYTES:
        raise StudioError(_("A tune has at most %(most)d bytes.") % {"most": MAX_ABC_BYTES}, "abc")
    blocks = split_tunes(abc, "ABC").blocks
    if len(blocks) != 1:
        raise StudioError(_("This is more than one tune; give one at a time."), "abc")
    return from_abc(blocks[0])


def check_length(abc: str) -> None:
    """Refuse what takes too long to read.

    Raises:
        StudioError: it has more than `MAX_ABC_BYTES`.
    """
    if len(abc.encode()) > MAX_ABC_BYTES:
        raise StudioError(
            _("A tune has at most {most} bytes of ABC.").format(most=MAX_ABC_BYTES), "abc"
        )


def make_disposition(name: str) -> str:
    """The header that has a browser save a file under this name (RFC 6266).

    >>> make_disposition("rún.pdf")
    "attachment; filename=rn.pdf; filename*=UTF-8''r%C3%BAn.pdf"
    """
    plain = name.encode("ascii", "ignore").decode()
    if plain == name:
        return f"attachment; filename={name}"
    plain = f"tune{plain}" if plain.startswith(".") else plain
    return f"attachment; filename={plain}; filename*=UTF-8''{quote(name)}"


def make_file_name(title: str, ending: str) -> str:
    """A name that any system takes: letters and digits of the title, and hyphens.

    >>> make_file_name('The "Dean\\'s" Jig\\r\\n../x', "pdf")
    'the-deans-jig-x.pdf'
    """
    plain = unicodedata.normalize("NFC", title.lower()).replace("'", "").replace("’", "")
    words = re.sub(r"[^\w]+", "-", plain).strip("-_")
    return f"{words[:80].rstrip('-_') or 'tune'}.{ending}"
