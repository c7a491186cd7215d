"""`sluice.export.html`."""

from __future__ import annotations

from html import escape
from pathlib import Path

from sluice.export.errors import ExportError
from sluice.export.exported import ExportedFile
from sluice.export.to_html.page import PageScript, build_page
from sluice.export.to_js.engine import check_program
from sluice.export.to_js.program import write_program
from sluice.files import StrPath, write_atomically
from sluice.sequence import Vocabulary
from sluice.sequence.models import LanguageModel

_MOST_CHARACTERS, _MOST_TOKENS = 1000, 300
"""How long a text is at most, until the visitor says otherwise."""
_ASSETS = Path(__file__).parent


def html(
    model: LanguageModel,
    path: StrPath,
    *,
    vocabulary: Vocabulary,
    title: str | None = None,
    int8: bool = False,
    check: bool = True,
) -> ExportedFile:
    """Write a language model as a page on which it writes: one HTML file, without a network.

    The page takes a beginning, a temperature and a seed; a seed gives the text that
    `sluice.sequence.generate` gives for it. Nothing is loaded: the page's policy forbids it.

    Args:
        model: A float32 model.
        path: The file, whose name ends in ``.html``; missing folders are created.
        vocabulary: Of the model.
        title: Of the page; the file's name if None.
        int8: Write matrices in int8 with a scale for each row, a quarter of the size.
        check: Run the page's network in node, if there is one, and compare it with ours in float64.

    Returns:
        The file, its size, and the difference found; None where there is no node.

    Raises:
        ExportError: as `js`; a name that does not end in ``.html``.
        OSError: the file cannot be written.

    Example:
        >>> import sluice, tempfile
        >>> from sluice.sequence import LanguageModel, LanguageModelConfig, Vocabulary
        >>> letters = Vocabulary(tuple("abc"))
        >>> model = LanguageModel(LanguageModelConfig(len(letters), hidden_size=8))
        >>> path = tempfile.mkdtemp() + "/writer.html"
        >>> sluice.export.html(model, path, vocabulary=letters).usage
        'open writer.html in a browser'
    """
    path = Path(path)
    if path.suffix != ".html":
        raise ExportError(f"the name of a page must end in .html, got {path.name}")
    program = write_program(model, path.stem, int8=int8, vocabulary=vocabulary)
    difference = check_program(model, program, int8=int8) if check else None
    name = title or path.stem
    is_characters = all(len(token) == 1 for token in vocabulary.tokens)
    body = (_ASSETS / "writer.html").read_text()
    most = _MOST_CHARACTERS if is_characters else _MOST_TOKENS
    body = body.replace("{length}", str(most)).replace("{title}", escape(name))
    style = read_style() + (_ASSETS / "writer.css").read_text()
    script = PageScript(program.text + (_ASSETS / "writer.js").read_text())
    return write_page(path, build_page(name, body, style, [script]), difference)


def read_style() -> str:
    """The style that all pages share."""
    return (_ASSETS / "page.css").read_text()


def write_page(path: StrPath, text: str, difference: float | None) -> ExportedFile:
    """Write a page, and say so."""
    path, content = Path(path), text.encode()
    write_atomically(path, content)
    return ExportedFile(path, len(content), {}, {}, difference, f"open {path.name} in a browser")
