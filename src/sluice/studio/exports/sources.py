"""What a file is made from: the ABC of a composition, tune, setting or book."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sluice._version import __version__
from sluice.studio.archive.archiving import write_abc
from sluice.studio.archive.attribution import write_attributed_abc
from sluice.studio.archive.books import find_book, list_readable
from sluice.studio.archive.tables import ArchiveTune, Composition, Member, Setting
from sluice.studio.archive.visibility import require_visible
from sluice.studio.errors import NotFoundError, StudioError
from sluice.studio.exports.formats import FileFormat, check_length, read_tune
from sluice.studio.languages import gettext as _

MAX_TUNES_DRAWN = 200
_NUMBER = re.compile(r"[0-9]{1,9}")
_REFERENCE = re.compile(r"^X:.*$", re.MULTILINE)


@dataclass(frozen=True)
class FileSource:
    """Tunes with a common title.

    Attributes:
        title: of the tune or book.
        abcs: as typed.
        texts: the same with fields that say where they come from, for a file of ABC.
    """

    title: str
    abcs: tuple[str, ...]
    texts: tuple[str, ...] = ()

    def make_request(self, kind: FileFormat) -> dict[str, Any]:
        """What a job process reads.

        Raises:
            StudioError: a tune that is too long, or too many tunes.
        """
        if len(self.abcs) > MAX_TUNES_DRAWN:
            raise StudioError(
                _(
                    "At most {most} tunes are drawn at once; divide this book, or take its ABC."
                ).format(most=MAX_TUNES_DRAWN)
            )
        for abc in self.abcs:
            check_length(abc)
        return {"format": kind.ending, "title": self.title, "tunes": list(self.abcs)}

    def make_tag(self, kind: FileFormat) -> str:
        """Digits that change with the file."""
        text = json.dumps([__version__, kind.ending, self.title, self.abcs, self.texts])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


def write_quickly(source: FileSource, kind: FileFormat) -> bytes:
    """A file that takes no job process.

    Raises:
        SluiceError: a tune that cannot be read.
    """
    if kind.ending == "mid":
        return read_tune(source.abcs[0]).midi()
    if kind.ending == "abc":
        texts = [abc.strip() + "\n" for abc in source.texts or source.abcs]
        if len(texts) != 1:
            texts = [
                _REFERENCE.sub(f"X:{number}", text, count=1) for number, text in enumerate(texts, 1)
            ]
        return "\n".join(texts).encode()
    raise StudioError(_("There is nothing in this book yet."))


def find_composition_source(database: Session, code: str, address: str) -> FileSource:
    """A composition that is done.

    Raises:
        NotFoundError: there is none.
    """
    found = database.scalar(select(Composition).where(Composition.code == code[:20]))
    if found is None or found.state != "done":
        raise NotFoundError(_("There is no tune at this address, or it is still being composed."))
    return FileSource(found.title, (found.abc,), (write_abc(found, found.title, address),))


def find_tune_source(
    database: Session, number: str, member: Member | None, claim_hash: str, address: str
) -> FileSource:
    """A tune as it stands in the archive.

    Raises:
        NotFoundError: there is none that this visitor may see.
    """
    tune = require_visible(database.get(ArchiveTune, _parse_number(number)), member, claim_hash)
    return FileSource(tune.title, (tune.abc,), (write_attributed_abc(tune, address),))


def find_setting_source(
    database: Session,
    number: str,
    setting: str,
    member: Member | None,
    claim_hash: str,
    address: str,
) -> FileSource:
    """A setting by its number within its tune.

    Raises:
        NotFoundError: there is none that this visitor may see.
    """
    tune = require_visible(database.get(ArchiveTune, _parse_number(number)), member, claim_hash)
    found = require_visible(
        database.scalar(
            select(Setting).where(
                Setting.tune_id == tune.id, Setting.number == _parse_number(setting)
            )
        ),
        member,
        claim_hash,
    )
    text = write_attributed_abc(tune, address, found)
    return FileSource(found.title or tune.title, (found.abc,), (text,))


def find_book_source(
    database: Session, number: str, member: Member | None, address: str
) -> FileSource:
    """The tunes of a book that this visitor may see.

    Raises:
        NotFoundError: there is no such book.
    """
    book = find_book(database, _parse_number(number), member)
    entries = list_readable(book, member)
    return FileSource(
        book.name,
        tuple((entry.setting or entry.tune).abc for entry in entries),
        tuple(write_attributed_abc(entry.tune, address, entry.setting) for entry in entries),
    )


def _parse_number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise NotFoundError(_("There is nothing at this address."))
    return int(text)
