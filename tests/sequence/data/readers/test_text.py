import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from sluice.extras import MissingExtraError
from sluice.sequence import DataError, StreamBatches, UnknownTokenError, Vocabulary
from sluice.sequence.data.readers.text import read_text
from sluice.sequence.data.report import LoadProgress

POEM = "Tyger Tyger, burning bright,\nIn the forests of the night;\n\nWhat immortal hand — or eye\n"


@pytest.fixture
def poem(tmp_path: Path) -> Path:
    path = tmp_path / "poem.txt"
    path.write_text(POEM * 3)
    return path


@pytest.fixture(params=[None, 7])
def _set_chunk_size(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        for module in ("encodings", "text"):
            monkeypatch.setattr(f"sluice.sequence.data.readers.{module}.CHUNK_SIZE", request.param)


@pytest.mark.usefixtures("_set_chunk_size")
@pytest.mark.parametrize("cached", [False, True])
def test_characters(poem: Path, tmp_path: Path, cached: bool) -> None:
    tokens = read_text([poem], cache=tmp_path / "kept" if cached else None)
    assert tokens.vocabulary.tokens == tuple(sorted(set(POEM)))
    assert tokens.vocabulary.decode_text(tokens.ids[0].tolist()) == POEM * 3
    assert tokens.vocabulary.encode_text("Tyger") == tokens.ids[0][:5].tolist()
    assert tokens.ids.flat.dtype == np.uint8
    assert isinstance(tokens.ids.flat, np.memmap) is cached
    lines = read_text([poem], per="line", cache=tmp_path / "kept" if cached else None)
    spelt = [lines.vocabulary.decode_text(ids.tolist()) for ids in lines.ids]
    assert spelt == [line for line in (POEM * 3).split("\n") if line]
    assert "\n" not in lines.vocabulary


def test_many_kinds_of_characters_need_a_larger_type(tmp_path: Path) -> None:
    text = "".join(map(chr, range(0x4E00, 0x4E00 + 300))) + "\U0001f3b5"
    (tmp_path / "a.txt").write_text(text)
    tokens = read_text([tmp_path / "a.txt"])
    assert tokens.ids.flat.dtype == np.uint16
    assert tokens.vocabulary.decode_text(tokens.ids[0].tolist()) == text


@pytest.mark.usefixtures("_set_chunk_size")
def test_words_and_subwords(poem: Path) -> None:
    words = read_text([poem], unit="words")
    decoded = words.vocabulary.decode(words.ids[0].tolist())
    assert decoded[:6] == ["Tyger", "Tyger", ",", "burning", "bright", ","]
    assert decoded.count("\n") == 3 * POEM.count("\n") and "[UNK]" not in decoded
    with pytest.raises(UnknownTokenError, match="'lamb' is not among the 18"):
        words.vocabulary.encode_text("Tyger lamb")
    assert words.vocabulary.encode_text("Tyger lamb", allow_unknown=True) == [
        words.vocabulary.encode(["Tyger"])[0],
        words.vocabulary.encode(["[UNK]"])[0],
    ]
    subwords = read_text([poem], unit="subwords", vocabulary_size=280)
    assert len(subwords.vocabulary.tokens) == 280
    assert subwords.vocabulary.decode_text(subwords.ids[0].tolist()) == POEM * 3
    lines = read_text([poem], unit="subwords", per="line")
    assert [lines.vocabulary.decode_text(ids.tolist()) for ids in lines.ids] == [
        line for line in (POEM * 3).split("\n") if line
    ]
    restored = Vocabulary.from_json(lines.vocabulary.to_json())
    assert restored == lines.vocabulary
    assert restored.encode_text("night") == lines.vocabulary.encode_text("night")


def test_a_trained_tokenizer(poem: Path, tmp_path: Path) -> None:
    tokenizer = Tokenizer(models.WordLevel({"?": 0, "the": 1, "of": 2}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(tmp_path / "own.json"))
    tokens = read_text([poem], tokenizer=tmp_path / "own.json")
    assert tokens.vocabulary.tokens == ("?", "the", "of")
    expected_ids = tokenizer.encode(POEM * 3).ids
    assert (tokens.ids[0] - 3).tolist() == expected_ids
    with pytest.raises(DataError, match=r"poem\.txt is not a file of the library tokenizers"):
        read_text([poem], tokenizer=poem)
    with pytest.raises(DataError, match="Cannot read"):
        read_text([poem], tokenizer=tmp_path / "none.json")


def test_without_tokenizers(poem: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(MissingExtraError, match=r"tokenizers.*sluice-rnn\[data\]"):
        read_text([poem], unit="words")


def test_several_files_and_the_skipped_ones(poem: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    (tmp_path / "binary.txt").write_bytes(b"ab\n\0")
    files = [poem, tmp_path / "empty.txt", tmp_path / "binary.txt"]
    tokens = read_text(files)
    assert len(tokens) == 1
    assert [Path(one.source).name for one in tokens.skipped_items] == ["empty.txt", "binary.txt"]
    assert "line 2 has a control character" in tokens.report()
    with pytest.raises(DataError, match="None of 2 files"):
        read_text(files[1:])


def test_files_named_after_parts_are_a_split(tmp_path: Path) -> None:
    for name, text in (("train", "ab\nba\nb"), ("valid", "a\n")):
        (tmp_path / f"{name}.txt").write_text(text)
    files = [tmp_path / "train.txt", tmp_path / "valid.txt"]
    split = read_text(files, per="line").split()
    assert [len(split.train), len(split.validation), len(split.test)] == [3, 1, 0]
    assert split.validation.ids[0].tolist() == [3]


def test_a_line_of_a_million_tokens(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("short\n" + "wo rd" * 200_000)
    lines = read_text([path], per="line")
    assert lines.ids.lengths.tolist() == [5, 1_000_000]
    batch = next(StreamBatches(lines.to_supervised(), batch_size=2, seq_len=50, seed=0).batches(0))
    assert batch.inputs.shape == (50, 2)


def test_reading_reports_progress(poem: Path) -> None:
    seen: list[LoadProgress] = []
    read_text([poem, poem], unit="words", on_reading=seen.append)
    size = poem.stat().st_size
    assert {one.stage for one in seen} == {"reading", "learning tokens", "encoding"}
    assert max(one.bytes_done for one in seen) == 2 * size == seen[0].total_bytes


def test_unknown_options(poem: Path) -> None:
    with pytest.raises(DataError, match="unit= must be one of characters, words, subwords"):
        read_text([poem], unit="notes")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="per= must be one of file, line"):
        read_text([poem], per="page")  # type: ignore[arg-type]


BOUNDED = """
import resource, sys
from pathlib import Path
from sluice.sequence import StreamBatches, load_data

path = Path(sys.argv[1])
used = int(next(line.split()[1] for line in open("/proc/self/status") if "VmData" in line))
resource.setrlimit(resource.RLIMIT_DATA, (used * 1024 + (12 << 20), resource.RLIM_INFINITY))
try:
    path.read_bytes()
except MemoryError:
    print("whole: no")
for per in ("file", "line"):
    tokens = load_data(path, cache=sys.argv[2], per=per)
    source = StreamBatches(tokens.to_supervised(), batch_size=8, seq_len=64, seed=0)
    for first in (0, len(source) - 1):
        batch = next(source.batches(0, first=first))
    print(len(tokens), int(tokens.ids.lengths.sum()), batch.inputs.shape[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited by RLIMIT_DATA")
def test_a_text_larger_than_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    line = "to be or not to be " * 53_000 + "\n"
    with path.open("w") as file:
        for _ in range(16):
            file.write(line)
    assert path.stat().st_size > 1.25 * (12 << 20)
    process = subprocess.run(
        [sys.executable, "-c", BOUNDED, path, tmp_path / "kept"],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert process.returncode == 0, process.stderr
    steps = 16 * len(line)
    assert process.stdout.split("\n")[:3] == ["whole: no", f"1 {steps} 8", f"16 {steps - 16} 8"]
