"""The web application: all routes of the studio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache

from fastapi import APIRouter, Depends, FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from sluice._version import __version__
from sluice.studio.accounts.sessions import COOKIE
from sluice.studio.api.v1 import ROUTERS, describe_api
from sluice.studio.config import StudioConfig
from sluice.studio.pages import (
    archive,
    community,
    compose,
    composition,
    data,
    downloads,
    glas_herry,
    glass,
    media,
    membership,
    metrics,
    site,
)
from sluice.studio.security.bodies import BodyLimitMiddleware
from sluice.studio.security.headers import HeadersMiddleware
from sluice.studio.web import static_files
from sluice.studio.web.context import Studio
from sluice.studio.web.forms import check_form, check_quick_form
from sluice.studio.web.mailing import send_mails
from sluice.studio.web.metrics import MetricsMiddleware, RequestMetrics
from sluice.studio.web.problems import install_handlers
from sluice.studio.web.visitor import VisitorMiddleware, get_cookie_name

_PAGES = (
    *archive.ROUTERS, *community.ROUTERS, compose.router, composition.router, data.router,
    glas_herry.router, glass.router,
    media.router, *membership.ROUTERS, metrics.router, site.router,
)  # fmt: skip
_QUICK_PAGES = (compose.quick_router, composition.quick_router)


def create_app(config: StudioConfig, number: int = 0) -> FastAPI:
    """The application of one web process, whose database has its tables already.

    Args:
        config: the settings.
        number: of this process among the web processes of this folder, from 0.
    """
    studio = Studio.open(config)
    request_metrics = RequestMetrics(config.folder / "run", number)

    @asynccontextmanager
    async def run(app: FastAPI) -> AsyncIterator[None]:
        async with send_mails(studio):
            yield
        request_metrics.write()
        await studio.close()

    app = FastAPI(
        title=config.title, version=__version__, lifespan=run, docs_url=None, redoc_url=None,
        openapi_url="/api/openapi.json",
    )  # fmt: skip
    app.state.studio = studio
    app.state.metrics = request_metrics
    app.router.routes.extend(_list_routes())
    describe_api(app)
    install_handlers(app)
    cookie = get_cookie_name(COOKIE, config.is_secure)
    app.add_middleware(BodyLimitMiddleware, session_cookie=cookie)
    app.add_middleware(VisitorMiddleware, is_secure=config.is_secure, language=config.language)
    app.add_middleware(HeadersMiddleware, is_secure=config.is_secure)
    app.add_middleware(MetricsMiddleware, metrics=request_metrics)
    return app


@cache
def _list_routes() -> list[BaseRoute]:
    """All routes; what FastAPI learns of them, it keeps for every application of this process."""
    for router in (downloads.router, *_PAGES, *community.OPEN_ROUTERS):
        _allow_head(router)
    collected = APIRouter()
    collected.include_router(static_files.router)
    # Before the pages: `/tunes/7.abc` is no tune with the number 7.abc.
    collected.include_router(downloads.router, include_in_schema=False)
    for router in _PAGES:
        collected.include_router(
            router, dependencies=[Depends(check_form)], include_in_schema=False
        )
    for router in _QUICK_PAGES:
        collected.include_router(
            router, dependencies=[Depends(check_quick_form)], include_in_schema=False
        )
    for router in community.OPEN_ROUTERS:
        collected.include_router(router, include_in_schema=False)
    for router in ROUTERS:
        collected.include_router(router)
    return collected.routes


def _allow_head(router: APIRouter) -> None:
    """Answer HEAD like GET: what checks links, or whether a site is up, asks so."""
    for route in router.routes:
        if isinstance(route, APIRoute) and route.methods and "GET" in route.methods:
            route.methods.add("HEAD")
