import io
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from rich.console import Console

from sluice.sequence import DataError, Tokens, Vocabulary, load_data, show_load_progress
from sluice.sequence.data import formats
from sluice.sequence.data.ragged import RaggedArray
from sluice.sequence.data.report import LoadProgress, LoadReport, SkippedItem


def read_bits(files: list[Path], *, base: int = 2) -> Tokens:
    return Tokens(Vocabulary(("0", "1")), RaggedArray.of([[3, 4]] * base))


BITS = formats.Format("bits", (".bits",), lambda head: head.startswith(b"BITS"), read_bits)


@pytest.fixture
def _register_user_format(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    entry = EntryPoint("bits", f"{__name__}:BITS", formats.ENTRY_POINT_GROUP)
    monkeypatch.setattr(EntryPoint, "load", lambda self: BITS)
    monkeypatch.setattr(formats, "entry_points", lambda group: [entry])
    formats.get_formats.cache_clear()
    yield
    formats.get_formats.cache_clear()


@pytest.mark.usefixtures("_register_user_format")
def test_a_users_format(tmp_path: Path) -> None:
    (tmp_path / "a.bits").touch()
    (tmp_path / "b.other").write_bytes(b"BITS\0")
    assert len(load_data(tmp_path, base=3)) == 3
    with pytest.raises(DataError, match="bits has no option unit=; its options are base="):
        load_data(tmp_path / "a.bits", unit="words")


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("none", None, {}, "There is no file or folder"),
        ("a.bin", b"\x01\x02\0", {}, "must be of a known kind, one of"),
        ("a.bin", b"\x7fELF\0", {}, "is no text but a program"),
        ("a.txt", b"\0", {}, "is not text: line 1"),
        ("a.xyz", b"", {}, "is empty"),
        ("a.txt", b"abc", {"kind": "film"}, "kind= must be one of .*got 'film'"),
        ("a.txt", b"abc", {"target": "x"}, "text has no option target="),
    ],
)
def test_invalid_files_are_refused(
    tmp_path: Path, name: str, content: bytes | None, options: dict[str, str], message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=message):
        load_data(tmp_path / name, **options)  # type: ignore[arg-type]


def test_folders(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds no file"):
        load_data(tmp_path)
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.txt").write_text("abc")
    (tmp_path / ".hidden").write_bytes(b"\0")
    assert len(load_data(tmp_path)) == 1
    (tmp_path / "b.csv").write_text("v\n1\n")
    with pytest.raises(DataError, match=r"1 of csv \(b.csv\), 1 of text \(a.txt\); choose"):
        load_data(tmp_path)
    assert "abc" not in load_data(tmp_path, kind="csv").report()
    assert "a.txt: text" in load_data(tmp_path, kind="text").report()
    (tmp_path / "c.png").write_bytes(b"\x89PNG\0")
    with pytest.raises(DataError, match=r"1 of unknown \(c.png\)"):
        load_data(tmp_path)


def test_unknown_suffixes_are_read_as_text(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("abc")
    assert "a.log: text in UTF-8" in load_data(tmp_path / "a.log").report()


def test_a_long_report_is_shortened() -> None:
    refused = tuple(SkippedItem("a.csv", line, "no number") for line in range(2, 32))
    lines = LoadReport("a.csv: CSV.", ("Inputs: a.",), refused).to_text().splitlines()
    assert lines[:4] == ["a.csv: CSV.", "Inputs: a.", "30 skipped:", "  a.csv:2: no number"]
    assert lines[-1] == "  and 10 more" and len(lines) == 24


def test_the_progress_bar_shows_the_share_read() -> None:
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=80)
    with show_load_progress(console) as show:
        show(LoadProgress("encoding", 500, 1000))
    assert "encoding" in output.getvalue() and "0.5/1.0 kB" in output.getvalue()
