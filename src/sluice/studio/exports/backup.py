"""A studio in one file: its export, packed."""

from __future__ import annotations

import os
import tarfile
import tempfile
from contextlib import suppress
from pathlib import Path

from sluice.studio.archive.database import Database
from sluice.studio.errors import StudioError
from sluice.studio.exports.transfer import read_folder, write_folder


def write_backup(database: Database, folder: Path, file: Path) -> dict[str, int]:
    """Write a backup, as the studio was at one moment, while it runs; whole or not at all.

    It has the hashes of passwords, and addresses of members: only its owner may read it.

    Returns:
        The number of rows of each table.

    Raises:
        OSError: it cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".backup-") as scratch:
        counts = write_folder(database, folder, Path(scratch) / "studio")
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            with os.fdopen(handle, "wb") as target:
                with tarfile.open(fileobj=target, mode="w:gz", compresslevel=6) as archive:
                    archive.add(Path(scratch) / "studio", arcname="studio")
                target.flush()
                os.fsync(target.fileno())
            Path(name).replace(file)
        except BaseException:
            with suppress(OSError):
                Path(name).unlink()
            raise
    return counts


def read_backup(database: Database, folder: Path, source: Path) -> dict[str, int]:
    """Put a backup, or a folder that was exported, into an empty studio.

    Returns:
        The number of rows of each table.

    Raises:
        StudioError: it is damaged, none of ours, or the studio is not empty.
        OSError: it cannot be read.
    """
    if source.is_dir():
        return read_folder(database, folder, source)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".import-") as scratch:
        try:
            with tarfile.open(source) as archive:
                archive.extractall(scratch, filter="data")
        except (tarfile.TarError, EOFError, OSError) as error:
            if isinstance(error, OSError) and error.filename is not None:
                raise
            raise StudioError(f"{source} is no backup of a studio, or is damaged.") from None
        return read_folder(database, folder, Path(scratch) / "studio")
