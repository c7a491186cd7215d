"""Spreadsheets written by hand for tests, part by part as the formats' standards say."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

_TYPES = "application/vnd.oasis.opendocument.spreadsheet"
_RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
Cell = float | str | bool | None


class Date(float):
    """A day as Excel counts it: days since 30 December 1899."""


def write_xlsx(path: Path, sheets: Mapping[str, Sequence[Sequence[Cell]]]) -> Path:
    """An Office Open XML workbook; None is no cell."""
    rows = {
        name: "".join(map(_write_row, range(1, 1 + len(of)), of)) for name, of in sheets.items()
    }
    return write_raw_xlsx(path, rows)


def write_raw_xlsx(path: Path, rows: Mapping[str, str]) -> Path:
    """A workbook with the XML of the rows of each sheet."""
    listed = list(enumerate(rows, 1))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        types = '<Default Extension="xml" ContentType="application/xml"/>'
        types = f'<Types xmlns="{_PACKAGE}/content-types">{types}</Types>'
        archive.writestr("[Content_Types].xml", types)
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="r" '
            f'Type="{_RELATION}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        )
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_RELATION}"><sheets>'
            + "".join(f'<sheet name="{name}" sheetId="{n}" r:id="r{n}"/>' for n, name in listed)
            + "</sheets></workbook>",
        )
        archive.writestr(
            "xl/_rels/workbook.xml.rels",
            f'<Relationships xmlns="{_PACKAGE}/relationships">'
            + "".join(
                f'<Relationship Id="r{n}" Type="{_RELATION}/worksheet" '
                f'Target="worksheets/sheet{n}.xml"/>'
                for n, _ in listed
            )
            + f'<Relationship Id="s" Type="{_RELATION}/styles" Target="styles.xml"/>'
            "</Relationships>",
        )
        styles = '<cellXfs count="2"><xf numFmtId="0"/><xf numFmtId="22"/></cellXfs>'
        archive.writestr("xl/styles.xml", f'<styleSheet xmlns="{_MAIN}">{styles}</styleSheet>')
        for number, name in listed:
            archive.writestr(
                f"xl/worksheets/sheet{number}.xml",
                f'<worksheet xmlns="{_MAIN}"><sheetData>{rows[name]}</sheetData></worksheet>',
            )
    return path


def _write_row(number: int, cells: Sequence[Cell]) -> str:
    written = [_write_cell(f"{chr(65 + n)}{number}", cell) for n, cell in enumerate(cells)]
    return f'<row r="{number}">{"".join(written)}</row>'


def _write_cell(place: str, cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return f'<c r="{place}" t="b"><v>{int(cell)}</v></c>'
    if isinstance(cell, str):
        return f'<c r="{place}" t="inlineStr"><is><t>{cell}</t></is></c>'
    style = ' s="1"' if isinstance(cell, Date) else ""
    return f'<c r="{place}"{style}><v>{float(cell)!r}</v></c>'


def write_ods(path: Path, rows: str) -> Path:
    """An OpenDocument spreadsheet with the XML of the rows of its only sheet."""
    names = "urn:oasis:names:tc:opendocument:xmlns"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", _TYPES)
        archive.writestr(
            "META-INF/manifest.xml",
            f'<manifest:manifest xmlns:manifest="{names}:manifest:1.0"><manifest:file-entry '
            f'manifest:full-path="/" manifest:media-type="{_TYPES}"/></manifest:manifest>',
        )
        archive.writestr(
            "content.xml",
            f'<office:document-content xmlns:office="{names}:office:1.0" '
            f'xmlns:table="{names}:table:1.0" xmlns:text="{names}:text:1.0"><office:body>'
            f'<office:spreadsheet><table:table table:name="Data">{rows}</table:table>'
            "</office:spreadsheet></office:body></office:document-content>",
        )
    return path
