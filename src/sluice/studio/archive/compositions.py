"""What was composed: rows with a code, from the wish to the tune."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, update
from sqlalchemy.orm import Session

from sluice.studio.archive.tables import Composition
from sluice.studio.archive.tables.base import get_now
from sluice.studio.errors import NotFoundError
from sluice.studio.languages import gettext as _

CODE_LENGTH = 10
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
_SECONDS_UNTIL_FORGOTTEN = 20


@dataclass(frozen=True)
class Claim:
    """Whose a composition is: a browser's, by the hash of its cookie, and maybe a member's."""

    claim_hash: str
    member_id: int | None = None

    def match(self) -> ColumnElement[bool]:
        """The condition of a query for what it owns."""
        is_browsers = and_(
            Composition.owner_id.is_(None),
            Composition.claim_hash == self.claim_hash,
            Composition.claim_hash != "",
        )
        if self.member_id is None:
            return is_browsers
        return or_(is_browsers, Composition.owner_id == self.member_id)


def make_code() -> str:
    """A new code: 50 random bits as ten letters and digits of base 32."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(CODE_LENGTH))


def is_code(text: str) -> bool:
    """Whether a text has the form of a code."""
    return len(text) == CODE_LENGTH and all(letter in _ALPHABET for letter in text)


def add_composition(
    database: Session,
    options: Mapping[str, Any],
    claim: Claim,
    parent: str | None = None,
    state: str = "waiting",
) -> Composition:
    """A new row, with a code of its own.

    Args:
        options: those of `ComposingOptions`, as JSON.
        parent: the code of the tune that it is made from.
        state: `running` where somebody listens at once, else `waiting`.
    """
    composition = Composition(
        code=make_code(),
        kind=options["kind"],
        model=options["model"],
        options=dict(options),
        seed=options["seed"],
        title=options["title"] or "",
        state=state,
        parent=parent,
        owner_id=claim.member_id,
        claim_hash=claim.claim_hash,
    )
    database.add(composition)
    return composition


def find_composition(database: Session, code: str, lock: bool = False) -> Composition:
    """The composition of a code.

    Args:
        lock: whether others wait who ask for it likewise, until this transaction ends.

    Raises:
        NotFoundError: there is none.
    """
    query = select(Composition).where(Composition.code == code)
    found = database.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise NotFoundError(_("There is no tune at this address."))
    return found


def find_compositions(database: Session, codes: Sequence[str]) -> list[Composition]:
    """Those of these codes that exist, in the order of the codes."""
    rows = database.scalars(select(Composition).where(Composition.code.in_(codes)))
    found = {row.code: row for row in rows}
    return [found[code] for code in dict.fromkeys(codes) if code in found]


def store_done(database: Session, code: str, number: int, data: Mapping[str, Any]) -> None:
    """Store a finished tune; whoever comes second changes nothing.

    Args:
        number: of the event `done`, which `data` came with.
    """
    values = {
        "state": "done",
        "tokens": list(data["tokens"]),
        "abc": data["abc"],
        "title": data["title"][:200],
        "result": {**data, "number": number},
        "problem": "",
    }
    database.execute(_where_unfinished(code).values(values))


def store_problem(database: Session, code: str, sentence: str) -> None:
    """Store why a tune was not composed, unless it was."""
    database.execute(_where_unfinished(code).values(state="failed", problem=sentence))


def store_state(database: Session, code: str, state: str) -> None:
    """Store that somebody listens to it, `running`, or nobody, `waiting`."""
    database.execute(_where_unfinished(code).values(state=state))


def _where_unfinished(code: str) -> Any:
    return update(Composition).where(
        Composition.code == code, Composition.state.in_(("waiting", "running"))
    )


def count_running(database: Session, claim: Claim) -> int:
    """How many tunes are being written for this visitor.

    One that waits for its first listener counts for some seconds; so does one that was running
    when its process was killed.
    """
    since = get_now() - timedelta(seconds=_SECONDS_UNTIL_FORGOTTEN)
    query = select(func.count()).where(
        claim.match(), Composition.state == "running", Composition.created_at > since
    )
    return database.scalar(query) or 0


def list_compositions(
    database: Session, claim: Claim, before: int | None = None, limit: int = 30
) -> list[Composition]:
    """The finished tunes of a visitor, the last first.

    Args:
        before: only those with a lower `id`.
    """
    query = select(Composition).where(claim.match(), Composition.state == "done")
    if before is not None:
        query = query.where(Composition.id < before)
    return list(database.scalars(query.order_by(Composition.id.desc()).limit(limit)))


def list_children(database: Session, code: str, limit: int = 12) -> list[Composition]:
    """What was made from a tune, the first first."""
    query = select(Composition).where(Composition.parent == code, Composition.state == "done")
    return list(database.scalars(query.order_by(Composition.id).limit(limit)))
