"""Texts with labels: which column is which, what is skipped, and what is never guessed."""

from __future__ import annotations

import gzip
import random
from collections import Counter
from pathlib import Path

import pytest

from sluice.sequence import DataError, LabelledTexts, Pairs, load_data

WORDS = "the film was a story with some music and people in town".split()


def draw(number: int, seed: int = 0) -> list[tuple[str, str]]:
    """Texts of many words, each with one of two labels."""
    chosen = random.Random(seed)
    texts = [" ".join(chosen.choices(WORDS, k=6)) + f" {n}" for n in range(number)]
    return [(text, chosen.choice(("ham", "spam"))) for text in texts]


def load(path: Path, **options: object) -> LabelledTexts:
    data = load_data(path, **options)
    assert isinstance(data, LabelledTexts)
    return data


def read(data: LabelledTexts) -> list[tuple[str, str]]:
    """The texts with their labels, as the ids say."""
    decode = data.vocabulary.decode_text
    return [
        (decode(ids.tolist()), data.classes[label])
        for ids, label in zip(data.ids, data.labels, strict=True)
    ]


@pytest.mark.parametrize("label_first", [False, True])
@pytest.mark.parametrize("suffix", [".tsv", ".txt", ".tsv.gz"])
def test_the_column_with_few_values_is_the_label(
    suffix: str, label_first: bool, tmp_path: Path
) -> None:
    rows, path = draw(60), tmp_path / f"a{suffix}"
    lines = [f"{b}\t{a}\n" if label_first else f"{a}\t{b}\n" for a, b in rows]
    content = "".join(lines).encode()
    path.write_bytes(gzip.compress(content) if suffix.endswith(".gz") else content)
    data = load(path, **({"kind": "labels"} if suffix.endswith(".gz") else {}), unit="characters")
    assert read(data) == rows and data.classes == ("ham", "spam")
    assert data.names[1] == f"{path}:2"
    assert f"the text is in {1 + label_first}, its label in {2 - label_first}" in data.report()
    counts = Counter(label for _, label in rows)
    assert all(f"{name} {often}" in data.report() for name, often in counts.items())


def test_columns_of_csv_by_name_and_by_number(tmp_path: Path) -> None:
    rows = draw(30)
    path = tmp_path / "a.csv"
    lines = [f'{n},"{a}, ""so""\ntoo",{b}\n' for n, (a, b) in enumerate(rows)]
    path.write_text("no,review,sentiment\n" + "".join(lines))
    wanted = [(f'{a}, "so"\ntoo', b) for a, b in rows]
    for columns in (None, ["review", "sentiment"], [2, 3]):
        header = {"header": "yes"} if columns == [2, 3] else {}
        data = load(path, kind="labels", columns=columns, unit="characters", **header)
        assert read(data) == wanted, columns
    with pytest.raises(DataError, match="columns of the file, no, review, sentiment, got 'stars'"):
        load(path, kind="labels", columns=["review", "stars"])


def test_a_first_line_whose_label_is_nowhere_else_names_the_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("what\tsort\n" + "".join(f"{a}\t{b}\n" for a, b in draw(40)))
    assert len(load(path)) == 40
    assert load(path, header="no").classes == ("ham", "sort", "spam")


def test_many_targets_are_pairs_unless_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("".join(f"{a}\tund {a[::-1]}\n" for a, _ in draw(40)))
    assert isinstance(load_data(path, unit="characters"), Pairs)
    with pytest.raises(DataError, match="are these pairs"):
        load(path, kind="labels", columns=[1, 2])
    with pytest.raises(DataError, match="may be the text or its label"):
        load(path, kind="labels")


def test_numbers_as_labels_and_texts_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        "text,stars\n" + "".join(f"{a},{n % 10 + 1}\n" for n, (a, _) in enumerate(draw(50)))
    )
    assert load(path, kind="labels").classes == tuple(map(str, range(1, 11)))


def test_folders_are_labels_and_parts(tmp_path: Path) -> None:
    for part, number in (("train", 6), ("test", 4)):
        for label in ("neg", "pos"):
            (tmp_path / part / label).mkdir(parents=True)
            for n in range(number):
                (tmp_path / part / label / f"{n}.txt").write_text(f"{label} of {part}\n{n}")
    (tmp_path / "train" / "pos" / "empty.txt").touch()
    data = load(tmp_path, kind="labels", unit="characters")
    assert len(data) == 20 and data.classes == ("neg", "pos")
    assert {(text.split()[0], text.split()[2], label) for text, label in read(data)} == {
        (label, part, label) for label in ("neg", "pos") for part in ("train", "test")
    }
    assert [len(data.predefined_split[part]) for part in ("train", "test")] == [12, 8]
    assert "the name of its folder is its label" in data.report()
    assert [Path(one.source).name for one in data.skipped_items] == ["empty.txt"]


def test_lines_without_a_label_or_a_text_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    lines = [f"{a}\t{b}" for a, b in draw(40)]
    path.write_text("\n".join([*lines, "alone", "no label\t", "\tspam", "a\tb\tc"]) + "\n")
    data = load(path, kind="labels", columns=[1, 2])
    assert len(data) == 40 and [one.line for one in data.skipped_items] == [41, 42, 43, 44]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("one\ntwo\n", "expected a text, a tab and its label"),
        ("a b\tx\nc d\tx\n", "labels need at least two classes, got x"),
        ("\n\n", "holds no text"),
    ],
)
def test_what_is_no_text_with_labels_is_refused(text: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "a.tsv").write_text(text)
    with pytest.raises(DataError, match=why):
        load(tmp_path / "a.tsv", kind="labels", columns=[1, 2])


def test_a_split_keeps_equal_texts_together_and_draws_by_class(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    rows = [(a, "rare" if n % 10 == 0 else "usual") for n, (a, _) in enumerate(draw(100))]
    path.write_text("".join(f"{a}\t{b}\n" for a, b in rows))
    held = load(path).split(validation=0.2).validation
    assert sorted(Counter(held.classes[one] for one in held.labels).values()) == [2, 18]
    path.write_text("".join(f"{a}\t{b}\n" for a, b in [*rows, *rows[:50]]))
    parts = load(path).split(validation=0.2)
    assert not {*parts.train.groups} & {*parts.validation.groups}


def test_parallel_files_are_pairs(tmp_path: Path) -> None:
    one, other = tmp_path / "c.de", tmp_path / "c.en.gz"
    one.write_text("eins\nzwei\n\ndrei\nvier\n")
    other.write_bytes(gzip.compress(b"one\ntwo\n\n\nfour\n"))
    data = load_data(one, target_file=other, unit="characters")
    assert isinstance(data, Pairs)
    decode = data.target_vocabulary.decode_text
    assert [decode(ids.tolist()) for ids in data.targets] == ["one", "two", "four"]
    assert [(one.line, one.reason) for one in data.skipped_items] == [(4, "an empty target")]
    assert "target_file" not in data.load_options
    other.write_bytes(gzip.compress(b"one\ntwo\n"))
    with pytest.raises(DataError, match=r"c.en.gz ends after line 2, but .*c.de goes on"):
        load_data(one, target_file=other)
