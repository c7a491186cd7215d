"""Whether the site is well, and its numbers in the text format of Prometheus."""

from __future__ import annotations

import asyncio
import ipaddress
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from sqlalchemy import func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from sluice._version import __version__
from sluice.studio.archive.tables import Composition
from sluice.studio.config import StudioConfig
from sluice.studio.errors import ForbiddenError, StudioError
from sluice.studio.exports.jobs import JobRunner
from sluice.studio.languages import gettext as _
from sluice.studio.web.context import Studio, StudioDep
from sluice.studio.web.metrics import BOUNDS, RequestMetrics

router = APIRouter()
_SECONDS_FOR_COMPOSING = 1.0
_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/healthz")
async def check_health(studio: StudioDep) -> Response:
    """Whether the database answers, 200 or 503, and the composing processes.

    Without those the archive is still read, and they are started again soon: the answer is 200.
    """
    database, composing = await asyncio.gather(
        run_in_threadpool(_is_answering, studio), _find_composing(studio)
    )
    status = "down" if not database else "ok" if composing else "degraded"
    parts = {
        "status": status,
        "database": "ok" if database else "away",
        "composing": "ok" if composing else "away",
    }
    return JSONResponse(parts, 200 if database else 503)


def _is_answering(studio: Studio) -> bool:
    try:
        with studio.database.open_session() as session:
            session.execute(text("select 1"))
    except SQLAlchemyError:
        return False
    return True


async def _find_composing(studio: Studio) -> list[dict[str, Any]]:
    """What the composing processes that answer within a second say of themselves."""
    try:
        async with asyncio.timeout(_SECONDS_FOR_COMPOSING):
            found = await studio.composing.get_status()
    except (TimeoutError, StudioError):
        return []
    return [one for one in found if one is not None]


@router.get("/metrics")
async def show_metrics(request: Request, studio: StudioDep) -> Response:
    """All numbers, to this machine and to the networks that the keeper has named.

    Raises:
        ForbiddenError: it is asked for from elsewhere.
    """
    require_allowed(request, studio.config)
    lines = [f'studio_info{{version="{__version__}"}} 1']
    lines += format_requests(request.app.state.metrics)
    lines += await run_in_threadpool(_format_database, studio)
    lines += format_jobs(studio.jobs)
    lines += format_composing(await _find_composing(studio))
    lines += format_processes(studio.config)
    return PlainTextResponse("\n".join(lines) + "\n", media_type=_TYPE)


def require_allowed(request: Request, config: StudioConfig) -> None:
    """Refuse whoever is not of this machine or of the networks named.

    A proxy that is not declared makes every visitor seem to be of this machine: what it forwards
    is refused.

    Raises:
        ForbiddenError: the address is none of those.
    """
    is_forwarded = not config.behind_proxy and (
        "x-forwarded-for" in request.headers or "forwarded" in request.headers
    )
    try:
        address = ipaddress.ip_address(request.client.host if request.client else "")
    except ValueError:
        address = None
    networks = [ipaddress.ip_network(one, strict=False) for one in config.metrics_from]
    if (
        is_forwarded
        or address is None
        or not (address.is_loopback or any(address in network for network in networks))
    ):
        raise ForbiddenError(_("The numbers of this site are for those who run it."))


def format_requests(metrics: RequestMetrics) -> Iterator[str]:
    """Counts and durations of requests by method, route and status."""
    yield "# HELP studio_request_seconds Time until an answer begins."
    yield "# TYPE studio_request_seconds histogram"
    for method, route, status, seconds, counts in metrics.list_all():
        labels = f'method="{method}",route="{_escape(route)}",status="{status}"'
        total = 0
        for bound, count in zip((*BOUNDS, "+Inf"), counts, strict=True):
            total += count
            yield f'studio_request_seconds_bucket{{{labels},le="{bound}"}} {total}'
        yield f"studio_request_seconds_sum{{{labels}}} {seconds:.6f}"
        yield f"studio_request_seconds_count{{{labels}}} {total}"


def _format_database(studio: Studio) -> list[str]:
    with studio.database.open_session() as session:
        return list(format_compositions(session))


def format_jobs(jobs: JobRunner) -> Iterator[str]:
    """Files that are being made in the web process that answers."""
    yield "# HELP studio_files Files that one web process has made or waits for."
    yield "# TYPE studio_files gauge"
    yield f'studio_files{{state="running"}} {jobs.num_running}'
    yield f'studio_files{{state="waiting"}} {jobs.num_waiting}'


def format_composing(found: Sequence[dict[str, Any]]) -> Iterator[str]:
    """What the composing processes do at this moment."""
    yield "# HELP studio_composing Tunes in the composing processes, and the tokens they wrote."
    yield "# TYPE studio_composing gauge"
    yield f'studio_composing{{what="processes"}} {len(found)}'
    for name in ("running", "waiting", "edits", "tokens"):
        yield f'studio_composing{{what="{name}"}} {sum(int(one.get(name, 0)) for one in found)}'


def format_compositions(database: Session) -> Iterable[str]:
    """How many compositions are in each state."""
    rows = database.execute(select(Composition.state, func.count()).group_by(Composition.state))
    counts = dict.fromkeys(("waiting", "running", "done", "failed"), 0)
    counts.update((state, count) for state, count in rows)
    yield "# HELP studio_compositions Compositions by their state."
    yield "# TYPE studio_compositions gauge"
    for state, count in sorted(counts.items()):
        yield f'studio_compositions{{state="{_escape(state)}"}} {count}'


def format_processes(config: StudioConfig) -> Iterator[str]:
    """Which processes the supervisor runs, and how often it has started each again."""
    try:
        state = json.loads((config.folder / "run" / "processes.json").read_text())
    except (OSError, ValueError):
        return
    yield "# HELP studio_process_restarts_total How often a process was started again."
    yield "# TYPE studio_process_restarts_total counter"
    for name, values in sorted(state.items()):
        yield f'studio_process_restarts_total{{process="{name}"}} {values["restarts"]}'
    yield "# HELP studio_process_up Whether a process runs."
    yield "# TYPE studio_process_up gauge"
    for name, values in sorted(state.items()):
        yield f'studio_process_up{{process="{name}"}} {int(values["pid"] > 0)}'


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
