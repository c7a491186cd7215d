"""Files of tunes with bytes changed, cut out and doubled: read, or refused in a sentence."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.tunes import read_tunes
from sluice.tunes.corpus.collections import load_collections
from sluice.tunes.errors import TuneError

ABC = (
    '%abc-2.1\n%%abc-charset utf-8\nM:6/8\nL:1/8\n\nX:1\nT:Là-bas\nR:jig\nQ:"Gay" 3/8=110\nK:Ador\n'
    '|:"Am"e2A {g}A2B|(3cBA ~B2 !trill!A>G:|1 [CEG]2 z4:|2 A6||\n\nX:2\nM:C|\nK:D\nd8|]\n'
)
ROW = {
    "name": "One", "type": "reel", "meter": "4/4", "mode": "Dmajor", "abc": "|:d2fd\r\nA4:|\r\n",
}  # fmt: skip
FORMS = {
    "abc": ABC.encode(),
    "utf-16": ABC.encode("utf-16"),
    "latin-1": ABC.encode("latin-1"),
    "tokens": b"<s> M:6/8 K:Cmaj |: c 3 [ c e ] 3 :| </s>\n\nM:4/4\nK:Cdor\n(3 c d e c 2 c 4 |\n",
    "json": json.dumps([ROW, ROW]).encode(),
    "page": json.dumps({"name": "A", "type": "jig", "settings": [{"key": "G", "abc": "G6|! B6|"}]})
    .encode(),
    "csv": b'name,type,meter,mode,abc\nOne,reel,4/4,Dmajor,"|:d2fd\r\nA4:|"\n'
    b'"T, 2",jig,6/8,G,G6|\n',
}  # fmt: skip
PIECES = (
    *(b"\0", b"\n", b"\n\n", b"\r", b'"', b"X:", b"K:", b"%%begintext\n", b"[", b"]", b"{", b"}"),
    *(b"M:0/0\n", b"L:1/0\n", b"Q:1/0=1\n", b":|", b"\xff", b"\xef\xbb\xbf", b"9" * 12),
    *(b"\xed\xa0\x80", b"<s>", b"%%abc-charset utf-7\n", b"|" * 50, b"\\", b",", b";", b"/" * 40),
    b"(9:9:9",
)  # fmt: skip
SECONDS = 30

Edit = tuple[str, float, float, bytes]
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "double", "insert"]),
        st.floats(0, 1),
        st.floats(0, 1),
        st.one_of(st.sampled_from(PIECES), st.binary(min_size=1, max_size=3)),
    ),
    min_size=1,
    max_size=4,
)


def apply_edit(content: bytes, edit: Edit) -> bytes:
    kind, where, length, piece = edit
    start = int(where * len(content))
    stop = start + int(length * (len(content) - start))
    if kind == "cut":
        return content[:start] + content[stop:]
    if kind == "double":
        return content[:stop] + content[start:stop] + content[stop:]
    if kind == "flip":
        return content[:start] + piece + content[start + len(piece) :]
    return content[:start] + piece + content[start:]


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=20, deadline=None, database=None)
@given(edits=EDITS)
def test_damaged_files_are_read_or_refused(
    form: str, edits: list[Edit], tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = FORMS[form]
    for edit in edits:
        content = apply_edit(content, edit)
    path, start = tmp_path_factory.getbasetemp() / f"damaged-{form}", time.monotonic()
    path.write_bytes(content)
    for read in (load_collections, read_tunes):
        require_a_sentence(read, path)
    require_a_sentence(read_tunes, content.decode("latin-1"))
    assert time.monotonic() - start < SECONDS


def require_a_sentence(read: object, given_: Path | str) -> None:
    try:
        found = read(given_)  # type: ignore[operator]
        assert getattr(found, "tunes", found)
    except TuneError as error:
        message = str(error)
        assert message and "\n" not in message and "\r" not in message and message[-1] == "."


@pytest.mark.parametrize("form", FORMS)
def test_the_forms_themselves_are_read(form: str, tmp_path: Path) -> None:
    (tmp_path / "tunes.abc").write_bytes(FORMS[form])
    assert load_collections(tmp_path / "tunes.abc").tunes
