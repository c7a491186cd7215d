"""Search by words and by notes, on both databases."""

from __future__ import annotations

import random
from itertools import groupby

import pytest
from sqlalchemy import select, update

from sampling import thin_out
from sluice.studio.archive.contours import MAX_WANTED
from sluice.studio.archive.database import Database
from sluice.studio.archive.notes import add_note
from sluice.studio.archive.search import MAX_FOUND, TuneQuery, find_tunes
from sluice.studio.archive.search_index import rebuild_index, update_index
from sluice.studio.archive.settings import add_setting, delete_setting
from sluice.studio.archive.tables import ArchiveTune, Member, Setting, TuneText
from sluice.studio.archive.tunes import add_tune, change_tune, delete_tune
from sluice.studio.errors import StudioError

HEAD = "X:1\nT:{title}\nR:jig\nM:6/8\nL:1/8\nK:{key}\n"
ROAD = '|:"G"G>A{c}B [Gd]2!trill!d|~e2d ^c2B|(3ABA GG,E|D6:|'
LETTERS = "CDEFGAB"


def add(database: Database, title: str, body: str, key: str = "G") -> int:
    with database.open_session(write=True) as session:
        abc = HEAD.format(title=title, key=key) + body
        return add_tune(session, title="", abc=abc, author=None).id


def find(database: Database, **query: str) -> list[str]:
    with database.open_session() as session:
        return [item.tune.title for item in find_tunes(session, TuneQuery(**query)).tunes]  # type: ignore[arg-type]


def test_words_of_title_author_notes_and_dance_are_found(any_database: Database) -> None:
    with any_database.open_session(write=True) as session:
        member = Member(email="a@b.org", name="Séamus Ó Catháin", password="", role="keeper")
        session.add(member)
        session.flush()
        abc = HEAD.format(title="O'Carolan's Cup", key="G").replace("R:", "C:Túrlough\nR:") + ROAD
        tune = add_tune(session, title="", abc=abc, author=member)
        add_note(session, tune, member, "Learnt in Ennistymon")
    found = ["O'Carolan's Cup"]
    for words in ("cup", "CUP", "ocarolan", "carolan", "o’carolans cup", "seamus", "SÉAMUS cathain",
                  "turlough", "ennis", "cup ennistymon", "jig", "  cup  "):  # fmt: skip
        assert find(any_database, words=words) == found, words
    for words in ("saucer", "cup saucer", "arolan", "up"):
        assert find(any_database, words=words) == [], words


def test_the_index_follows_every_change(any_database: Database) -> None:
    number = add(any_database, "First", ROAD)
    with any_database.open_session(write=True) as session:
        member = Member(email="a@b.org", name="Nell", password="", role="keeper")
        session.add(member)
        session.flush()
        tune = session.get_one(ArchiveTune, number)
        change_tune(session, tune, title="Second", abc=tune.abc)
        setting = add_setting(session, tune, member, HEAD.format(title="x", key="G") + "BEBEBE|")
        tune.author_id = member.id
    assert find(any_database, words="first") == [] and find(any_database, words="second")
    assert find(any_database, notes="BEBE") == ["Second"]
    assert find(any_database, words="nell") == ["Second"]
    with any_database.open_session(write=True) as session:
        session.get_one(Member, member.id).name = "Rose"
        kept = session.get_one(Setting, setting.id)
        kept.visibility = "hidden"
    assert find(any_database, words="nell") == [] and find(any_database, words="rose")
    assert find(any_database, notes="BEBE") == []
    with any_database.open_session(write=True) as session:
        assert session.get_one(ArchiveTune, number).num_settings == 0
        session.get_one(Setting, setting.id).visibility = "public"
    with any_database.open_session(write=True) as session:
        assert session.get_one(ArchiveTune, number).num_settings == 1
        delete_setting(session, session.get_one(Setting, setting.id))
    assert find(any_database, notes="BEBE") == []
    with any_database.open_session(write=True) as session:
        delete_tune(session, session.get_one(ArchiveTune, number), member)
    assert find(any_database, words="second") == []
    with any_database.open_session() as session:
        assert session.scalars(select(TuneText)).all() == []


def test_the_index_is_rebuilt_from_the_tunes(any_database: Database) -> None:
    number = add(any_database, "First", ROAD)
    with any_database.open_session(write=True) as session:
        session.execute(update(ArchiveTune).values(title="Second"))
    assert find(any_database, words="second") == []
    with any_database.open_session(write=True) as session:
        update_index(session.connection(), [number, 999])
    assert find(any_database, words="second") == ["Second"]
    with any_database.open_session(write=True) as session:
        session.connection().exec_driver_sql("DELETE FROM tune_text")
    assert find(any_database, words="second") == []
    with any_database.open_session(write=True) as session:
        assert rebuild_index(session.connection()) == 1
    assert find(any_database, words="second") == ["Second"]


@pytest.mark.parametrize("notes", thin_out([
        "GABd", "gabd", "G,A'Bd", "G2 A/ B3/2 | d", "G G A A A B d", "CDEG", "DEFA", "_B c d f",
        "1235", "1 2 3 5", "1-2-3-5", "GAB[Gd]edc", "GA{c}B!trill!d", '"G"GA"D"Bd', "(GAB d)",
        "GABdedcBABAGE", "BdedcBABAGED", "GED", "GEDGABd",
    ], 5))  # fmt: skip
