"""Pairs of texts: which files hold them, and what is read of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.sequence import DataError, Pairs, load_data
from sluice.sequence.data.formats import detect_format

LINES = "".join(f"word {letter}\tWort {letter}\n" for letter in "abcdefghij")


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path: Path, **options: object) -> Pairs:
    data = load_data(path, **options)
    assert isinstance(data, Pairs)
    return data


def texts(data: Pairs) -> list[tuple[str, str]]:
    return [
        (
            data.vocabulary.decode_text(source.tolist()),
            data.target_vocabulary.decode_text(target.tolist()),
        )
        for source, target in zip(data.sources, data.targets, strict=True)
    ]


@pytest.mark.parametrize(
    ("name", "content", "kind"),
    [
        ("pairs.tsv", LINES, "pairs"),
        ("pairs.txt", LINES, "pairs"),
        ("header.tsv", "english\tgerman\n" + LINES, "pairs"),
        ("pairs.csv", 'source,target\n"Hi, you","Na, du"\nBye,"Bis dann, du"\n', "pairs"),
        ("excel.csv", "question;answer\nWho?;Me\nWhy?;So\n", "pairs"),
        ("anki.txt", "Hi.\tHallo!\tCC-BY 2.0\nRun!\tLauf!\tCC-BY 2.0\n", "pairs"),
        ("utf16.tsv", LINES.encode("utf-16"), "pairs"),
        ("latin.tsv", LINES.replace("o", "ö").encode("latin-1"), "pairs"),
        ("numbers.tsv", "a\tb\n1\t2\n3\t4.5\n", "csv"),
        ("units.tsv", "12.5 km\t4 h\n13 km\t5 h\n", "csv"),
        ("dated.tsv", "2024-01-05\tsunny\n2024-01-06\train\n", "csv"),
        ("hours.csv", "2024-01-05T10:00,ab\n2024-01-05T11:00,ac\n", "csv"),
        ("three.tsv", "a b\tc d\te f\ng h\ti j\tk l\n", "csv"),
        ("one.tsv", "only one line\tnur eine\n", "csv"),
        (
            "classes.tsv",
            "".join(f"text {n} x\t{'ham' if n % 2 else 'spam'}\n" for n in range(40)),
            "labels",
        ),
        ("missing.csv", "a,b\nNaN,null\nNA,1\n", "csv"),
        ("prose.txt", "A text\twith a tab in one line.\nAnd none\nin the others.\n", "text"),
        ("notes.md", LINES, "text"),
    ],
)
def test_only_certain_signs_make_pairs(
    tmp_path: Path, name: str, content: str | bytes, kind: str
) -> None:
    found = detect_format(write(tmp_path / name, content))
    assert found is not None and found.name == kind


def test_kind_forces_what_is_not_certain(tmp_path: Path) -> None:
    path = write(tmp_path / "digits.tsv", "123\t321\n45\t54\n")
    assert texts(read(path, kind="pairs")) == [("123", "321"), ("45", "54")]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        (
            "quote.tsv",
            'He said "so".\t"So", sagte er.\nB b\tC c\n',
            [('He said "so".', '"So", sagte er.'), ("B b", "C c")],
        ),
        ("doubled.tsv", '"a ""b"""\tc d\ne f\tg h\n', [('a "b"', "c d"), ("e f", "g h")]),
        ("all.tsv", '"a b"\t"c d"\n"e f"\t"g h"\n', [("a b", "c d"), ("e f", "g h")]),
        ("bom.tsv", b"\xef\xbb\xbfa b\tc d\ne f\tg h\n", [("a b", "c d"), ("e f", "g h")]),
        ("crlf.tsv", b"a b\tc d\r\ne f\tg h\r\n", [("a b", "c d"), ("e f", "g h")]),
        ("comma.csv", '"a, b",c d\ne f,"g ""h"""\n', [("a, b", "c d"), ("e f", 'g "h"')]),
        ("blank.tsv", "a b\tc d\n\n \t \ne f\tg h\n\n", [("a b", "c d"), ("e f", "g h")]),
        ("header.tsv", "source\ttarget\na b\tc d\ne f\tg h\n", [("a b", "c d"), ("e f", "g h")]),
        (
            "anki.tsv",
            "a b\tc d\tCC-BY 2.0 x\ne f\tg h\tCC-BY 2.0 y\n",
            [("a b", "c d"), ("e f", "g h")],
        ),
    ],
)
def test_pairs_as_files_have_them(
    tmp_path: Path, name: str, content: str | bytes, expected: list[tuple[str, str]]
) -> None:
    path = write(tmp_path / name, content)
    assert texts(read(path, kind="pairs", unit="characters")) == expected
    assert texts(read(path, unit="characters")) == expected  # and no kind is needed


