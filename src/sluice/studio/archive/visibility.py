"""Who sees a post: all see what is public, its author and the keepers what waits or is hidden."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, or_

from sluice.studio.archive.tables import (
    ArchiveEvent,
    ArchiveRecording,
    ArchiveTune,
    Comment,
    Member,
    Setting,
)

Post = ArchiveTune | Setting | Comment | ArchiveRecording | ArchiveEvent


def is_visible(post: Post, viewer: Member | None) -> bool:
    """Whether a page of this post is shown to a viewer."""
    if post.visibility == "public":
        return True
    return viewer is not None and (viewer.is_keeper or post.author_id == viewer.id)


def select_visible(table: type[Any], viewer: Member | None) -> ColumnElement[bool]:
    """The condition under which a viewer finds rows of `table`, a post, in lists.

    Keepers find what waits on their own page, so lists show them no more than others.
    """
    is_public: ColumnElement[bool] = table.visibility == "public"
    return is_public if viewer is None else or_(is_public, table.author_id == viewer.id)
