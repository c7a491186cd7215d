"""Properties of tunes in reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.report.domains import (
    find_domain_of_path,
    find_domain_of_vocabulary,
    get_domains,
)
from sluice.sequence import Vocabulary
from sluice.tunes.corpus.domain import TUNES, tune_properties

ABC = "X:1\nT:Up\nM:4/4\nL:1/8\nK:C\nCDEF GABc|c2B2 A2C2|C8|\n"


def test_properties_of_tunes() -> None:
    tune = tune_properties(["M:6/8 K:Cmaj |: ^c 2 :| d |".split()])
    assert tune["bars since the start"][0].tolist() == [0, 0, 1, 1, 1, 2, 2, 3]
    assert tune["after the first repeat sign"][0].tolist() == [0, 0, 0, 0, 0, 1, 1, 1]
    assert tune["pitch of the last note (MIDI)"][0].tolist()[3:] == [73, 73, 73, 74, 74]


def test_tunes_are_found_by_entry_point_suffix_and_vocabulary(tmp_path: Path) -> None:
    assert get_domains() == {"tunes": TUNES}
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "tune.ABC").write_text(ABC)
    assert find_domain_of_path(tmp_path) is find_domain_of_path(Path("a.abc")) is TUNES
    assert find_domain_of_path(Path("a.txt")) is None
    assert find_domain_of_vocabulary(Vocabulary(("M:4/4", "K:Cmaj", "c"))) is TUNES
    assert find_domain_of_vocabulary(Vocabulary(("a", "b"))) is None


def test_tunes_are_read_with_their_titles(tmp_path: Path) -> None:
    path = tmp_path / "tunes.abc"
    path.write_text(ABC + ABC.replace("T:Up", "T:").replace("C8", "E8").replace("X:1", "\nX:2"))
    first, second = TUNES.read(path, Vocabulary(("M:4/4", "K:Cmaj", "C")))
    assert (first.name, first.tokens[:4]) == ("Up", ("M:4/4", "K:Cmaj", "C", "D"))
    assert second.name == "X:2"


def test_tunes_are_read_as_the_model_spells_them(tmp_path: Path) -> None:
    path = tmp_path / "tunes.abc"
    path.write_text("X:1\nT:t\nR:Jig\nM:6/8\nL:1/8\nK:C\nc6|d6|e6:|\n")
    counts = Vocabulary(("R:jig", "M:6/8", "K:Cmaj", "c", "|{1}"))
    ((_, tokens),) = TUNES.read(path, counts)
    assert " ".join(tokens) == "R:jig M:6/8 K:Cmaj |:{3} c 6 |{2} d 6 |{1} e 6 :|{0}"
    assert TUNES.find_span_starts(tokens) == [0, 4, 7, 10, 13]
    assert TUNES.compute_statistics(tokens) == pytest.approx(
        {"exact_bars": 1.0, "on_tonic": 0.0, "unique_bars": 1.0, "long_endings": 1.0}
    )
    found = tune_properties([tokens])["after the first repeat sign"][0]
    assert found.tolist() == [0] * 12 + [1]


def test_statistics_of_generated_tokens() -> None:
    whole = "M:4/4 K:Cmaj C 8 | D 8 | D 8 | C 8 |".split()
    assert TUNES.compute_statistics(whole) == pytest.approx(
        {"exact_bars": 1.0, "on_tonic": 1.0, "unique_bars": 0.5, "long_endings": 1.0}
    )
    short = "M:4/4 K:Cmaj C 8 | D 4 | D 8 | E 8 |".split()
    assert TUNES.compute_statistics(short) == pytest.approx(
        {"exact_bars": 0.5, "on_tonic": 0.0, "unique_bars": 1.0, "long_endings": 1.0}
    )
    assert TUNES.compute_statistics(["C", "|"]) == {}
