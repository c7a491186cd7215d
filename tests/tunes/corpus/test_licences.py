from pathlib import Path

from sluice.tunes.corpus import collections, licences

TUNE = "X:{}\nT:{}\nZ:{}\nM:4/4\nL:1/8\nK:C\n{}|\n\n"


def test_tunes_of_unclear_licence_are_dropped_and_reported(tmp_path: Path) -> None:
    (tmp_path / "airdsAirs").mkdir()
    (tmp_path / "airdsAirs" / "book1.abc").write_text(TUNE.format(1, "Sold", "Someone", "CDEF"))
    mixed = TUNE.format(1, "Reserved", "transcribed by henrik.NORBECK@somewhere", "GABc")
    mixed += TUNE.format(2, "Given", "Ray Davies", "cBAG")
    (tmp_path / "other.abc").write_text(mixed)
    read = collections.load_collections([tmp_path], exclude=licences.find_exclusion_reason)
    assert [tune.title for tune in read.tunes] == ["Given"]
    assert {dropped.title: dropped.line for dropped in read.skipped_tunes} == {
        "Sold": 1,
        "Reserved": 1,
    }
    assert all("encoder sold" in d.reason or "reserves" in d.reason for d in read.skipped_tunes)
    assert len(collections.load_collections([tmp_path]).tunes) == 3


def test_the_quotation_is_music21s_own() -> None:
    folder = collections._list_collection_files()[0].parents[1]
    licence = " ".join((folder / "license.txt").read_text().split())
    assert licences.MUSIC21 in licence
