"""Settings: the versions of a tune as people play it."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from sluice.studio.archive.abc_text import TuneFacts, read_correct_abc
from sluice.studio.archive.activity import record_activity
from sluice.studio.archive.tables import Activity, ArchiveTune, Member, Setting
from sluice.studio.archive.tables.base import get_now
from sluice.studio.archive.visibility import (
    HIDDEN,
    can_see,
    choose_visibility,
    is_visible,
    may_change,
)
from sluice.studio.errors import ForbiddenError, NotFoundError, StudioError
from sluice.studio.languages import gettext as _

MAX_SETTINGS = 1000
"""Of one tune."""


def list_settings(database: Session, tune: ArchiveTune, member: Member | None) -> list[Setting]:
    """The settings of a tune that this visitor may see, by number."""
    return list(
        database.scalars(
            select(Setting)
            .where(Setting.tune_id == tune.id, is_visible(Setting, member))
            .order_by(Setting.number)
        )
    )


def get_setting(
    database: Session, tune: ArchiveTune, number: int, member: Member | None
) -> Setting:
    """One setting of a tune.

    Raises:
        NotFoundError: there is none of that number, or it is hidden.
    """
    setting = None
    if 0 < number <= tune.last_number:
        setting = database.scalars(
            select(Setting).where(Setting.tune_id == tune.id, Setting.number == number)
        ).first()
    if setting is None or not can_see(setting, member):
        raise NotFoundError(_("This tune has no such setting."))
    return setting


def add_setting(
    database: Session, tune: ArchiveTune, member: Member, abc: str, title: str = ""
) -> Setting:
    """Add a version of a tune; it gets the next number.

    Raises:
        StudioError: the ABC cannot be read, or sounds like the tune or a setting that it has.
    """
    facts = read_correct_abc(abc)
    # Of two at once the second waits here, and gets the next number.
    database.scalars(
        select(ArchiveTune)
        .where(ArchiveTune.id == tune.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()
    _refuse_same(database, tune, facts)
    if tune.last_number >= MAX_SETTINGS:
        raise StudioError(
            _("This tune has {limit} settings; no more are taken.").format(limit=MAX_SETTINGS)
        )
    tune.last_number += 1
    setting = Setting(
        tune_id=tune.id,
        number=tune.last_number,
        author_id=member.id,
        title=title,
        abc=facts.abc,
        contour=facts.contour,
        played=facts.played,
        visibility=choose_visibility(database, member),
    )
    database.add(setting)
    database.flush()
    record_activity(database, member, "setting", setting.id)
    return setting


def change_setting(database: Session, setting: Setting, abc: str, title: str) -> None:
    """Change a setting.

    Raises:
        StudioError: as `add_setting`.
    """
    facts = read_correct_abc(abc)
    _refuse_same(database, setting.tune, facts, setting)
    setting.title, setting.abc, setting.changed_at = title, facts.abc, get_now()
    setting.contour, setting.played = facts.contour, facts.played
    database.flush()


def delete_setting(database: Session, setting: Setting) -> None:
    """Delete a setting; its number is not given again."""
    database.execute(
        delete(Activity).where(Activity.subject == "setting", Activity.subject_id == setting.id)
    )
    database.delete(setting)
    database.flush()


def can_change_setting(setting: Setting, member: Member | None) -> bool:
    """Whether a visitor may change a setting: its author, and the keepers."""
    return may_change(setting, member)


def require_setting_change(setting: Setting, member: Member | None) -> None:
    """Refuse what only a setting's author may do.

    Raises:
        ForbiddenError: it is somebody else's.
    """
    if not can_change_setting(setting, member):
        raise ForbiddenError(_("Only whoever added this setting can change or delete it."))


def _refuse_same(
    database: Session, tune: ArchiveTune, facts: TuneFacts, changed: Setting | None = None
) -> None:
    if facts.played == tune.played:
        raise StudioError(_("This sounds exactly like the tune itself."), "abc")
    same = select(Setting.number).where(
        Setting.tune_id == tune.id, Setting.played == facts.played, Setting.visibility != HIDDEN
    )
    if changed is not None:
        same = same.where(Setting.id != changed.id)
    number = database.scalars(same.limit(1)).first()
    if number is not None:
        raise StudioError(
            _("This sounds exactly like setting {number}.").format(number=number), "abc"
        )
