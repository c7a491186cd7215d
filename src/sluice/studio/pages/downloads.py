"""Tunes, settings, compositions and books as files."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from sluice.studio.exports.sources import (
    find_book_source,
    find_composition_source,
    find_setting_source,
    find_tune_source,
)
from sluice.studio.web.context import StudioDep
from sluice.studio.web.files import answer_file

router = APIRouter()


@router.get("/c/{code}.{ending}")
async def download_composition(
    request: Request, studio: StudioDep, code: str, ending: str
) -> Response:
    """What was composed."""
    return await answer_file(
        request,
        studio,
        ending,
        lambda database, _: find_composition_source(database, code, studio.config.public_address),
    )


@router.get("/tunes/{number}.{ending}")
async def download_tune(request: Request, studio: StudioDep, number: str, ending: str) -> Response:
    """A tune of the archive."""
    return await answer_file(
        request, studio, ending,
        lambda database, visitor: find_tune_source(
            database, number, visitor.member, visitor.claim_hash, studio.config.public_address
        ),
    )  # fmt: skip


@router.get("/tunes/{number}/settings/{setting}.{ending}")
async def download_setting(
    request: Request, studio: StudioDep, number: str, setting: str, ending: str
) -> Response:
    """A setting of a tune."""
    return await answer_file(
        request, studio, ending,
        lambda database, visitor: find_setting_source(
            database, number, setting, visitor.member, visitor.claim_hash,
            studio.config.public_address,
        ),
    )  # fmt: skip


@router.get("/books/{number}.{ending}")
async def download_book(request: Request, studio: StudioDep, number: str, ending: str) -> Response:
    """A tunebook."""
    return await answer_file(
        request, studio, ending,
        lambda database, visitor: find_book_source(
            database, number, visitor.member, studio.config.public_address
        ),
        is_book=True,
    )  # fmt: skip
