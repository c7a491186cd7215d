"""Recordings, tunebooks and data sets, for programs."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query, Request, Response

from sluice.studio.api.answers import (
    describe_book,
    describe_recording,
    summarise_book,
)
from sluice.studio.api.files import FILE_RESPONSES, BookEnding
from sluice.studio.api.routing import create_router
from sluice.studio.api.schemas import (
    BookAnswer,
    BookPage,
    DatasetAnswer,
    DatasetFile,
    Number,
    RecordingAnswer,
    RecordingPage,
)
from sluice.studio.archive.books import find_book
from sluice.studio.archive.public_lists import list_public_books
from sluice.studio.archive.recordings import find_recording, list_recordings
from sluice.studio.archive.tunes import get_tune
from sluice.studio.exports.datasets import list_datasets
from sluice.studio.exports.sources import find_book_source
from sluice.studio.web.context import DatabaseDep, StudioDep
from sluice.studio.web.files import answer_file

recordings = create_router("Recordings")
books = create_router("Tunebooks")
dataset = create_router("Data sets")

_PER_PAGE = 30
Before = Annotated[Number | None, Query(description="Only those with a smaller number.")]
RecordingNumber = Annotated[Number, Path(description="The number of the recording.")]
BookNumber = Annotated[Number, Path(description="The number of the book.")]


@recordings.get("/recordings")
def list_all_recordings(
    database: DatabaseDep,
    tune: Annotated[Number | None, Query(description="Only those of this tune.")] = None,
    before: Before = None,
) -> RecordingPage:
    """Recordings, the newest first."""
    of = None if tune is None else get_tune(database, tune)
    found = list_recordings(database, None, tune=of, before=before, limit=_PER_PAGE + 1)
    shown, address = found[:_PER_PAGE], "/api/v1/recordings?"
    address += "" if tune is None else f"tune={tune}&"
    return RecordingPage(
        next=f"{address}before={shown[-1].id}" if len(found) > _PER_PAGE else None,
        recordings=[describe_recording(one) for one in shown],
    )


@recordings.get("/recordings/{recording}")
def read_recording(database: DatabaseDep, recording: RecordingNumber) -> RecordingAnswer:
    """A recording."""
    return describe_recording(find_recording(database, recording, None))


@books.get("/books")
def list_books(database: DatabaseDep, before: Before = None) -> BookPage:
    """Public tunebooks, the newest first."""
    found = list_public_books(database, before, _PER_PAGE + 1)
    shown = found[:_PER_PAGE]
    return BookPage(
        next=f"/api/v1/books?before={shown[-1].id}" if len(found) > _PER_PAGE else None,
        books=[summarise_book(one) for one in shown],
    )


@books.get("/books/{book}.{ending}", responses=FILE_RESPONSES, response_class=Response)
async def get_book_file(
    request: Request, studio: StudioDep, book: BookNumber, ending: BookEnding
) -> Response:
    """A tunebook as a file."""
    return await answer_file(
        request, studio, ending,
        lambda database, _: find_book_source(
            database, str(book), None, studio.config.public_address
        ),
        is_book=True,
    )  # fmt: skip


@books.get("/books/{book}")
def read_book(database: DatabaseDep, book: BookNumber) -> BookAnswer:
    """A tunebook with its entries, in order."""
    return describe_book(find_book(database, book, None))


@dataset.get("/dataset")
def read_dataset(studio: StudioDep) -> DatasetAnswer:
    """The data sets of the last night, with their addresses."""
    return DatasetAnswer(
        licence=studio.config.licence,
        files=[
            DatasetFile(
                name=one.name, address=f"/data/{one.name}", media_type=one.media_type,
                size=one.size, sha256=one.sha256, created_at=one.created_at,
            )
            for one in list_datasets(studio.config.folder)
        ],
    )  # fmt: skip
