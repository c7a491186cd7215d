"""Finished runs in one file, a line each, so that a comparison can resume."""

from __future__ import annotations

import json
from pathlib import Path

from sluice.files import StrPath, write_atomically
from sluice.report.comparison.settings import ComparisonError, TrialSpec
from sluice.report.comparison.trial import TrialResult

NAME = "runs.jsonl"
_HEADER_FORMAT = "sluice comparison 1"


class Journal:
    """The runs of a folder: what all share in the first line of the file, then a run a line.

    Args:
        folder: where the file is, or will be; None keeps runs in memory alone.
        shared: what all runs must have in common (`ComparisonSettings.common_settings`).
        equations: the fingerprint of each cell that is compared now.

    Raises:
        ComparisonError: the file was made with other settings or another cell of the same name, or
            cannot be read.
    """

    def __init__(
        self, folder: StrPath | None, shared: dict[str, object], equations: dict[str, str]
    ) -> None:
        self.path = None if folder is None else Path(folder) / NAME
        self.header = {"format": _HEADER_FORMAT, **shared}
        self.runs: dict[TrialSpec, TrialResult] = {}
        if self.path is not None and self.path.exists():
            self._read(self.path)
            self._require_same_cells(equations)

    def add(self, run: TrialResult) -> None:
        """Add a run and rewrite the file.

        Raises:
            OSError: the file cannot be written.
        """
        self.runs[run.spec] = run
        if self.path is not None:
            lines = [self.header, *(run.to_dict() for run in self.runs.values())]
            write_atomically(self.path, "".join(json.dumps(line) + "\n" for line in lines).encode())

    def _read(self, path: Path) -> None:
        try:
            header, *lines = map(json.loads, path.read_text().splitlines())
        except (ValueError, OSError) as error:
            raise ComparisonError(
                f"{path} cannot be read ({error}); move it away, or choose another folder"
            ) from None
        if not isinstance(header, dict) or header.get("format") != _HEADER_FORMAT:
            raise ComparisonError(f"{path} is not a comparison of Sluice; choose another folder")
        other = {name for name in header | self.header if header.get(name) != self.header.get(name)}
        if other:
            name = sorted(other)[0]
            raise ComparisonError(
                f"{path} holds runs with {name} {header.get(name)!r}, not "
                f"{self.header.get(name)!r}; ask for the same, or choose another folder"
            )
        try:
            runs = [TrialResult(**line) for line in lines]
        except TypeError as error:
            raise ComparisonError(
                f"{path} is damaged ({error}); move it away, or choose another folder"
            ) from None
        self.runs = {run.spec: run for run in runs}

    def _require_same_cells(self, equations: dict[str, str]) -> None:
        for run in self.runs.values():
            if equations.get(run.cell, run.equations) != run.equations:
                raise ComparisonError(
                    f"{self.path} holds runs of another cell called {run.cell}; rename yours, or "
                    "choose another folder"
                )
