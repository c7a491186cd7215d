"""A composition as its card shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sluice.studio.archive.compositions import Claim, find_compositions, list_children
from sluice.studio.archive.models import find_model
from sluice.studio.archive.tables import Composition, Tune
from sluice.studio.pages.compose_form import show_options
from sluice.studio.pages.compose_labels import describe_options, name_dance, name_key, name_mode
from sluice.studio.languages import gettext as _
from sluice.studio.languages import ngettext

Link = tuple[str, str]
"""An address and what it says."""


@dataclass(frozen=True)
class TuneView:
    """What a card says; without arguments an empty one, for scripts to copy.

    Attributes:
        values: of the form that composes it.
        facts: where it comes from: labels and values.
        parent: the tune that it was made from.
        archived: the tune of the archive that it became.
        may_archive: whether this visitor composed it.
        remark: what is unusual about it, as a sentence.
    """

    code: str = ""
    state: str = "waiting"
    title: str = ""
    name: str = ""
    summary: str = ""
    problem: str = ""
    abc: str = ""
    remark: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    facts: Sequence[Link] = ()
    parent: Link | None = None
    children: Sequence[Link] = ()
    archived: Link | None = None
    may_archive: bool = False


def view_compositions(
    database: Session, compositions: Sequence[Composition], claim: Claim
) -> list[TuneView]:
    """The cards of compositions, in their order."""
    return [_view(database, composition, claim) for composition in compositions]


def name_composition(composition: Composition) -> str:
    """Its title, or what is known instead."""
    if composition.title:
        return composition.title
    if composition.state == "failed":
        return _("A tune that was not written")
    return _("A tune begins …")


def _view(database: Session, composition: Composition, claim: Claim) -> TuneView:
    is_done = composition.state == "done"
    result = composition.result or {}
    tune = database.scalar(
        select(Tune).where(Tune.composition_id == composition.id).order_by(Tune.id).limit(1)
    )
    shown = {**composition.options, **{k: result[k] for k in ("key", "meter", "dance") if result.get(k)}}
    return TuneView(
        code=composition.code,
        state=composition.state,
        title=composition.title,
        name=name_composition(composition),
        summary=describe_options(shown),
        problem=composition.problem,
        abc=composition.abc,
        remark=_remark(composition),
        values=show_options(composition.options),
        facts=_list_facts(database, composition) if is_done else (),
        parent=_link_parent(database, composition),
        children=[(f"/c/{one.code}", one.title) for one in list_children(database, composition.code)],
        archived=None if tune is None else (f"/tunes/{tune.id}", tune.title),
        may_archive=is_done and tune is None and claim.owns(composition),
    )


def _remark(composition: Composition) -> str:
    if composition.state == "done" and composition.result and not composition.options["form"]:
        if composition.result.get("is_complete", True) is False:
            return _("This tune is incomplete: without form, some bars may be too short or too long.")
    return ""


def _link_parent(database: Session, composition: Composition) -> Link | None:
    if composition.parent is None:
        return None
    (parent,) = find_compositions(database, [composition.parent]) or (None,)
    if parent is None:
        return None
    names = {
        "vary": _("Varied from %(title)s"),
        "fill": _("Filled in from %(title)s"),
        "continue": _("Continued from %(title)s"),
    }
    pattern = names.get(composition.kind, _("Made from %(title)s"))
    return f"/c/{parent.code}", pattern % {"title": name_composition(parent)}


def _list_facts(database: Session, composition: Composition) -> list[Link]:
    options, result = composition.options, composition.result or {}
    model = find_model(database, composition.model)
    name = composition.model[:12] if model is None else f"{model.name} ({composition.model[:12]})"
    if model is None or not model.is_active:
        name += ", " + _("no longer active here: the tune is shown as it was stored")
    measures = result.get("measures", 0)
    facts = [
        (_("Model and recipe"), name),
        (_("Seed"), str(composition.seed)),
        (_("Temperature"), str(options.get("temperature", ""))),
        (_("Kind of dance"), name_dance(str(result.get("dance") or options.get("dance") or ""))),
        (_("Key"), name_key(str(result.get("key") or options.get("key") or ""))),
        (_("Mode"), name_mode(str(options.get("mode") or ""))),
        (_("Meter"), str(result.get("meter") or options.get("meter") or "")),
        (_("Start"), str(options.get("start") or "")),
        (_("Length"), ngettext("%(num)s bar", "%(num)s bars", measures) % {"num": measures} if measures else ""),
        (_("Form"), _("sections of eight bars") if options.get("form") else _("free")),
        (_("Nearest tune it learnt from"), str(result.get("nearest") or "")),
        (_("Composed"), composition.created_at.strftime("%Y-%m-%d %H:%M UTC")),
    ]
    return [(label, value) for label, value in facts if value]
