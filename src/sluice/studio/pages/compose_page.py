"""The page of the form and its tunes, whichever address shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Request, Response
from sqlalchemy.orm import Session

from sluice.studio.archive.tables import Composition
from sluice.studio.composing.model_info import ModelInfo
from sluice.studio.pages.compose_form import DEFAULTS, MORE_FIELDS
from sluice.studio.pages.compose_labels import list_choices
from sluice.studio.pages.compose_views import TuneView, view_compositions
from sluice.studio.web.rendering import render
from sluice.studio.web.visitor import Visitor


def render_page(
    request: Request,
    database: Session,
    visitor: Visitor,
    models: Sequence[ModelInfo],
    values: Mapping[str, Any],
    *,
    compositions: Sequence[Composition] = (),
    problems: Mapping[str, str] | None = None,
    composes_at_once: bool = False,
) -> Response:
    """The page.

    Args:
        values: of the form, as `compose_form` reads them.
        compositions: the tunes below it.
        problems: what is wrong with the form: sentences by the names of its fields, or by an empty
            name.
        composes_at_once: whether a script sends the form on arrival.
    """
    problems = {**(problems or {})}
    for name in [name for name in problems if name not in DEFAULTS]:
        problems[""] = problems.pop(name)
    changed = {name for name in MORE_FIELDS if values[name] != DEFAULTS[name]}
    return render(
        request,
        "compose.html",
        422 if problems else 200,
        values=values,
        problems=problems,
        models=models,
        choices=list_choices(models),
        is_more_open=bool(changed or any(name in MORE_FIELDS for name in problems)),
        views=view_compositions(database, compositions, visitor),
        empty_view=TuneView(),
        composes_at_once=composes_at_once,
    )
