"""Tunes: added, changed, deleted, and claimed by the visitor who added them without an account."""

from __future__ import annotations

from sqlalchemy import ColumnElement, delete, exists, or_, select, update
from sqlalchemy.orm import InstrumentedAttribute, Session

from sluice.studio.archive.abc_text import TuneFacts, read_abc
from sluice.studio.archive.activity import record_activity
from sluice.studio.archive.tables import (
    Activity,
    ArchiveTune,
    BookEntry,
    Comment,
    Composition,
    Follow,
    Member,
    MonthEntry,
    Setting,
    TuneNote,
    TuneVersion,
    event_tunes,
    recording_tunes,
)
from sluice.studio.archive.tables.base import MAX_ID, get_now
from sluice.studio.archive.visibility import choose_visibility, may_change, require_visible
from sluice.studio.errors import ForbiddenError, NotFoundError, StudioError
from sluice.studio.languages import gettext as _

MAX_TITLE, MAX_AUTHOR = 200, 80


def get_tune(
    database: Session, tune_id: int, member: Member | None = None, claim_hash: str = ""
) -> ArchiveTune:
    """A tune that this visitor may see.

    Raises:
        NotFoundError: there is none, or it is hidden.
    """
    tune = database.get(ArchiveTune, tune_id) if 0 < tune_id <= MAX_ID else None
    require_visible(tune, member, claim_hash)
    if tune is None:
        raise NotFoundError(_("There is no tune at this address."))
    return tune


def add_tune(
    database: Session,
    *,
    title: str,
    abc: str,
    author: Member | None,
    author_name: str = "",
    composition: Composition | None = None,
    claim_hash: str = "",
    keeps_unread: bool = False,
) -> ArchiveTune:
    """Put a tune into the archive, for all to see or for a keeper to look at first.

    Args:
        title: of one line, at most `MAX_TITLE` characters; the first T: of the ABC if empty.
        author: None for a visitor without account, whom `author_name` and `claim_hash` stand for.
        composition: what it was composed as, if here.
        keeps_unread: whether ABC is taken that cannot be read.

    Raises:
        StudioError: a title or ABC that cannot be taken; says why.
    """
    facts = _read(abc, keeps_unread)
    tune = ArchiveTune(
        title=_choose_title(title, facts),
        author_id=author.id if author else None,
        author_name="" if author else author_name[:MAX_AUTHOR],
        composition_id=composition.id if composition else None,
        claim_hash="" if author else claim_hash,
        visibility=choose_visibility(database, author),
        **_list_columns(facts),
    )
    database.add(tune)
    database.flush()
    record_activity(database, author, "tune", tune.id)
    return tune


def change_tune(
    database: Session, tune: ArchiveTune, *, title: str, abc: str, keeps_unread: bool = False
) -> None:
    """Change a tune's title and ABC; what it was before is kept as a version.

    Raises:
        StudioError: a title or ABC that cannot be taken; says why.
    """
    facts = _read(abc, keeps_unread)
    title = _choose_title(title, facts)
    if (title, facts.abc) == (tune.title, tune.abc):
        return
    database.add(TuneVersion(tune_id=tune.id, title=tune.title, abc=tune.abc))
    tune.title, tune.changed_at = title, get_now()
    for name, value in _list_columns(facts).items():
        setattr(tune, name, value)
    database.flush()


def _read(abc: str, keeps_unread: bool) -> TuneFacts:
    facts = read_abc(abc)
    if facts.problem and not keeps_unread:
        raise StudioError(facts.problem, "abc")
    return facts


def _choose_title(title: str, facts: TuneFacts) -> str:
    title = " ".join(title.split()) or facts.title
    if not title:
        raise StudioError(_("Give the tune a name, so that it is found again."), "title")
    if len(title) > MAX_TITLE:
        raise StudioError(
            _("The name has {count} characters; at most {limit} are taken.").format(
                count=len(title), limit=MAX_TITLE
            ),
            "title",
        )
    return title


