"""What the API answers: shapes that stay the same within a version."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from sluice.studio.archive.tables.base import MAX_ID

_NO_NUL = r"^[^\x00]*$"  # which no database stores
ShortText = Annotated[str, StringConstraints(max_length=200, pattern=_NO_NUL)]
LongText = Annotated[str, StringConstraints(max_length=4000, pattern=_NO_NUL)]
Number = Annotated[int, Field(ge=1, le=MAX_ID)]
Files = Annotated[
    dict[str, str],
    Field(
        description="Addresses of files, by their ending.",
        examples=[{"abc": "/api/v1/tunes/7.abc", "mid": "/api/v1/tunes/7.mid"}],
    ),
]


class ApiProblem(BaseModel):
    """Why a request was refused."""

    problem: str = Field(
        description="One sentence.", examples=["There is no tune with this number."]
    )
    field: str = Field(description="The field that it is about, or nothing.", examples=[""])


class PersonAnswer(BaseModel):
    """A member, or somebody who only left a name."""

    id: int | None = Field(description="Of the member; null for others.", examples=[3])
    name: str = Field(examples=["Una"])


class SettingAnswer(BaseModel):
    """A version of a tune, as somebody plays it."""

    number: int = Field(description="From 1 within its tune.", examples=[1])
    title: str
    author: PersonAnswer | None
    abc: str = Field(examples=["X:1\nT:The Copper Bellows\nM:2/2\nK:D\n…"])
    created_at: datetime
    files: Files


class NoteAnswer(BaseModel):
    """A remark on where a tune comes from."""

    text: str
    url: str
    author: PersonAnswer | None


class TuneSummary(BaseModel):
    """A tune, as lists have it."""

    id: int = Field(examples=[7])
    title: str = Field(examples=["The Copper Bellows"])
    abc: str = Field(description="As its author typed it.")
    dance: str = Field(examples=["reel"])
    meter: str = Field(examples=["2/2"])
    tonic: str = Field(examples=["D"])
    mode: str = Field(examples=["maj"])
    author: PersonAnswer | None
    composition: str | None = Field(
        description="The code of the composition that it comes from.", examples=["k3v7q2xw5e"]
    )
    num_settings: int
    num_recordings: int
    num_books: int
    created_at: datetime
    address: str = Field(description="Of its page.", examples=["/tunes/7"])
    files: Files


class TuneAnswer(TuneSummary):
    """A tune with all that belongs to it."""

    settings: list[SettingAnswer]
    notes: list[NoteAnswer]


class TunePage(BaseModel):
    """Some of the tunes that match."""

    count: int = Field(description="Of all pages.")
    is_cut: bool = Field(description="Whether more match than a search counts.")
    page: int
    num_pages: int
    next: str | None = Field(description="The address of the next page.")
    tunes: list[TuneSummary]


class RecordingAnswer(BaseModel):
    """A performance: an upload, or a link to a known host."""

    id: int
    title: str
    text: str = Field(description="In Markdown.")
    kind: Literal["upload", "link"]
    recorded_on: date | None
    author: PersonAnswer | None
    host: str = Field(description="Of a link.", examples=["youtube"])
    host_id: str = Field(description="The recording's name on that host.")
    media: str | None = Field(description="The address of an uploaded file.")
    seconds: float | None
    tunes: list[int] = Field(description="Numbers of the tunes that are played.")
    created_at: datetime
    address: str


class RecordingPage(BaseModel):
    """Recordings, the newest first."""

    next: str | None = Field(description="The address of the older ones.")
    recordings: list[RecordingAnswer]


class BookEntryAnswer(BaseModel):
    """A tune in a book."""

    tune: int
    setting: int | None = Field(description="The number of the setting, null for the tune itself.")
    title: str
    set: str = Field(description="The name of the set it is played in.")


class BookSummary(BaseModel):
    """A public tunebook."""

    id: int
    name: str
    text: str
    owner: PersonAnswer
    num_entries: int
    address: str
    files: Files


class BookAnswer(BookSummary):
    """A tunebook with its entries, in order."""

    entries: list[BookEntryAnswer]


class BookPage(BaseModel):
    """Tunebooks, the newest first."""

    next: str | None = Field(description="The address of the older ones.")
    books: list[BookSummary]


class ModelAnswer(BaseModel):
    """A model that composes."""

    fingerprint: str = Field(description="Of its file and of how it composes.")
    name: str
    card: str = Field(description="What it was trained on, in Markdown.")
    dances: list[str]
    meters: list[str]
    modes: list[str]
    keys: list[str]
    defaults: dict[str, Any]


class DatasetFile(BaseModel):
    """A file with all public content of a kind."""

    name: str = Field(examples=["tunes.csv"])
    address: str = Field(examples=["/data/tunes.csv"])
    media_type: str
    size: int = Field(description="In bytes.")
    sha256: str
    created_at: datetime


class DatasetAnswer(BaseModel):
    """The data sets of the last night."""

    licence: str
    files: list[DatasetFile]


class CompositionRequest(BaseModel):
    """What a tune shall be like; what is left out is the model's choice."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["compose", "continue", "fill", "vary"] = "compose"
    model: ShortText = Field("", description="A model's fingerprint; the first one if empty.")
    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = Field(
        None, description="The same seed and options give the same tune; drawn if left out."
    )
    temperature: float = Field(0.9, ge=0.01, le=10, description="Lower is safer.")
    dance: ShortText | None = Field(None, examples=["jig"])
    meter: ShortText | None = Field(None, examples=["6/8"])
    key: ShortText | None = Field(None, examples=["D"])
    mode: ShortText | None = Field(None, examples=["dor"])
    start: LongText | None = Field(
        None, description="The first notes in ABC; * is any note.", examples=["|:A2B c*"]
    )
    form: bool = Field(True, description="Whether it has sections of eight bars.")
    chords: bool = Field(False, description="Whether it has chord symbols.")
    title: ShortText | None = None
    source: ShortText | None = Field(
        None, description="For the other kinds: the code of the composition to work on."
    )
    bars: Annotated[list[Annotated[int, Field(ge=1, le=10_000)]], Field(max_length=256)] = Field(
        default_factory=list, description="The bars to fill or vary, or behind which to continue."
    )
    strength: float = Field(0.3, ge=0.01, le=1, description="The share of the bars that vary.")


class CompositionAnswer(BaseModel):
    """A tune that is being composed or was."""

    code: str = Field(examples=["k3v7q2xw5e"])
    state: Literal["waiting", "running", "done", "failed"]
    problem: str = Field(description="Why it failed.")
    kind: str
    model: str
    seed: str = Field(description="In digits: it may be larger than scripts can count.")
    options: dict[str, Any]
    title: str
    abc: str = Field(description="Empty until it is done.")
    tokens: list[str] | None
    parent: str | None = Field(description="The code of the tune that it was made from.")
    created_at: datetime
    address: str = Field(description="Of its page.", examples=["/c/k3v7q2xw5e"])
    stream: str = Field(description="Its events, as they happen (text/event-stream).")
    files: Files
