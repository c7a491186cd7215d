"""Reading a large CSV: `load_data` beside pyarrow and pandas, each in a process of its own.

    python bench/tables.py [MEGABYTES]

The file (default 1000 MB) has a time in ISO 8601 and eight columns of numbers; it is written to the
folder for temporary files and read once before anything is measured, so that all readers find it in
memory. `bytes` reads it and does nothing else, which is the least that any reader can take.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from paired import Report

COLUMNS = 8
_ROWS = 100_000
READERS = {
    "bytes": "with open(path, 'rb', buffering=0) as file:\n    while file.read(1 << 23): pass",
    "pyarrow.csv.read_csv": "from pyarrow import csv\ntable = csv.read_csv(path)",
    "pandas.read_csv": "import pandas\ntable = pandas.read_csv(path, parse_dates=['time'])",
    "sluice.sequence.load_data": (
        "from sluice.sequence import load_data\ndata = load_data(path)\n"
        "assert data.values.flat.dtype == 'float64'"
    ),
}
_PROGRAM = """
import re, sys, time
path = sys.argv[1]

def read_peak():
    with open("/proc/self/status") as file:
        return int(re.search(r"VmHWM:\\s+(\\d+)", file.read())[1]) / 1024

{imports}
before = read_peak()
first = time.perf_counter()
{program}
seconds = time.perf_counter() - first
print(seconds, before, read_peak())
"""
_IMPORTS = {
    "pyarrow.csv.read_csv": "import pyarrow.csv",
    "pandas.read_csv": "import pandas, pyarrow",
    "sluice.sequence.load_data": "import sluice.sequence, pyarrow.csv, pyarrow.compute",
}


def write_table(path: Path, megabytes: float) -> int:
    """A file of at least this size; the number of its rows."""
    rng, rows = np.random.default_rng(0), 0
    names = ",".join(f"x{number}" for number in range(COLUMNS))
    with path.open("w") as file:
        file.write(f"time,{names}\n")
        values = rng.normal(size=(_ROWS, COLUMNS)) * 100
        cells = [",".join(f"{value:.6g}" for value in row) for row in values.tolist()]
        while file.tell() < megabytes * 1e6:
            start = np.datetime64("2000-01-01T00:00:00") + rows
            times = np.datetime_as_string(start + np.arange(_ROWS))
            file.writelines(f"{t},{c}\n" for t, c in zip(times.tolist(), cells, strict=True))
            rows += _ROWS
    return rows


def measure(reader: str, path: Path) -> tuple[float, float, float]:
    """Seconds, and megabytes of memory before and at most, of reading once."""
    program = _PROGRAM.format(imports=_IMPORTS.get(reader, ""), program=READERS[reader])
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True
    )
    seconds, before, peak = map(float, done.stdout.split())
    return seconds, before, peak


def main() -> None:
    megabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 1000.0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        rows = write_table(path, megabytes)
        size = path.stat().st_size / 1e6
        measure("bytes", path)
        results = {reader: measure(reader, path) for reader in READERS}
    report = Report(
        "tables",
        "Reading a large CSV: seconds, and megabytes of memory",
        ["reader", "seconds", "MB/s", "memory before", "memory at most"],
        [
            f"A file of {size:,.0f} MB: {rows:,} rows of a time in ISO 8601 and {COLUMNS} columns "
            f"of numbers: {rows * COLUMNS * 8 / 1e6:,.0f} MB in float64. Each reader is a "
            "process of its own that has imported its libraries; the file is in the system's "
            "memory. `bytes` only reads it: the machine's limit. `load_data` parses plain numbers "
            "and dates as it reads, and a block in which anything else stands once more as text, "
            "so that it can say which cell is wrong; it orders the rows by time and looks for "
            "gaps. The others infer types and report nothing."
        ],
    )
    for reader, (seconds, before, peak) in results.items():
        numbers = (f"{seconds:.1f}", f"{size / seconds:.0f}", f"{before:.0f}", f"{peak:.0f}")
        report.add(reader, *numbers)
    report.keep()


if __name__ == "__main__":
    main()
