"""The language of the pages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Response
from fastapi.responses import RedirectResponse

from sluice.studio.languages import list_languages

router = APIRouter()


@router.post("/language")
def choose_language(
    language: Annotated[str, Form()], next: Annotated[str, Form()] = "/"
) -> Response:
    """Use a language in this browser from now on."""
    is_local = next.startswith("/") and not next.startswith(("//", "/\\"))
    answer = RedirectResponse(next if is_local else "/", 303)
    if language in list_languages():
        answer.set_cookie("language", language, max_age=400 * 24 * 3600, samesite="lax")
    return answer
