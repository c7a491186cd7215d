"""Names and mail addresses of members."""

from __future__ import annotations

import re
import unicodedata

from sqlalchemy import select
from sqlalchemy.orm import Session

from sluice.studio.archive.tables import Member
from sluice.studio.archive.tables.members import make_name_key
from sluice.studio.errors import StudioError
from sluice.studio.languages import gettext as _
from sluice.studio.security.text import check_line

MAX_NAME = 40
_EMAIL = re.compile(
    r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
)


def check_email(text: str, field: str = "email") -> str:
    """A mail address as it is stored, in small letters.

    Raises:
        StudioError: it is none.
    """
    local, at, domain = text.strip().rpartition("@")
    try:
        email = f"{local}{at}{domain.encode('idna').decode() if domain else ''}".lower()
    except UnicodeError:
        email = ""
    if len(email) > 254 or len(local) > 64 or not _EMAIL.fullmatch(email):
        raise StudioError(_("This is no mail address, such as name@example.org."), field)
    return email


def check_name(text: str, field: str = "name") -> str:
    """A member's name as others see it.

    Raises:
        StudioError: it is empty, too long, or has other characters than letters, digits, spaces
            and some marks.
    """
    name = unicodedata.normalize("NFKC", check_line(text, field, MAX_NAME))
    for character in name:
        if unicodedata.category(character)[0] not in "LMN" and character not in " .'’-_":
            raise StudioError(
                _("A name has letters, digits, spaces and . ' - _ but not {character}.").format(
                    character=character
                ),
                field,
            )
    if not any(unicodedata.category(character)[0] == "L" for character in name):
        raise StudioError(_("A name needs a letter."), field)
    return name


def require_free_name(database: Session, name: str, field: str = "name") -> None:
    """Refuse a name that another member has, however it is spaced or capitalised.

    Raises:
        StudioError: it is taken.
    """
    key = make_name_key(name)
    if database.scalar(select(Member.id).where(Member.name_key == key)) is not None:
        raise StudioError(_("Another member has this name. Please choose another."), field)


def find_by_email(database: Session, email: str) -> Member | None:
    """The member with this mail address, however it is capitalised."""
    return database.scalar(select(Member).where(Member.email == email.strip().lower()))
