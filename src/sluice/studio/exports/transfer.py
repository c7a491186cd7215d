"""A studio as a folder of JSON, ABC and media, and such a folder as a studio.

manifest.json     what the folder has, with hashes
rows/tune.jsonl   a line of JSON a row; a file a table
tunes/7-….abc     the tunes, to be read by people and other programs
media/…           uploads
secret.key        what addresses of mails and limits were hashed with
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Date, DateTime, Engine, Table, func, insert, select, text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from sluice._version import __version__
from sluice.studio.archive.database import Database
from sluice.studio.archive.search_index import rebuild_index
from sluice.studio.archive.tables import Base, TuneText
from sluice.studio.archive.tables.base import UtcTime
from sluice.studio.errors import StudioError
from sluice.studio.exports.formats import make_file_name

FORMAT = 1
_LEFT_OUT = {TuneText.__tablename__, "allowance", "task_run"}
"""An index that is made anew, and what is only of use to the running site."""
_AT_ONCE = 500
_KEY = "secret.key"


def write_folder(database: Database, folder: Path, target: Path) -> dict[str, int]:
    """Write everything that a studio has, as it was at one moment, while it runs.

    Args:
        folder: of the studio.
        target: must be empty or not be there.

    Returns:
        The number of rows of each table.

    Raises:
        StudioError: there is something in the target.
        OSError: it cannot be written.
    """
    if target.exists() and any(target.iterdir()):
        raise StudioError(f"The folder {target} is not empty; give a new one.")
    (target / "rows").mkdir(parents=True, exist_ok=True)
    (target / "tunes").mkdir(exist_ok=True)
    counts = {}
    with _read_at_one_moment(database.engine) as connection:
        for table in _list_tables():
            counts[table.name] = _write_rows(connection, table, target)
    _copy_files(folder, target)
    manifest = {
        "format": FORMAT,
        "version": __version__,
        "rows": counts,
        "sha256": {name: _hash(target / name) for name in _list_files(target)},
    }
    (target / "manifest.json").write_text(json.dumps(manifest, indent=1))
    return counts


def read_folder(database: Database, folder: Path, source: Path) -> dict[str, int]:
    """Put what `write_folder` wrote into an empty studio, whole or not at all.

    Args:
        database: with all tables and nothing in them.
        folder: of the studio.
        source: what is read.

    Returns:
        The number of rows of each table.

    Raises:
        StudioError: the folder is damaged, none of ours or of a newer version, or the studio is
            not empty.
        OSError: it cannot be read.
    """
    counts = _check_manifest(source)
    with database.engine.execution_options(is_writing=True).begin() as connection:
        if not database.is_sqlite:
            connection.execute(text("SET CONSTRAINTS ALL DEFERRED"))
        for table in _list_tables():
            if connection.scalar(select(func.count()).select_from(table)):
                raise StudioError(
                    f"This studio is not empty: it has rows of {table.name}. Import into a new "
                    "folder or database."
                )
        for table in _list_tables():
            try:
                _insert_rows(connection, table, source)
            except (IntegrityError, KeyError, TypeError, ValueError) as error:
                reason = str(getattr(error, "orig", error)).splitlines()[0]
                raise StudioError(f"The rows of {table.name} do not fit: {reason}") from None
        rebuild_index(connection)
        for name in ("media", _KEY):
            _copy(source / name, folder / name)
    return counts


def _list_tables() -> list[Table]:
    return [table for table in Base.metadata.sorted_tables if table.name not in _LEFT_OUT]


def _read_at_one_moment(engine: Engine) -> Connection:
    """A connection that sees nothing of what others write while it reads."""
    if engine.dialect.name == "sqlite":
        return engine.connect()
    return engine.connect().execution_options(isolation_level="REPEATABLE READ")


def _write_rows(connection: Connection, table: Table, target: Path) -> int:
    keys = list(table.primary_key.columns)
    found = connection.execution_options(yield_per=_AT_ONCE).execute(table.select().order_by(*keys))
    count = 0
    with (target / "rows" / f"{table.name}.jsonl").open("w", encoding="utf-8") as file:
        for row in found.mappings():
            json.dump(dict(row), file, ensure_ascii=False, default=_encode)
            file.write("\n")
            count += 1
            if table.name == "tune":
                name = make_file_name(row["title"], "abc")
                path = target / "tunes" / f"{row['id']}-{name}"
                path.write_text(row["abc"], encoding="utf-8")
    return count


def _encode(value: object) -> str:
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(f"a column of {type(value).__name__}")


def _insert_rows(connection: Connection, table: Table, source: Path) -> None:
    rows: list[dict[str, Any]] = []
    for row in _read_rows(table, source / "rows" / f"{table.name}.jsonl"):
        rows.append(row)
        if len(rows) == _AT_ONCE:
            connection.execute(insert(table), rows)
            rows = []
    if rows:
        connection.execute(insert(table), rows)
    if connection.dialect.name == "postgresql" and "id" in table.columns:
        # Numbers go on behind the largest that was given.
        name = table.name
        connection.execute(
            text(
                f"SELECT setval(pg_get_serial_sequence('{name}', 'id'), "
                f'(SELECT coalesce(max(id), 0) + 1 FROM "{name}"), false)'
            )
        )


def _read_rows(table: Table, path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        for line in file:
            values = json.loads(line)
            unknown = set(values) - set(table.columns.keys())
            if unknown:
                raise ValueError(f"there is no column {min(unknown)!r}")
            yield {name: _decode(table, name, value) for name, value in values.items()}


def _decode(table: Table, name: str, value: Any) -> Any:
    kind = table.columns[name].type
    if value is None or not isinstance(value, str):
        return value
    if isinstance(kind, UtcTime | DateTime):
        return datetime.fromisoformat(value)
    return date.fromisoformat(value) if isinstance(kind, Date) else value


def _check_manifest(source: Path) -> dict[str, int]:
    try:
        manifest = json.loads((source / "manifest.json").read_text())
        version, counts = manifest["format"], dict(manifest["rows"])
        hashes = dict(manifest["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        raise StudioError(
            f"{source} is no export of a studio: it has no manifest that can be read."
        ) from None
    if version != FORMAT:
        raise StudioError(
            f"{source} was written in the format {version}; this version reads {FORMAT}."
        )
    missing = {table.name for table in _list_tables()} - set(counts)
    if missing:
        raise StudioError(f"{source} has no rows of {min(missing)}; it is of another version.")
    found = set(_list_files(source))
    for name, digest in hashes.items():
        if name not in found or _hash(source / name) != digest:
            raise StudioError(f"{source} is damaged: {name} is missing or was changed.")
    extra = found - set(hashes)
    if extra:
        raise StudioError(f"{source} is damaged: nothing was known of {min(extra)}.")
    return counts


def _list_files(folder: Path) -> Iterable[str]:
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink() and path.name != "manifest.json"
    )


def _copy_files(folder: Path, target: Path) -> None:
    _copy(folder / "media", target / "media")
    _copy(folder / _KEY, target / _KEY)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    elif source.is_file():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
