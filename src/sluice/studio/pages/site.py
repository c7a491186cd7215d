"""The language of the pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from sluice.studio.languages import list_languages
from sluice.studio.security.origin import choose_next
from sluice.studio.web.static_files import get_static_url

router = APIRouter()


@router.post("/language")
def choose_language(
    language: Annotated[str, Form()], next: Annotated[str, Form()] = "/"
) -> Response:
    """Use a language in this browser from now on."""
    answer = RedirectResponse(choose_next(next), 303)
    if language in list_languages():
        answer.set_cookie("language", language, max_age=400 * 24 * 3600, samesite="lax")
    return answer


@router.get("/favicon.ico")
def find_icon() -> Response:
    """The icon, where browsers look for one by themselves."""
    return RedirectResponse(get_static_url("own/icon.svg"), 308)
