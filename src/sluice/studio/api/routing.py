"""What all operations of the API share."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request

from sluice.studio.api.schemas import ApiProblem
from sluice.studio.languages import get_language
from sluice.studio.security.keys import sign
from sluice.studio.web.context import StudioDep
from sluice.studio.web.visitor import Visitor


def ignore_cookies(request: Request, studio: StudioDep) -> Visitor:
    """A program is nobody but its address, whatever cookies a browser sends along.

    What it composes is claimed by the address, so that limits hold for that.
    """
    address = request.client.host if request.client else ""
    visitor = Visitor(
        secret=sign(studio.key, "program", address),
        address=address,
        language=get_language(),
        key=studio.key,
    )
    request.state.visitor = visitor
    return visitor


def create_router(subject: str) -> APIRouter:
    """A router of operations on one subject."""
    return APIRouter(
        prefix="/api/v1",
        tags=[subject],
        dependencies=[Depends(ignore_cookies)],
        responses={
            404: {
                "model": ApiProblem,
                "description": "It does not exist, or is not public.",
            },
            422: {"model": ApiProblem, "description": "The request was not understood."},
        },
    )


LIMITED: dict[int | str, dict[str, object]] = {
    429: {"model": ApiProblem, "description": "Too often; `Retry-After` says how long to wait."},
}
UNAVAILABLE: dict[int | str, dict[str, object]] = {
    503: {"model": ApiProblem, "description": "Not just now; try again later."},
}
UNREADABLE: dict[int | str, dict[str, object]] = {
    400: {"model": ApiProblem, "description": "The body is no text."},
    413: {"model": ApiProblem, "description": "The body is too large."},
}
