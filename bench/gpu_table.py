"""The table of `bench/gpu.py speed`, from the JSON that it wrote."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

COLUMNS = [
    "cell",
    "T×B×H",
    "",
    "cuDNN fp16",
    "bf16",
    "TF32",
    "fp32",
    "Sluice bf16",
    "×",
    "fp32",
    "×",
]
COLUMNS += ["kernel bf16", "fp32", "loop ×"]
NOTES = [
    "Microseconds a step, I = H, one layer in one direction: the whole call with the products of "
    "the input, training with all gradients. × is the ratio to cuDNN in the same type, above 1 "
    "where Sluice is faster; for cells that cuDNN lacks, to cuDNN's LSTM of the same size (in "
    "brackets).",
    "TF32 is cuDNN in float32 as torch runs it by default; fp32 without. Sluice's bf16 rounds what "
    "is multiplied and keeps sums, states and parameters in float32.",
    "Kernel is the persistent kernel alone: of training, forward / back. Loop × is the ratio to "
    "the equations in a Python loop of torch's operations in float32, to Sluice in bf16.",
]
WAYS = ("inference", "training")
_TORCHS = ("float16", "bfloat16", "float32 TF32", "float32")


def write(source: Path, path: Path) -> None:
    """Render the results in ``source`` as Markdown."""
    content = json.loads(source.read_text(encoding="utf-8"))
    rows = content["rows"]
    cases = {row["what"]: row for row in rows if "numbers" in row}
    lines = ["# Layers on a GPU, inference and training", ""]
    for note in NOTES:
        lines += [note, ""]
    lines += ["| " + " | ".join(COLUMNS) + " |", "|" + "---:|" * len(COLUMNS)]
    for what in sorted(cases, key=_order):
        for way in WAYS:
            lines.append("| " + " | ".join(_cells(what, way, cases)) + " |")
    lines += _list_tilings(rows)
    lines += ["", "Limits of the card:", ""]
    lines += [
        f"- {r['what']}: {r['detail']}" for r in rows if r["job"] == "ceiling" and "value" in r
    ]
    lines += ["", f"Measured on {content.get('date', date.today())}:", ""]
    lines += [
        f"- {r['what']}: {r['detail']}" for r in rows if r["job"] == "machine" and r["detail"]
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _order(what: str) -> tuple[int, int, int]:
    """LSTM first, then the other cells as they come; by size."""
    _, name, batch, hidden = what.split(":")
    names = ("lstm", "gru", "peephole", "own", "layer-norm-lstm")
    return names.index(name), int(hidden), int(batch)


def _cells(what: str, way: str, cases: dict[str, Any]) -> list[str]:
    _, name, batch, hidden = what.split(":")
    row = cases[what]

    def get(kind: str, of: Any = row) -> float | None:
        found: float | None = of["numbers"].get(kind, {}).get(way)
        return found

    cells = [name, f"{row['steps']}×{batch}×{hidden}", way]
    cells += [_format(get(f"cuDNN {dtype}")) for dtype in _TORCHS]
    rival = cases.get(f"case:lstm:{batch}:{hidden}")
    for dtype in ("bfloat16", "float32"):
        ours, theirs = get(f"ours {dtype}"), get(f"cuDNN {dtype}")
        ratio = _ratio(theirs, ours)
        if not theirs and rival is not None and rival is not row:
            ratio = f"({_ratio(get(f'cuDNN {dtype}', rival), ours)})"
        cells += [_format(ours), ratio]
    for dtype in ("bfloat16", "float32"):
        found = row["numbers"].get(f"kernel {dtype}", {})
        parts = ["inference"] if way == "inference" else ["forward", "backward"]
        cells.append(" / ".join(_format(found.get(part)) for part in parts))
    return [*cells, _ratio(get("loop"), get("ours bfloat16"))]


def _list_tilings(rows: list[dict[str, Any]]) -> list[str]:
    """The fastest tilings beside those that are chosen."""
    found = [row for row in rows if "results" in row]
    if not found:
        return []
    note = "Tilings of the bf16 kernels, in µs a step: sequences × units, w warps, s parts"
    more = "of a product's terms, a KiB loaded ahead, r where weights stay on chip."
    lines = ["", f"{note} {more}"]
    lines += ["", "| cell | B×H | direction | chosen | | fastest | |", "|" + "---:|" * 7]
    for row in found:
        _, name, batch, hidden = row["what"].split(":")
        for k, part in enumerate(("forward", "back")):
            best = row["best"][k]
            times = row["results"].get(best)
            fastest = _format(times[k]) if isinstance(times, list) else "-"
            chosen = row["default"][k].partition("/")[0]
            cells = [name, f"{batch}×{hidden}", part, chosen, _format(row["default times"][k])]
            lines.append("| " + " | ".join([*cells, best, fastest]) + " |")
    return lines


def _format(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def _ratio(theirs: float | None, ours: float | None) -> str:
    return "-" if not theirs or not ours else f"{theirs / ours:.2f}"
