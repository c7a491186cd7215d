import importlib
import importlib.util
from pathlib import Path

import mido
import pytest

from sluice.extras import MissingExtraError
from sluice.tunes import output
from sluice.tunes.errors import TuneError
from sluice.tunes.notation import tune_files
from sluice.tunes.tune import Tune


def tune(title: str) -> Tune:
    return Tune(tuple("M:2/4 K:Cmaj c 2 e 2 | g 4 |".split()), title=title, tonic="D")


def test_files_are_named_by_title(tmp_path: Path) -> None:
    written = output.write_tunes(
        [tune("Hare's Foot"), tune("Hare's Foot")], tmp_path, ["abc", "mid"]
    )
    assert sorted(written) == sorted(tmp_path.iterdir())
    assert [file.name for file in written] == [
        "hares-foot.abc",
        "hares-foot.mid",
        "hares-foot-2.mid",
    ]
    assert [block.title for block in tune_files.read_file(written[0]).blocks] == [
        "Hare's Foot",
        "Hare's Foot",
    ]
    assert mido.MidiFile(written[1]).length > 0


def test_every_format_has_its_magic_bytes(tmp_path: Path) -> None:
    written = output.write_tunes([tune("a")], tmp_path, output.FORMATS)
    heads = {file.suffix: file.read_bytes()[:4] for file in written}
    assert heads == {
        ".abc": b"X:1\n", ".mid": b"MThd", ".svg": b"<svg", ".pdf": b"%PDF", ".wav": b"RIFF",
        ".ogg": b"OggS",
    }  # fmt: skip


@pytest.mark.parametrize("formats", [["pdf", "mp3"], []])
def test_unknown_formats_are_refused(formats: list[str], tmp_path: Path) -> None:
    with pytest.raises(TuneError, match="formats are abc, mid, svg, pdf, wav, ogg"):
        output.write_tunes([tune("a")], tmp_path / "out", formats)
    assert not (tmp_path / "out").exists()


def test_without_its_libraries_the_rest_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "verovio" else find(name)
    )
    able, reasons = output.list_default_formats()
    assert able == ["abc", "mid", "wav"]
    assert all("verovio" in reason and "sluice-rnn[tunes]" in reason for reason in reasons)
    with pytest.raises(MissingExtraError, match="verovio"):
        output.check_formats(["svg"])


def test_a_system_without_cairo(monkeypatch: pytest.MonkeyPatch) -> None:
    load = importlib.import_module

    def without(name: str) -> object:
        if name == "cairosvg":
            raise OSError("no library called cairo")
        return load(name)

    monkeypatch.setattr(importlib, "import_module", without)
    able, (reason,) = output.list_default_formats()
    assert "pdf" not in able
    assert "libcairo2" in reason