def _list_columns(facts: TuneFacts) -> dict[str, str]:
    names = (
        "abc", "meter", "mode", "tonic", "dance", "contour", "incipit", "played", "problem",
    )  # fmt: skip
    return {name: getattr(facts, name) for name in names}


def find_same(database: Session, played: str) -> ArchiveTune | None:
    """A tune for everyone to see that sounds the same, or None."""
    if not played:
        return None
    same = select(ArchiveTune).where(
        ArchiveTune.played == played, ArchiveTune.visibility == "public"
    )
    return database.scalars(same.order_by(ArchiveTune.id).limit(1)).first()


def can_change(tune: ArchiveTune, member: Member | None, claim_hash: str) -> bool:
    """Whether a visitor may change a tune: whoever added it, and the keepers."""
    return may_change(tune, member, claim_hash)


def require_change(tune: ArchiveTune, member: Member | None, claim_hash: str) -> None:
    """Refuse what only whoever added a tune may do.

    Raises:
        ForbiddenError: it was somebody else.
    """
    if not can_change(tune, member, claim_hash):
        raise ForbiddenError(_("Only whoever added this tune can change or delete it."))


def has_others(database: Session, tune: ArchiveTune) -> bool:
    """Whether others than its author added something to a tune."""
    author = tune.author_id or 0
    others = (
        select(Setting.id).where(Setting.tune_id == tune.id, _is_other(Setting.author_id, author)),
        select(TuneNote.id).where(
            TuneNote.tune_id == tune.id, _is_other(TuneNote.author_id, author)
        ),
        select(Comment.id).where(
            Comment.subject == "tune", Comment.subject_id == tune.id,
            _is_other(Comment.author_id, author),
        ),
        select(BookEntry.id).where(BookEntry.tune_id == tune.id),
        select(MonthEntry.id).where(MonthEntry.tune_id == tune.id),
        select(recording_tunes.c.tune_id).where(recording_tunes.c.tune_id == tune.id),
        select(event_tunes.c.tune_id).where(event_tunes.c.tune_id == tune.id),
    )  # fmt: skip
    return bool(database.scalar(select(or_(*(exists(query) for query in others)))))


def _is_other(column: InstrumentedAttribute[int | None], author: int) -> ColumnElement[bool]:
    return or_(column.is_(None), column != author)


def delete_tune(database: Session, tune: ArchiveTune, member: Member | None) -> None:
    """Delete a tune and all that belongs to it.

    Raises:
        ForbiddenError: others added to it, and `member` is no keeper.
    """
    is_keeper = member is not None and member.is_keeper
    if not is_keeper and has_others(database, tune):
        raise ForbiddenError(
            _("Others have added to this tune; ask a keeper to delete it, by reporting it.")
        )
    for table in (Comment, Follow, Activity):
        database.execute(delete(table).where(table.subject == "tune", table.subject_id == tune.id))
    settings = [setting.id for setting in tune.settings]
    database.execute(
        delete(Activity).where(Activity.subject == "setting", Activity.subject_id.in_(settings))
    )
    database.delete(tune)
    database.flush()


def claim_tunes(database: Session, member: Member, claim_hash: str) -> int:
    """Put under a member's name what was composed and archived in a browser without account.

    Returns the number of tunes.
    """
    if not claim_hash:
        return 0
    tunes = database.scalars(
        select(ArchiveTune).where(
            ArchiveTune.author_id.is_(None), ArchiveTune.claim_hash == claim_hash
        )
    ).all()
    for tune in tunes:
        tune.author, tune.author_name, tune.claim_hash = member, "", ""
    database.execute(
        update(Composition)
        .where(Composition.owner_id.is_(None), Composition.claim_hash == claim_hash)
        .values(owner_id=member.id)
    )
    database.flush()
    return len(tunes)
