"""Answers to what cannot be done: a page for people, JSON for programs."""

from __future__ import annotations

import errno
import logging
from urllib.parse import quote

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse
from sqlalchemy.exc import DataError, IntegrityError, InterfaceError, OperationalError
from starlette.exceptions import HTTPException

from sluice.errors import SluiceError
from sluice.studio.errors import (
    ForbiddenError,
    LimitError,
    NotFoundError,
    StudioError,
    UnavailableError,
)
from sluice.studio.languages import gettext as _
from sluice.studio.security.origin import find_page
from sluice.studio.web.context import LoginNeededError
from sluice.studio.web.rendering import render

_logger = logging.getLogger("problem")


def install_handlers(app: FastAPI) -> None:
    """Answer every error that a request can raise."""

    @app.exception_handler(LoginNeededError)
    def send_to_login(request: Request, error: LoginNeededError) -> Response:
        if request.method == "GET":
            return RedirectResponse(f"/login?next={quote(request.url.path)}", 303)
        page = find_page(request.headers, request.app.state.studio.config.address)
        return RedirectResponse(f"/login?next={quote(page)}&unsent=1", 303)

    @app.exception_handler(SluiceError)
    def answer_refusal(request: Request, error: SluiceError) -> Response:
        status = 422
        if isinstance(error, NotFoundError | ForbiddenError):
            status = 404 if isinstance(error, NotFoundError) else 403
        if isinstance(error, UnavailableError):
            status = 503
        field = error.field if isinstance(error, StudioError) else ""
        if isinstance(error, LimitError):
            answer = answer_problem(request, 429, str(error), field)
            answer.headers["retry-after"] = str(error.seconds)
            return answer
        return answer_problem(request, status, str(error), field)

    @app.exception_handler(IntegrityError)
    def answer_race(request: Request, error: IntegrityError) -> Response:
        sentence = _("Somebody else changed this at the same moment. Please try again.")
        return answer_problem(request, 409, sentence)

    @app.exception_handler(OperationalError)
    @app.exception_handler(InterfaceError)
    def answer_away(request: Request, error: Exception) -> Response:
        _logger.error("the database refused", exc_info=error)
        sentence = _("The archive cannot be reached just now. Try again in a minute.")
        answer = answer_problem(request, 503, sentence)
        answer.headers["retry-after"] = "60"
        return answer

    @app.exception_handler(DataError)
    @app.exception_handler(OverflowError)
    def answer_out_of_range(request: Request, error: Exception) -> Response:
        _logger.info("what no database stores was asked for", exc_info=error)
        sentence = _("A number is too large, or a text has signs that cannot be stored.")
        return answer_problem(request, 422, sentence)

    @app.exception_handler(OSError)
    def answer_full(request: Request, error: OSError) -> Response:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise error
        _logger.error("the disk is full", exc_info=error)
        sentence = _("This site has no room for more just now. Nothing was stored.")
        return answer_problem(request, 503, sentence)

    @app.exception_handler(RequestValidationError)
    def answer_invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        place = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
        sentence = f"{'.'.join(place) or _('The request')}: {first['msg']}."
        return answer_problem(request, 422, sentence, ".".join(place))

    @app.exception_handler(HTTPException)
    def answer_status(request: Request, error: HTTPException) -> Response:
        sentences = {
            404: _("There is no page at this address."),
            405: _("This address does not take that kind of request."),
        }
        sentence = sentences.get(error.status_code, str(error.detail))
        answer = answer_problem(request, error.status_code, sentence)
        answer.headers.update(error.headers or {})
        return answer


def answer_problem(request: Request, status: int, sentence: str, field: str = "") -> Response:
    """One sentence, as JSON where that is asked for, else as a page."""
    if wants_json(request):
        return JSONResponse({"problem": sentence, "field": field}, status)
    return render(request, "problem.html", status, sentence=sentence, field=field)


def wants_json(request: Request) -> bool:
    """Whether a program asks, not a person."""
    is_api = request.url.path.startswith("/api/")
    return is_api or "application/json" in request.headers.get("accept", "")
