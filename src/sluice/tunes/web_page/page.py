"""A model of tunes as one HTML file."""

from __future__ import annotations

import base64
import json
from html import escape
from pathlib import Path

import sluice
from sluice.export import ExportedFile, ExportError
from sluice.export.to_html.files import read_style, write_page
from sluice.export.to_html.page import PageScript, build_page
from sluice.export.to_js.engine import check_program
from sluice.export.to_js.program import write_program
from sluice.files import StrPath
from sluice.sequence import Checkpoint, LanguageModel, Vocabulary
from sluice.tunes.errors import TuneError
from sluice.tunes.grammar.form import BarGrammars
from sluice.tunes.web_page.grammar_table import build_table

_ASSETS = Path(__file__).parent
_STUDIO = Path(sluice.__file__).parent / "studio" / "static"
_SOUNDS = _STUDIO / "sound" / "flute-mp3"
_NOTES = ("C", "Db", "D", "Eb", "E", "F", "Gb", "G", "Ab", "A", "Bb", "B")
_ABCJS_STYLE = "sha256-BCpnf71gZdCsSCHDzyB1RsBbZ0qQdqseK6v+yJsgg30="
"""Of the rule on dragging that abcjs adds to every score."""
_RANGE = range(55, 91)
"""The MIDI numbers whose sounds a page holds; others are bent from the nearest."""
_LAYOUT = {"lines.js": "chooseBreaks", "layout.js": "engrave"}
"""The studio's modules that lay a score out, and what each gives, in the order of their imports."""
_SCRIPTS = ("grammar.js", "abc.js", "compose.js", "player.js", "tunes.js")


def composes_tunes(vocabulary: Vocabulary) -> bool:
    """Whether a model of these tokens can write tunes in repeated parts."""
    try:
        BarGrammars(vocabulary)
    except TuneError:
        return False
    return True


def write_tunes_page(
    checkpoint: Checkpoint,
    path: StrPath,
    *,
    title: str = "Tunes by a network",
    int8: bool = False,
    check: bool = True,
) -> ExportedFile:
    """Write a model of tunes as a page that composes, draws and plays, without a network.

    Args:
        checkpoint: the model.
        path: the file, whose name ends in ``.html``; missing folders are created.
        title: of the page.
        int8: write matrices in int8 with a scale for each row, a quarter of the size.
        check: run the page's network in node, if there is one, and compare it with ours in float64.

    Raises:
        ExportError: as `sluice.export.html`.
        TuneError: a vocabulary that lacks what tunes in repeated parts need.
        OSError: the file cannot be written.
    """
    path = Path(path)
    if path.suffix != ".html":
        raise ExportError(f"the name of a page must end in .html, got {path.name}")
    model = checkpoint.model
    assert isinstance(model, LanguageModel)
    program = write_program(model, path.stem, int8=int8, vocabulary=checkpoint.vocabulary)
    difference = check_program(model, program, int8=int8) if check else None
    licence = (_STUDIO / "vendor" / "abcjs.LICENSE.md").read_text()
    body = (_ASSETS / "tunes.html").read_text()
    body = body.replace("{title}", escape(title)).replace("{licence}", escape(licence))
    (abcjs,) = (_STUDIO / "vendor").glob("abcjs-basic-*.min.js")
    own = [
        program.text,
        f"const table = {json.dumps(build_table(checkpoint))};",
        f"const sounds = {json.dumps(_read_sounds())};",
        *(_read_module(name, given) for name, given in _LAYOUT.items()),
        *((_ASSETS / name).read_text() for name in _SCRIPTS),
    ]
    scripts = [PageScript(abcjs.read_text(), is_module=False), PageScript("\n".join(own))]
    style = read_style() + (_ASSETS / "tunes.css").read_text()
    return write_page(path, build_page(title, body, style, scripts, [_ABCJS_STYLE]), difference)


def _read_module(name: str, given: str) -> str:
    """A module of the studio as a constant: what it imports stands before it."""
    text = (_STUDIO / "own" / "score" / name).read_text()
    lines = [line for line in text.splitlines() if not line.startswith("import ")]
    inside = "\n".join(line.removeprefix("export ") for line in lines)
    return f"const {given} = (() => {{\n{inside}\nreturn {given};\n}})();"


def _read_sounds() -> dict[int, str]:
    """The sounds of a flute, MP3 in base64, by MIDI number."""
    return {
        midi: base64.b64encode(
            (_SOUNDS / f"{_NOTES[midi % 12]}{midi // 12 - 1}.mp3").read_bytes()
        ).decode()
        for midi in _RANGE
    }
