"""The result of an evaluation: tables of scores and what was assumed."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sluice.files import StrPath, write_atomically
from sluice.sequence import DataError
from sluice.sequence.metrics.score_table import Score, ScoreTable

_SUFFIXES = (".json", ".csv")


@dataclass(frozen=True)
class EvaluationReport:
    """The scores of a model on some data, beside those of baselines.

    Attributes:
        kind: the name of the model's class.
        data: where the data come from.
        tables: the scores; the first table is of the model and its baselines.
        notes: sentences on what was read, left out or assumed.
    """

    kind: str
    data: str
    tables: Sequence[ScoreTable]
    notes: Sequence[str] = ()

    def to_dict(self) -> dict[str, object]:
        """All of it as plain data; a figure that is not finite is None."""
        tables = {
            table.name: [
                {name: _to_json(score) for name, score in row.items()} for row in table.to_records()
            ]
            for table in self.tables
        }
        return {"kind": self.kind, "data": self.data, "notes": [*self.notes], "tables": tables}

    def save(self, path: StrPath) -> None:
        """Write the report: all of it to a .json file, or the scores, one a line, to a .csv file.

        Raises:
            DataError: another suffix.
            OSError: the file cannot be written.
        """
        require_report_suffix(path)
        if Path(path).suffix.lower() == ".json":
            text = json.dumps(self.to_dict(), indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        else:
            text = self._to_csv()
        write_atomically(path, text.encode())

    def _to_csv(self) -> str:
        file = io.StringIO()
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("table", "row", "column", "value"))
        for table in self.tables:
            writer.writerows((table.name, *cell) for cell in table.list_cells())
        return file.getvalue()


def require_report_suffix(path: StrPath) -> None:
    """Refuse a file that is neither .json nor .csv."""
    if Path(path).suffix.lower() not in _SUFFIXES:
        raise DataError(f"A report is written to a .json or .csv file, got {path}; rename it.")


def _to_json(score: Score) -> Score:
    return None if isinstance(score, float) and not math.isfinite(score) else score
