"""Where a search is stored: a journal file that several hosts can append to, or a database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sluice.extras import MissingExtraError
from sluice.files import StrPath, require_writable
from sluice.sequence.errors import SequenceError

if TYPE_CHECKING:
    import optuna

JOURNAL = "search.journal"
_OLD_DATABASE = "search.db"
_STUDY = "search"
_SPACE = "space"


def open_study(
    folder: StrPath | None, storage: str | None, *, prune: bool, space: str = ""
) -> optuna.Study:
    """The study in a storage, in `folder / "search.journal"`, or in memory.

    Args:
        folder: for the journal, if there is no other storage.
        storage: a file of a journal, or the URL of a database.
        prune: stop trials above the median of the others.
        space: what is searched, as text; a stored search of another space is refused.

    Raises:
        MissingExtraError: the library `optuna`, or that of the database, is not installed.
        SequenceError: the storage cannot be opened, is damaged, or holds another search.
        OSError: the folder cannot be written to.
    """
    try:
        import optuna
    except ImportError:
        raise MissingExtraError("optuna", "search") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    pruner = optuna.pruners.MedianPruner() if prune else optuna.pruners.NopPruner()
    place = _find_storage(folder, storage)
    try:
        study = optuna.create_study(
            storage=_open_storage(place), study_name=_STUDY, pruner=pruner, load_if_exists=True
        )
        before = study.user_attrs.get(_SPACE, space)
        if _SPACE not in study.user_attrs and space:
            study.set_user_attr(_SPACE, space)
    except ImportError as error:
        raise MissingExtraError(error.name or "psycopg", "postgres") from None
    except OSError:
        raise
    except Exception as error:  # of the database's driver, or of a damaged file
        why = " ".join(str(error).split())
        raise SequenceError(
            f"The search in {place} cannot be opened ({type(error).__name__}: {why:.200}); give "
            "another storage or folder, or remove it to start anew."
        ) from None
    if before != space:
        raise SequenceError(
            f"{place} holds a search of {before}, got {space or 'no space'}; search the same, or "
            "choose another folder or storage."
        )
    return study


def _find_storage(folder: StrPath | None, storage: str | None) -> str | None:
    if storage is not None:
        return storage
    if folder is None:
        return None
    require_writable(folder)
    old = Path(folder) / _OLD_DATABASE
    if old.exists():
        raise SequenceError(
            f"{old} is a search of an earlier version; go on with it by giving "
            f"sqlite:///{old} as the storage, or choose another folder."
        )
    return str(Path(folder) / JOURNAL)


def _open_storage(place: str | None) -> optuna.storages.BaseStorage | str | None:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock

    if place is None or "://" in place:
        return place
    require_writable(Path(place).parent)
    # A symbolic link is made atomically on every version of NFS.
    lock = JournalFileSymlinkLock(place)
    lock.acquire()
    try:
        remove_torn_line(place)
    finally:
        lock.release()
    return JournalStorage(JournalFileBackend(place, lock_obj=lock))


def remove_torn_line(journal: StrPath) -> None:
    """Cut off the last line of a journal if a full disk or a lost host left it without its end.

    Optuna would append to it, and could never read the journal again.
    """
    path = Path(journal)
    if not path.is_file():
        return
    with path.open("r+b") as file:
        size = file.seek(0, 2)
        tail, first = b"", size
        while first > 0 and b"\n" not in tail:
            first = max(0, first - 4096)
            file.seek(first)
            tail = file.read(size - first)
        whole = tail.rfind(b"\n") + 1
        if whole < len(tail):
            file.truncate(first + whole)
