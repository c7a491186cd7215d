"""All parts as slides: one HTML file with reveal.js inside, which loads nothing.

A cell tagged ``slide`` begins a slide. What its code drew stands beside it or below it; prose that
is not on a slide is what the speaker says: key S shows it.
"""

from __future__ import annotations

import base64
import html
import re
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from markdown import markdown
from nbformat import NotebookNode
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from lecture_export.pages import describe_picture, list_pictures, list_texts
from lecture_export.parts import Part, list_tags

_FOLDER = Path(__file__).parent
_REVEAL = _FOLDER / "reveal"
_WIDE = 2.0  # of a picture: from this ratio on it stands below the text
_TITLES = {
    "en": ("Long short-term memory", "A lecture with Sluice", "after the lecture"),
    "de": (
        "Das LSTM: langes Kurzzeitgedächtnis",
        "Eine Vorlesung mit Sluice",
        "nach der Vorlesung",
    ),
}
_SOURCE = (
    "FAU Lecture Notes on Deep Learning, Recurrent Neural Networks Part 3, A. Maier et al., "
    "CC BY 4.0"
)


@dataclass
class Slide:
    """What a slide shows, and what is said to it."""

    text: str
    code: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    ratios: list[float] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def render(self) -> str:
        """The slide's HTML."""
        heading, _, text = self.text.partition("\n")
        shown = "".join([text, *self.code, *self.printed])
        beside = self.pictures and shown and max(self.ratios) < _WIDE
        body = f'<div class="words">{shown}</div>' if shown else ""
        body += f'<div class="pictures">{"".join(self.pictures)}</div>' if self.pictures else ""
        notes = f'<aside class="notes">{"".join(self.notes)}</aside>' if self.notes else ""
        kind = "beside" if beside else "below"
        slide = f'<div class="slide {kind}">{heading}<div class="body">{body}</div></div>'
        return f"<section>{slide}{notes}</section>"


def write_slides(parts: list[Part], language: str) -> str:
    """The whole lecture: a column of slides for each part."""
    columns = [_render_title(language)]
    for part in parts:
        slides = "\n".join(slide.render() for slide in list_slides(part, language))
        columns.append(f"<section>\n{slides}\n</section>")
    template = Template((_FOLDER / "slides.html").read_text())
    return template.substitute(
        language=language,
        title=_TITLES[language][0],
        slides="\n".join(columns),
        reveal_css=(_REVEAL / "reveal.css").read_text(),
        own_css=(_FOLDER / "slides.css").read_text(),
        code_css=HtmlFormatter(style="friendly").get_style_defs(".highlight"),
        reveal_js=(_REVEAL / "reveal.js").read_text(),
        notes_js=(_REVEAL / "notes.js").read_text(),
    )


def list_slides(part: Part, language: str) -> list[Slide]:
    """The slides of a part."""
    slides = list[Slide]()
    for cell in part.select_cells(language):
        if cell.cell_type == "markdown":
            text = _render_markdown(cell.source)
            if "slide" in list_tags(cell):
                slides.append(Slide(text))
            else:
                slides[-1].notes.append(text)
        elif "quiet" not in list_tags(cell):
            _add_code(slides[-1], cell, language)
            if "each" in list_tags(cell):
                slides += _split(slides[-1])
    return slides


def _split(slide: Slide) -> list[Slide]:
    """A slide for every picture of ``slide``, which keeps its words."""
    heading = slide.text.partition("\n")[0]
    later = [
        Slide(heading, pictures=[picture], ratios=[ratio])
        for picture, ratio in zip(slide.pictures, slide.ratios, strict=True)
    ]
    slide.pictures, slide.ratios = [], []
    return later


def _add_code(slide: Slide, cell: NotebookNode, language: str) -> None:
    if "show" in list_tags(cell):
        code = highlight(cell.source, PythonLexer(), HtmlFormatter())
        size = " long" if cell.source.count("\n") > 9 else ""
        slide.code.append(f'<div class="code{size}">{code}</div>')
    for text in list_texts(cell):
        slide.printed.append(f'<pre class="printed">{html.escape(text)}</pre>')
    for svg in list_pictures(cell):
        width, height = re.findall(r'(?:width|height)="([\d.]+)pt"', svg)[:2]
        data = base64.b64encode(svg.encode()).decode()
        alt = html.escape(describe_picture(cell, language), quote=True)
        slide.ratios.append(float(width) / float(height))
        slide.pictures.append(f'<img alt="{alt}" src="data:image/svg+xml;base64,{data}">')


def _render_markdown(text: str) -> str:
    """HTML; a link within the site is its text alone, for a slide stands by itself."""
    text = re.sub(r"\[([^\]]+)\]\((?!https?:)[^)]+\)", r"\1", text)
    return markdown(text, extensions=["tables", "fenced_code"])


def _render_title(language: str) -> str:
    title, subtitle, after = _TITLES[language]
    return (
        f'<section><div class="slide title"><h1>{title}</h1><p>{subtitle}</p>'
        f'<p class="source">{after}: {_SOURCE}</p></div></section>'
    )
