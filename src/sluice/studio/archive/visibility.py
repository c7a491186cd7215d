"""What is seen by whom: public, waiting for a keeper, or hidden."""

from __future__ import annotations

from typing import Any, TypeVar

from sqlalchemy import ColumnElement, or_, select, true
from sqlalchemy.orm import Session

from sluice.studio.archive.tables import (
    ArchiveEvent,
    ArchiveRecording,
    ArchiveTune,
    Comment,
    Member,
    Setting,
)
from sluice.studio.errors import NotFoundError
from sluice.studio.languages import gettext as _

PUBLIC, WAITING, HIDDEN = "public", "waiting", "hidden"
NUM_POSTS_CHECKED = 3

Post = ArchiveTune | Setting | Comment | ArchiveRecording | ArchiveEvent
"""What has a visibility and an author."""

AnyPost = TypeVar("AnyPost", bound=Post)


def choose_visibility(database: Session, member: Member | None) -> str:
    """The visibility of what a member, or a visitor without account, has just sent.

    A member's posts wait for a keeper until three were approved; those of visitors always do.
    Where a site has no keeper, nobody could approve them: all is public.
    """
    if member is not None and (member.is_keeper or member.num_approved >= NUM_POSTS_CHECKED):
        return PUBLIC
    has_keeper = database.scalar(select(Member.id).where(Member.role == "keeper").limit(1))
    return PUBLIC if has_keeper is None else WAITING


def is_listed(post: type[Post]) -> ColumnElement[bool]:
    """The condition of what lists, search and downloads show to everyone."""
    return post.visibility == PUBLIC


def is_visible(
    post: type[Post], member: Member | None, claim_hash: str = ""
) -> ColumnElement[bool]:
    """The condition of what one visitor may see: what is public, their own, a keeper all."""
    if member is not None and member.is_keeper:
        return true()
    conditions = [is_listed(post)]
    if member is not None:
        conditions.append(post.author_id == member.id)
    if post is ArchiveTune and claim_hash:
        conditions.append(ArchiveTune.claim_hash == claim_hash)
    return or_(*conditions)


def can_see(post: Post, member: Member | None, claim_hash: str = "") -> bool:
    """Whether one visitor may see a post, by the rule of `is_visible`."""
    if post.visibility == PUBLIC or (member is not None and member.is_keeper):
        return True
    return is_own(post, member, claim_hash)


def is_own(post: Any, member: Member | None, claim_hash: str = "") -> bool:
    """Whether a visitor made this: as its author or owner, or by the cookie that claims it."""
    maker = getattr(post, "author_id", None) or getattr(post, "owner_id", None)
    if member is not None and maker is not None and maker == member.id:
        return True
    claim = getattr(post, "claim_hash", "")
    return bool(maker is None and claim and claim == claim_hash)


def may_change(post: Any, member: Member | None, claim_hash: str = "") -> bool:
    """Whether a visitor may change or delete this: whoever made it, and the keepers."""
    return is_own(post, member, claim_hash) or (member is not None and member.is_keeper)


def require_visible(post: AnyPost | None, member: Member | None, claim_hash: str = "") -> AnyPost:
    """The post; what does not exist and what this visitor may not see is refused alike.

    Raises:
        NotFoundError: either of the two.
    """
    if post is None or not can_see(post, member, claim_hash):
        raise NotFoundError(_("This is not here, or not for everyone to see."))
    return post