def test_lines_that_are_no_pairs_are_skipped_with_their_numbers(tmp_path: Path) -> None:
    content = "".join(f"word {n}\tWort {n}\n" for n in range(300))
    content += "no tab\nthree\ttabs\there\n\tno source\nno target\t\n"
    data = read(write(tmp_path / "pairs.tsv", content))
    expected = "expected a source, a tab and a target"
    assert len(data) == 300
    assert [(one.line, one.reason) for one in data.skipped_items] == [
        (301, f"{expected}, got no tab"),
        (302, f"{expected}, got 3 columns"),
        (303, f"{expected}, got an empty source"),
        (304, "a target without a token"),
    ]


def test_long_pairs_are_skipped(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.tsv", f"{'ab' * 300}\tx\nabc\tcba\nabd\tdba\n")
    data = read(path)
    assert len(data) == 2
    assert [str(one) for one in data.skipped_items] == [
        f"{path}:1: a source of 600 tokens, above 500"
    ]
    assert len(read(path, max_length=600)) == 3


def test_columns_are_chosen(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.tsv", "1\ta b\tx\tc d\n2\te f\ty\tg h\n")
    with pytest.raises(DataError, match=r"4 columns; say which .* columns=, as in 1,2"):
        load_data(path, kind="pairs")
    data = read(path, kind="pairs", columns=[2, 4], unit="characters")
    assert texts(data) == [("a b", "c d"), ("e f", "g h")]
    assert data.load_options == {"kind": "pairs", "columns": [2, 4], "unit": "characters"}
    for columns in ([1], [1, 1], [0, 2]):
        with pytest.raises(DataError, match="columns= must be the numbers of two columns"):
            load_data(path, kind="pairs", columns=columns)
    with pytest.raises(DataError, match="columns= must be two of the 4 columns, got 1,9"):
        load_data(path, kind="pairs", columns=[1, 9])


def test_a_source_never_stands_on_both_sides(tmp_path: Path) -> None:
    content = "".join(f"word {n % 40}\tWort {n}\n" for n in range(200)) + "word 0\tWort 0\n"
    data = read(write(tmp_path / "pairs.tsv", content), kind="pairs", unit="characters")
    assert "40 sources stand in several pairs, 201 in all" in data.report()
    assert "1 pair repeat an earlier one" in data.report()
    split = data.split(validation=0.3, seed=1)
    train, held_out = ({one for one, _ in texts(part)} for part in (split.train, split.validation))
    assert len(split.train) + len(split.validation) == 201 and len(split.validation) > 30
    assert held_out and not train & held_out
    with pytest.raises(DataError, match="cannot be split in time"):
        data.split("time")


def test_files_named_by_their_part_are_the_split(tmp_path: Path) -> None:
    write(tmp_path / "train.tsv", "a b\tc d\ne f\tg h\n")
    write(tmp_path / "valid.tsv", "i j\tk l\nm n\to p\nq r\ts t\n")
    split = read(tmp_path, unit="characters").split()
    assert [len(part) for part in (split.train, split.validation, split.test)] == [2, 3, 0]
    assert texts(split.validation)[0] == ("i j", "k l")


def test_the_unit_follows_the_texts(tmp_path: Path) -> None:
    words = read(write(tmp_path / "words.tsv", LINES))
    letters = read(write(tmp_path / "letters.tsv", "abc\tcba\nbad\tdab\n"))
    assert (words.vocabulary.unit, letters.vocabulary.unit) == ("subwords", "characters")
    assert texts(words)[3] == ("word d", "Wort d")
    chosen = read(tmp_path / "words.tsv", unit="words")
    assert set(chosen.vocabulary.tokens) == {"[UNK]", "word", *"abcdefghij"}
    again = read(
        write(tmp_path / "other.tsv", "word z\tWort a\nword a\tWort b\n"),
        vocabulary=chosen.vocabulary,
        target_vocabulary=chosen.target_vocabulary,
    )
    assert texts(again) == [("word [UNK]", "Wort a"), ("word a", "Wort b")]
    assert "Of the sources' words, 1 (25.0%) are not in the vocabulary." in again.report()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a\nb\n", "expected a source, a tab and a target, got no tab"),
        ("a b\tc d\n", "holds 1 pair that can be read; give more"),
        ("\t\n \t \n", "holds no pair; give lines of a source, a tab and a target"),
        (b"a\0b\tc\n", "is not text"),
        ("", "is empty"),
    ],
)
def test_what_is_no_pairs_is_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_data(write(tmp_path / "pairs.tsv", content), kind="pairs")


def test_a_quote_that_stays_open_is_refused_with_its_line(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.csv", 'a b,c d\ne f,"g h\ni j,k l\n')
    with pytest.raises(DataError, match="line 2: a field in quotes cannot be read"):
        load_data(path, kind="pairs")