def test_notes_are_found_in_any_key(any_database: Database, notes: str) -> None:
    add(any_database, "The Road", ROAD)
    add(any_database, "Other", "|:GBdg dBGB|")
    if notes == "GED":
        with pytest.raises(StudioError, match="at least 4 notes"):
            find(any_database, notes=notes)
        return
    assert find(any_database, notes=notes) == ["The Road"]


@pytest.mark.parametrize("notes", thin_out(["GABc", "2346", "6712", "GABdd'e f", "GABdf"], 3))
def test_other_notes_are_not_found(any_database: Database, notes: str) -> None:
    add(any_database, "The Road", ROAD)
    assert find(any_database, notes=notes) == []


def test_notes_at_the_start_and_in_the_key_come_first(any_database: Database) -> None:
    add(any_database, "Start in D", "DEFA FEDE|D6|", "D")
    add(any_database, "Start in G", "GABd BAGA|G6|", "G")
    add(any_database, "Within in G", "dBGA Bd2|G6|GABd|", "G")
    with any_database.open_session(write=True) as session:
        member = Member(email="a@b.org", name="Nell", password="", role="keeper")
        session.add(member)
        session.flush()
        abc = HEAD.format(title="", key="G")
        tune = add_tune(session, title="In a setting", abc=abc + "dcdc|", author=member)
        add_setting(session, tune, member, abc + "fefe|")
        add_setting(session, tune, member, abc + "GABd|")
        found = find_tunes(session, TuneQuery(notes="GABd")).tunes
    titles = [item.tune.title for item in found]
    assert titles == ["Start in G", "In a setting", "Start in D", "Within in G"]
    assert [item.setting for item in found] == [None, 2, None, None]


def test_words_and_notes_together_and_titles_first(any_database: Database) -> None:
    add(any_database, "Reel of the road", ROAD)
    add(any_database, "Road", "cdef|")
    add(any_database, "The Road to the road house", "cdef|")
    assert find(any_database, words="road") == [
        "Road", "The Road to the road house", "Reel of the road",
    ]  # fmt: skip
    assert find(any_database, words="road", notes="GABd") == ["Reel of the road"]
    assert find(any_database, words="house", notes="GABd") == []
    assert find(any_database, words="road", sort="title") == [
        "Reel of the road", "Road", "The Road to the road house",
    ]  # fmt: skip


def test_random_melodies_against_a_plain_search(any_database: Database) -> None:
    drawn = random.Random(5)
    melodies = {}
    with any_database.open_session(write=True) as session:
        for number in range(60):
            notes = [drawn.choice(LETTERS) for _ in range(drawn.choice([4, 5, 6, 7, 30]))]
            abc = HEAD.format(title=f"T{number}", key=drawn.choice("CDGA")) + "".join(notes) + "|"
            add_tune(session, title="", abc=abc, author=None)
            melodies[f"T{number}"] = [letter for letter, _same in groupby(notes)]

    def hold(melody: list[str], wanted: list[int]) -> bool:
        steps = [LETTERS.index(letter) for letter in melody]
        return any(
            {(a - b) % 7 for a, b in zip(steps[at:], wanted, strict=False)} == {shift}
            for shift in range(7)
            for at in range(len(steps) - len(wanted) + 1)
        )

    num_hits = 0
    for _ in range(60):
        length = drawn.choice([4, 5, 6, 7, 9, 12])
        source = drawn.choice([melody for melody in melodies.values() if len(melody) >= length])
        start = drawn.randrange(len(source) - length + 1)
        shift = drawn.randrange(7)
        wanted = [(LETTERS.index(n) + shift) % 7 for n in source[start : start + length]]
        expected = {title for title, melody in melodies.items() if hold(melody, wanted)}
        with any_database.open_session() as session:
            query = TuneQuery(notes="".join(LETTERS[step] for step in wanted))
            found, page = set(), 1
            while titles := {i.tune.title for i in find_tunes(session, query, page).tunes}:
                found |= titles
                page += 1
        assert found == expected
        num_hits += len(found)
    assert num_hits > 60


def test_more_than_can_be_ranked_is_said(any_database: Database) -> None:
    with any_database.open_session(write=True) as session:
        session.add_all(
            ArchiveTune(title=f"Tune {n}", abc="", contour="12345671") for n in range(MAX_FOUND + 5)
        )
        session.add(ArchiveTune(title="Tune", abc="", contour="12345671"))
    for query in (TuneQuery(words="tune"), TuneQuery(notes="CDEF"), TuneQuery(notes="1234567")):
        with any_database.open_session() as session:
            found = find_tunes(session, query)
        assert found.is_cut and found.count == MAX_FOUND
    assert find(any_database, words="tune")[0] == "Tune"


def test_long_melodies_are_cut(any_database: Database) -> None:
    add(any_database, "Long", "".join(LETTERS[n * n % 7] for n in range(200)) + "|")
    assert find(any_database, notes="CDGEED" * 20) == []
    melody = "".join(LETTERS[n * n % 7] for n in range(2 * MAX_WANTED))
    assert find(any_database, notes=melody) == ["Long"]
