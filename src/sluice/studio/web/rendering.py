"""Pages from templates."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from sluice._version import __version__
from sluice.studio.errors import LimitError
from sluice.studio.languages import get_language, gettext, list_languages, ngettext
from sluice.studio.security.text import render_markdown
from sluice.studio.web.dates import FILTERS
from sluice.studio.web.forms import FIELD
from sluice.studio.web.static_files import get_static_url
from sluice.studio.web.tempos import list_tempos
from sluice.studio.web.visitor import Visitor

FOLDER = Path(__file__).parent.parent / "templates"


def create_environment() -> Environment:
    """The environment of all templates: what is written into a page is escaped."""
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=select_autoescape(default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(gettext, ngettext, newstyle=True)  # type: ignore[attr-defined]
    environment.filters.update(FILTERS)
    environment.globals.update(
        static_url=get_static_url,
        list_languages=list_languages,
        list_tempos=list_tempos,
        render_markdown=render_markdown,
        version=__version__,
    )
    return environment


_environment = create_environment()


def render(request: Request, template: str, status: int = 200, **names: Any) -> HTMLResponse:
    """An answer with the page that a template and these names give.

    A `problem` that is a `LimitError` makes it an answer 429, which says how long to wait.
    """
    headers = {"vary": "accept-encoding, cookie"}
    if isinstance(problem := names.get("problem"), LimitError):
        status, headers["retry-after"] = 429, str(problem.seconds)
    # Where no route was found, nobody has asked who the visitor is.
    visitor = getattr(request.state, "visitor", None) or Visitor(
        getattr(request.state, "secret", ""), "", get_language(), key=request.app.state.studio.key
    )
    field = Markup('<input type="hidden" name="{}" value="{}">').format(FIELD, visitor.csrf_token)
    text = _environment.get_template(template).render(
        request=request,
        visitor=visitor,
        member=visitor.member,
        site=request.app.state.studio.config,
        language=get_language(),
        csrf_token=visitor.csrf_token,
        csrf_field=lambda: field,
        **names,
    )
    response = HTMLResponse(text, status, headers=headers)
    # A secret beside words of somebody else's does not leak by its compressed length here: to
    # requests that other sites send, browsers add no cookie, and so there is none in the answer.
    if "gzip" in request.headers.get("accept-encoding", ""):
        response.body = gzip.compress(response.body, 6, mtime=0)
        response.headers["content-encoding"] = "gzip"
        response.headers["content-length"] = str(len(response.body))
    return response
