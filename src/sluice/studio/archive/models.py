"""The models that compose here, and those that once did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sluice.studio.archive.tables import Model


def find_model(database: Session, fingerprint: str) -> Model | None:
    """The model of a fingerprint, active or not."""
    return database.scalar(select(Model).where(Model.fingerprint == fingerprint))


def store_models(database: Session, models: Iterable[Any]) -> None:
    """Store which models compose now; the others stay, as no longer active."""
    active = {model.fingerprint: model for model in models}
    known: Mapping[str, Model] = {row.fingerprint: row for row in database.scalars(select(Model))}
    for row in known.values():
        if row.is_active != (row.fingerprint in active):
            row.is_active = row.fingerprint in active
    for fingerprint, model in active.items():
        if fingerprint not in known:
            database.add(Model(fingerprint=fingerprint, name=model.name, card=model.card))
