"""A site with some of everything: members, tunes, settings, recordings, events, books, a month."""

from __future__ import annotations

from datetime import date, timedelta
from typing import NamedTuple

from sluice.studio.accounts.sessions import start_session
from sluice.studio.archive.books import add_entry, create_book
from sluice.studio.archive.comments import add_comment
from sluice.studio.archive.database import Database
from sluice.studio.archive.events import EventDetails, add_event
from sluice.studio.archive.month import nominate_tune, vote
from sluice.studio.archive.notes import add_note
from sluice.studio.archive.recordings import RecordingDetails, add_recording
from sluice.studio.archive.settings import add_setting
from sluice.studio.archive.tables import Member, Month
from sluice.studio.archive.tables.base import get_now
from sluice.studio.archive.tunes import add_tune
from studio.conftest import add_member

KESH = """X:1
T:The Kesh
R:jig
M:6/8
L:1/8
K:Gmaj
|:GAG GAB|ABA ABd|edd gdd|edB dBA|
GAG GAB|ABA ABd|edd gdB|AGF G3:|
|:BAB dBd|ege dBG|BAB dBG|ABA AGA|
BAB dBd|ege dBd|gfg aga|bgg g3:|
"""
BUTTERFLY = """X:1
T:A Butterfly of Sorts
R:slip jig
M:9/8
L:1/8
K:Emin
|:B2E G2E F3|B2E G2E FED|B2E G2E F3|B2d d2B AFD:|
"""


class SampleSite(NamedTuple):
    """The tokens of two browsers, one in which a member is logged in, one of a keeper."""

    member: str
    keeper: str


def add_sample_site(database: Database) -> SampleSite:
    """Fill an empty studio, with its own functions."""
    names = ["Niamh Ní Bhriain", "Séamus", "Keeper"]
    ids = [
        add_member(database, name, num_approved=3, email=f"{number}@example.org",
                   role="keeper" if name == "Keeper" else "member")
        for number, name in enumerate(names)
    ]  # fmt: skip
    with database.open_session(write=True) as session:
        niamh, seamus, keeper = (session.get_one(Member, number) for number in ids)
        niamh.about = "Plays the *fiddle* in Ennis."
        kesh = add_tune(session, title="The Kesh", abc=KESH, author=niamh)
        long = "The Long and Winding Title of a Tune That Does Not Fit on One Line of a Telephone"
        butterfly = add_tune(session, title=long, abc=BUTTERFLY, author=None, author_name="Ann")
        butterfly.visibility = "public"
        setting = add_setting(session, kesh, seamus, KESH.replace("GAG GAB", "G3 GAB"), "Clare")
        add_note(session, kesh, niamh, "Learnt at a session.", "https://example.org/kesh")
        add_comment(session, "tune", kesh.id, seamus, "Lovely with **rolls**.")
        event = add_event(
            session,
            seamus,
            EventDetails(
                "Session of machine folk", "Bring your fiddle.", "Queen Mary, London",
                get_now() + timedelta(days=9), None, "Europe/London", [kesh],
            ),
        )  # fmt: skip
        details = RecordingDetails("The Kesh, twice", "At home.", date(2026, 3, 1), event, [kesh])
        recording = add_recording(session, niamh, details, host="youtube", host_id="dQw4w9WgXcQ")
        add_comment(session, "recording", recording.id, niamh, "The second time is faster.")
        book = create_book(session, niamh, "Monday's tunes", "For the session.")
        add_entry(session, book, kesh)
        add_entry(session, book, kesh, setting)
        add_entry(session, book, butterfly)
        today = get_now().date()
        month = Month(
            name="December", tune_vote_until=today + timedelta(days=5),
            recordings_until=today + timedelta(days=15),
            recording_vote_until=today + timedelta(days=25),
        )  # fmt: skip
        session.add(month)
        session.flush()
        nominate_tune(session, month, niamh, kesh, get_now())
        vote(session, month, seamus, month.entries[0], get_now())
        newcomer = Member(email="new@example.org", name="Newcomer", password="hash of nothing")
        session.add(newcomer)
        session.flush()
        abc = KESH.replace("T:The Kesh", "T:Mine")
        add_tune(session, title="Not yet seen", abc=abc, author=newcomer)
        return SampleSite(start_session(session, niamh), start_session(session, keeper))
