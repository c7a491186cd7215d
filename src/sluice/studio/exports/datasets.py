"""Data sets: all public tunes, settings and recordings as CSV, JSON and ABC."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import IO, Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from sluice.studio.archive.attribution import write_attributed_abc
from sluice.studio.archive.database import Database
from sluice.studio.archive.tables import ArchiveRecording, ArchiveTune, Member, Setting
from sluice.studio.archive.visibility import PUBLIC, is_listed

Row = dict[str, Any]
_AT_ONCE = 500


@dataclass(frozen=True)
class WrittenDataset:
    """A file of data as it lies in the folder."""

    name: str
    media_type: str
    size: int
    sha256: str
    created_at: datetime


_TYPES = {"csv": "text/csv", "json": "application/json", "abc": "text/vnd.abc", "txt": "text/plain"}


def write_datasets(database: Database, folder: Path, address: str, licence: str) -> None:
    """Write all files anew, each whole or not at all.

    Only what everyone may see is in them; of people only the names that they chose.

    Args:
        folder: of the studio.
        address: of the site, for the fields that say where a tune comes from.
        licence: what they may be used for, in a file beside them.

    Raises:
        OSError: they cannot be written.
    """
    kinds: dict[str, Callable[[Session], Iterator[Row]]] = {
        "tunes": list_tune_rows,
        "settings": list_setting_rows,
        "recordings": list_recording_rows,
    }
    target = folder / "data"
    target.mkdir(parents=True, exist_ok=True)
    with database.open_session() as session:
        for kind, list_rows in kinds.items():
            _write(target / f"{kind}.csv", partial(_write_csv, rows=list_rows(session)))
            _write(target / f"{kind}.json", partial(_write_json, rows=list_rows(session)))
        _write(target / "tunes.abc", lambda file: _write_abc(file, session, address))
    _write(target / "licence.txt", lambda file: file.write(f"{licence}\n"))
    sums = {path.name: _describe(path) for path in sorted(target.iterdir()) if _is_dataset(path)}
    _write(target / "index.json", lambda file: json.dump(sums, file, indent=1))


def list_datasets(folder: Path) -> list[WrittenDataset]:
    """The files of the last night; none before the first one."""
    try:
        found = json.loads((folder / "data" / "index.json").read_text())
    except (OSError, ValueError):
        return []
    return [
        WrittenDataset(
            name, values["media_type"], values["size"], values["sha256"],
            datetime.fromisoformat(values["created_at"]),
        )
        for name, values in found.items()
    ]  # fmt: skip


def list_tune_rows(session: Session) -> Iterator[Row]:
    """All public tunes, by number."""
    query = select(ArchiveTune).where(is_listed(ArchiveTune)).order_by(ArchiveTune.id)
    query = query.options(joinedload(ArchiveTune.author), joinedload(ArchiveTune.composition))
    for tune in session.scalars(query.execution_options(yield_per=_AT_ONCE)):
        composition = tune.composition
        yield {
            "tune": tune.id,
            "title": tune.title,
            "author": _get_name(tune.author, tune.author_name),
            "dance": tune.dance,
            "meter": tune.meter,
            "tonic": tune.tonic,
            "mode": tune.mode,
            "composition": "" if composition is None else composition.code,
            "model": "" if composition is None else composition.model,
            "seed": "" if composition is None else str(composition.seed),
            "settings": tune.num_settings,
            "recordings": tune.num_recordings,
            "books": tune.num_books,
            "created_at": tune.created_at.isoformat(timespec="seconds"),
            "abc": tune.abc,
        }


def list_setting_rows(session: Session) -> Iterator[Row]:
    """All public settings of public tunes."""
    query = select(Setting).join(ArchiveTune, Setting.tune_id == ArchiveTune.id)
    query = query.where(is_listed(Setting), is_listed(ArchiveTune))
    query = query.options(joinedload(Setting.author), joinedload(Setting.tune))
    query = query.order_by(Setting.tune_id, Setting.number)
    for setting in session.scalars(query.execution_options(yield_per=_AT_ONCE)):
        yield {
            "tune": setting.tune_id,
            "number": setting.number,
            "title": setting.title or setting.tune.title,
            "author": _get_name(setting.author),
            "created_at": setting.created_at.isoformat(timespec="seconds"),
            "abc": setting.abc,
        }


def list_recording_rows(session: Session) -> Iterator[Row]:
    """All public recordings, without the sound."""
    query = select(ArchiveRecording).where(is_listed(ArchiveRecording))
    query = query.options(
        joinedload(ArchiveRecording.author), selectinload(ArchiveRecording.tunes)
    ).order_by(ArchiveRecording.id)
    for recording in session.scalars(query.execution_options(yield_per=_AT_ONCE)):
        tunes = [str(tune.id) for tune in recording.tunes if tune.visibility == PUBLIC]
        yield {
            "recording": recording.id,
            "title": recording.title,
            "author": _get_name(recording.author),
            "kind": recording.kind,
            "host": recording.host,
            "host_id": recording.host_id,
            "recorded_on": "" if recording.recorded_on is None else str(recording.recorded_on),
            "tunes": " ".join(tunes),
            "created_at": recording.created_at.isoformat(timespec="seconds"),
            "text": recording.text,
        }


def _get_name(member: Member | None, name: str = "") -> str:
    return name if member is None else member.name


def _write_csv(file: IO[str], rows: Iterator[Row]) -> None:
    """CSV as RFC 4180 has it; a cell that a spreadsheet would run begins with an apostrophe."""
    writer = None
    for row in rows:
        if writer is None:
            writer = csv.DictWriter(file, list(row))
            writer.writeheader()
        writer.writerow({name: _disarm(value) for name, value in row.items()})


def _disarm(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value


def _write_json(file: IO[str], rows: Iterator[Row]) -> None:
    file.write("[")
    for number, row in enumerate(rows):
        file.write(",\n" if number else "\n")
        json.dump(row, file, ensure_ascii=False)
    file.write("\n]\n")


def _write_abc(file: IO[str], session: Session, address: str) -> None:
    query = select(ArchiveTune).where(is_listed(ArchiveTune)).order_by(ArchiveTune.id)
    query = query.options(joinedload(ArchiveTune.author), joinedload(ArchiveTune.composition))
    for tune in session.scalars(query.execution_options(yield_per=_AT_ONCE)):
        file.write(write_attributed_abc(tune, address, number=tune.id) + "\n")


def _write(path: Path, write: Callable[[IO[str]], object]) -> None:
    """Write a file of any size beside the old one, then put it in its place."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _is_dataset(path: Path) -> bool:
    return not path.name.startswith(".") and path.name != "index.json"


def _describe(path: Path) -> Row:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {
        "media_type": _TYPES.get(path.suffix[1:], "application/octet-stream"),
        "size": path.stat().st_size,
        "sha256": digest,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
