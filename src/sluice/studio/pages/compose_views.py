"""A composition as its card shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from sluice.studio.archive.compositions import find_compositions, list_children
from sluice.studio.archive.models import find_model
from sluice.studio.archive.tables import ArchiveTune, Composition
from sluice.studio.archive.visibility import can_see
from sluice.studio.languages import gettext as _
from sluice.studio.languages import ngettext
from sluice.studio.pages.compose_form import show_options
from sluice.studio.pages.compose_labels import describe_options, name_dance, name_key, name_mode
from sluice.studio.web.visitor import Visitor
from sluice.tunes.notation import score

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
        changed: the numbers of the bars that differ from the parent's, from 1.
        changed_words: the same in words.
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
    changed: Sequence[int] = ()
    changed_words: str = ""
    children: Sequence[Link] = ()
    archived: Link | None = None
    may_archive: bool = False


def view_compositions(
    database: Session,
    compositions: Sequence[Composition],
    visitor: Visitor,
    is_brief: bool = False,
) -> list[TuneView]:
    """The cards of compositions, in their order.

    Args:
        is_brief: without facts, changed bars and what was made from them, for long lists.
    """
    return [_view(database, composition, visitor, is_brief) for composition in compositions]


def name_composition(composition: Composition) -> str:
    """Its title, or what is known instead."""
    if composition.title:
        return composition.title
    if composition.state == "failed":
        return _("A tune that was not written")
    return _("A tune begins …")


def _view(
    database: Session, composition: Composition, visitor: Visitor, is_brief: bool
) -> TuneView:
    is_done = composition.state == "done"
    is_whole = is_done and not is_brief
    parents = find_compositions(database, [composition.parent] if composition.parent else [])
    parent = parents[0] if parents else None
    changed = find_changed_bars(composition, parent) if parent is not None and is_whole else []
    children = list_children(database, composition.code) if is_whole else []
    result = composition.result or {}
    tune = database.scalar(
        select(ArchiveTune)
        .where(ArchiveTune.composition_id == composition.id)
        .order_by(ArchiveTune.id)
        .limit(1)
    )
    shown = {
        **composition.options,
        **{k: result[k] for k in ("key", "meter", "dance") if result.get(k)},
    }
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
        facts=_list_facts(database, composition) if is_whole else (),
        parent=None if parent is None else _link_parent(composition, parent),
        changed=changed,
        changed_words=describe_bars(changed),
        children=[(f"/c/{one.code}", one.title) for one in children],
        archived=_link_archived(tune, visitor),
        may_archive=is_done and tune is None and visitor.has_made(composition),
    )


def _link_archived(tune: ArchiveTune | None, visitor: Visitor) -> Link | None:
    """The tune of the archive, for those who may see it."""
    if tune is None or not can_see(tune, visitor.member, visitor.claim_hash):
        return None
    return f"/tunes/{tune.id}", tune.title


def find_changed_bars(composition: Composition, parent: Composition) -> list[int]:
    """The numbers of the bars, from 1, that are not as in the tune that it was made from."""
    if not composition.tokens or not parent.tokens:
        return []
    ours, theirs = _split_bars(composition.tokens), _split_bars(parent.tokens)
    return [
        number
        for number, bar in enumerate(ours, 1)
        if number > len(theirs) or bar != theirs[number - 1]
    ]


def _split_bars(tokens: Sequence[str]) -> list[Sequence[str]]:
    return [tokens[bar.start : bar.stop] for bar in score.parse(tokens).bars]


def describe_bars(numbers: Sequence[int]) -> str:
    """Numbers of bars in words: `bars 2–4, 7 are new`."""
    if not numbers:
        return ""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    shown = ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
    pattern = ngettext("bar {bars} is new", "bars {bars} are new", len(numbers))
    return pattern.format(bars=shown)


def _remark(composition: Composition) -> str:
    """Without form a tune is what the model alone makes of it: bars need not be full."""
    measures = (composition.result or {}).get("measures", {})
    missing = measures.get("bars", 0) - measures.get("full_bars", 0)
    if composition.options["form"] or not missing:
        return ""
    return ngettext(
        "In free form: {count} bar is shorter or longer than the meter.",
        "In free form: {count} bars are shorter or longer than the meter.",
        missing,
    ).format(count=missing)


def _link_parent(composition: Composition, parent: Composition) -> Link:
    names = {
        "vary": _("Varied from {title}"),
        "fill": _("Filled in from {title}"),
        "continue": _("Continued from {title}"),
    }
    pattern = names.get(composition.kind, _("Made from {title}"))
    return f"/c/{parent.code}", pattern.format(title=name_composition(parent))


def _list_facts(database: Session, composition: Composition) -> list[Link]:
    options, result = composition.options, composition.result or {}
    model = find_model(database, composition.model)
    name = composition.model[:12] if model is None else f"{model.name} ({composition.model[:12]})"
    if model is None or not model.is_active:
        name += ", " + _("no longer active here: the tune is shown as it was stored")
    bars = result.get("measures", {}).get("bars", 0)
    nearest = result.get("nearest") or {}
    facts = [
        (_("Model and recipe"), name),
        (_("Seed"), str(composition.seed)),
        (_("Temperature"), str(options.get("temperature", ""))),
        (_("Kind of dance"), name_dance(str(result.get("dance") or options.get("dance") or ""))),
        (_("Key"), name_key(str(result.get("key") or options.get("key") or ""))),
        (_("Mode"), name_mode(str(options.get("mode") or ""))),
        (_("Meter"), str(result.get("meter") or options.get("meter") or "")),
        (_("Start"), str(options.get("start") or "")),
        (_("Length"), ngettext("{count} bar", "{count} bars", bars).format(count=bars)),
        (_("Form"), _("sections of eight bars") if options.get("form") else _("free")),
        (_("Nearest tune it learnt from"), _describe_nearest(nearest)),
        (_("Composed"), composition.created_at.strftime("%Y-%m-%d %H:%M UTC")),
    ]
    return [(label, value) for label, value in facts if value]


def _describe_nearest(nearest: Mapping[str, Any]) -> str:
    if not nearest:
        return ""
    count = nearest["tokens"]
    pattern = ngettext(
        "{title}: {count} token in a row is alike",
        "{title}: {count} tokens in a row are alike",
        count,
    )
    return pattern.format(title=nearest["title"] or _("without a name"), count=count)
