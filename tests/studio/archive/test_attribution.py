"""ABC with fields that say where it comes from; the rest as it was typed."""

from __future__ import annotations

import pytest

from sluice.studio.archive.archiving import archive_composition, write_abc
from sluice.studio.archive.attribution import write_attributed_abc
from sluice.studio.archive.database import Database
from sluice.studio.archive.settings import add_setting
from sluice.studio.archive.tables import Composition, Member
from sluice.studio.archive.tunes import add_tune
from sluice.tunes.notation.abc_file import split_blocks
from sluice.tunes.notation.transcription import transcribe

ABC = 'X:7\nT:The Long Road\nS:a field\nM:6/8\nK:G\n% as typed\n|:"G"GAB ~d2e|d2B A3:|'
ADDRESS = "https://tunes.example"


def test_of_a_composition(any_database: Database) -> None:
    with any_database.open_session(write=True) as session:
        composition = Composition(
            code="a2b3c4d5e6", model="f" * 64, options={}, seed=77, state="done", abc=ABC
        )
        session.add(composition)
        session.flush()
        tune = add_tune(session, title="", abc=ABC, author=None, composition=composition)
        lines = write_attributed_abc(tune, ADDRESS).splitlines()
        number, day = tune.id, f"{tune.created_at:%Y-%m-%d}"
    added = [line for line in lines if line not in ABC.splitlines()]
    assert added == [
        f"N:Added by someone without an account, {day}",
        f"S:composed by Sluice, model ffffffffffff, seed 77, {ADDRESS}/c/a2b3c4d5e6",
        f"F:{ADDRESS}/tunes/{number}",
    ]
    assert [line for line in lines if line not in added] == ABC.splitlines()
    read = transcribe(split_blocks("\n".join(lines), "")[0])
    assert ("S", "a field") in read.fields and ("F", added[2][2:]) in read.fields


def test_of_a_setting_by_a_member_with_signs_in_the_name(any_database: Database) -> None:
    with any_database.open_session(write=True) as session:
        member = Member(email="a@b.org", name="100% & \\'e", password="", role="keeper")
        session.add(member)
        session.flush()
        tune = add_tune(session, title="", abc=ABC, author=member)
        setting = add_setting(session, tune, member, ABC.replace("A3", "B3"))
        text = write_attributed_abc(tune, ADDRESS, setting)
        address = f"{ADDRESS}/tunes/{tune.id}#setting-1"
    fields = dict(transcribe(split_blocks(text, "")[0]).fields)
    assert fields["N"].startswith("Added by 100% & \\'e, ")
    assert fields["F"] == address


@pytest.mark.parametrize("abc", ["M:6/8\nK:G\nGAB|", "no tune at all", "X:1", "X:1\nT:K:\n"])
def test_where_fields_are_missing(any_database: Database, abc: str) -> None:
    with any_database.open_session(write=True) as session:
        tune = add_tune(session, title="A", abc=abc, author=None, keeps_unread=True)
        text = write_attributed_abc(tune, ADDRESS)
    assert text.startswith("X:1\n") and text.endswith("\n")
    kept = [line for line in text.splitlines() if line[:2] not in ("N:", "F:", "X:")]
    assert kept == [line for line in abc.splitlines() if line != "X:1"]


def test_our_own_lines_stand_once(any_database: Database) -> None:
    with any_database.open_session(write=True) as session:
        composition = Composition(
            code="a2b3c4d5e6", model="f" * 64, options={}, seed=77, state="done", abc=ABC,
            claim_hash="c",
        )  # fmt: skip
        session.add(composition)
        session.flush()
        downloaded = write_abc(composition, "The Long Road", ADDRESS)
        composition.abc = downloaded
        assert write_abc(composition, "The Long Road", ADDRESS) == downloaded
        tune = archive_composition(
            session, composition, title="The Long Road", author_name="", member=None,
            claim_hash="c",
        )  # fmt: skip
        session.flush()
        once = write_attributed_abc(tune, ADDRESS)
        tune.abc = once
        assert write_attributed_abc(tune, ADDRESS) == once
        page = f"{ADDRESS}/tunes/{tune.id}"
    assert [line for line in once.splitlines() if line[:2] in ("S:", "F:")] == [
        "S:a field",
        f"S:composed by Sluice, model ffffffffffff, seed 77, {ADDRESS}/c/a2b3c4d5e6",
        f"F:{page}",
    ]
    assert once.endswith(ABC[ABC.index("K:G") :] + "\n")


def test_fields_of_other_tunes_are_kept(any_database: Database) -> None:
    kept = [f"F:{ADDRESS}/c/zzzzzzzzzz", f"F:{ADDRESS}/tunes/12", "S:Sluice, model x, seed 7"]
    with any_database.open_session(write=True) as session:
        abc = ABC.replace("K:G", "\n".join([*kept, "K:G"]))
        tune = add_tune(session, title="", abc=abc, author=None)
        lines = write_attributed_abc(tune, ADDRESS).splitlines()
        assert tune.id == 1
    assert [line for line in lines if line in kept] == kept
