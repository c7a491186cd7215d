"""Models, and what they composed."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from sluice.studio.archive.tables.base import Base


class Model(Base):
    """A model that composes or once composed here; `fingerprint` also names its recipe."""

    __tablename__ = "model"

    fingerprint: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    card: Mapped[str] = mapped_column(Text, default="")
    is_active: Mapped[bool] = mapped_column(default=True)


class Composition(Base):
    """A tune that was asked for: its options and seed give its tokens again at any time.

    `options` are those of `ComposingOptions`; `tokens` and `abc` are empty until it is done.
    `claim_hash` is the SHA-256 of the cookie of the visitor who asked for it.
    """

    __tablename__ = "composition"
    __table_args__ = (Index("ix_composition_claim_hash_created_at", "claim_hash", "created_at"),)

    code: Mapped[str] = mapped_column(String(16), unique=True)
    kind: Mapped[str] = mapped_column(String(10), default="compose")
    model: Mapped[str] = mapped_column(String(64))
    options: Mapped[dict[str, Any]] = mapped_column(JSON)
    seed: Mapped[int] = mapped_column(BigInteger)
    state: Mapped[str] = mapped_column(String(10), default="waiting", index=True)
    problem: Mapped[str] = mapped_column(Text, default="")
    tokens: Mapped[list[str] | None] = mapped_column(JSON, default=None)
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON, default=None)
    abc: Mapped[str] = mapped_column(Text, default="")
    title: Mapped[str] = mapped_column(String(200), default="")
    parent: Mapped[str | None] = mapped_column(String(16), default=None)
    owner_id: Mapped[int | None] = mapped_column(ForeignKey("member.id", ondelete="SET NULL"))
    claim_hash: Mapped[str] = mapped_column(String(64), default="")
