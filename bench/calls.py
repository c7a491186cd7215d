"""Calls as other programs make them, compared with torch: one step, short sequences, few units.

    python bench/calls.py [programs LSTM GRU RNN LSTMCell GRUCell RNNCell] [--only TEXT]
        [--rounds 5]

Groups that are not measured keep their rows in the table. A row takes about a second.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Mapping

import torch
from call_cases import Case, list_cases
from paired import RESULTS, Report, measure_paired
from torch import nn

import sluice

BLOCK = 0.02
COLUMNS = ["group", "program", "call", "torch ms", "training", "torch ms", "inference"]
NOTES = [
    "Sizes are time×batch×input (batch first where the program has it so). Training is a forward "
    "and a backward pass, without an optimizer; both columns are Sluice's time as a part of "
    "torch's, in turns in one run, both with the same weights and at their default settings.",
]


def main() -> None:
    """Measure the groups asked for, and save the table."""
    groups = list(dict.fromkeys(case.group for case in list_cases()))
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("groups", nargs="*", default=groups)
    arguments.add_argument("--only", default="", help="rows whose text holds this; none is saved")
    arguments.add_argument("--rounds", type=int, default=5)
    wanted = arguments.parse_args()
    report = Report("calls", "Calls as other programs make them", COLUMNS, NOTES)
    kept = {} if wanted.only else _read_rows(groups)
    for group in groups:
        if group not in wanted.groups:
            report.rows += kept.get(group, [])
            continue
        for case in list_cases():
            if case.group == group and wanted.only in f"{case.program} {case.call}":
                report.add(*_measure(case, wanted.rounds))
    report.notes = [*NOTES, *_summarise(report.rows)]
    report.console.print(*report.notes[1:], sep="\n")
    if not wanted.only:
        report.keep()


def _measure(case: Case, rounds: int) -> list[str]:
    torch.manual_seed(0)
    theirs, ours = case.make(nn), case.make(sluice.nn)
    ours.load_state_dict(theirs.state_dict())
    with torch.no_grad():
        found, expected = ours.eval()(case.x), theirs.eval()(case.x)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    cells = [case.group, case.program, case.call]
    for make, training in ((_train, True), (_infer, False)):
        functions = {
            "torch": make(theirs.train(training), case),
            "sluice": make(ours.train(training), case),
        }
        times = measure_paired(functions, rounds, BLOCK)
        cells += [f"{times['torch'] * 1e3:.3f}", f"{times['sluice'] / times['torch']:.2f}"]
    return cells


def _train(model: nn.Module, case: Case) -> Callable[[], object]:
    upstream = torch.randn_like(model(case.x))

    def call() -> None:
        model(case.x).backward(upstream)
        for parameter in model.parameters():
            parameter.grad = None

    return call


def _infer(model: nn.Module, case: Case) -> Callable[[], object]:
    def call() -> None:
        with torch.no_grad():
            model(case.x)

    return call


def _read_rows(groups: list[str]) -> dict[str, list[list[str]]]:
    """The rows that the table has now, by group."""
    path, found = RESULTS / "calls.md", dict[str, list[list[str]]]()
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else []:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if cells[0] in groups and len(cells) == len(COLUMNS):
            found.setdefault(cells[0], []).append(cells)
    return found


def _summarise(rows: list[list[str]]) -> list[str]:
    """The median of each group, and how many rows are slower than torch."""
    parts: Mapping[str, list[list[str]]] = {
        group: [row for row in rows if row[0] == group]
        for group in dict.fromkeys(row[0] for row in rows)
    }
    found = []
    for name, place in (("Training", 4), ("Inference", 6)):
        medians = ", ".join(
            f"{group} {statistics.median(float(row[place]) for row in part):.2f}"
            for group, part in parts.items()
        )
        slower = [f"{row[2]} ({row[place]})" for row in rows if float(row[place]) > 1]
        found.append(
            f"{name}, the medians: {medians}. Slower than torch: {len(slower)} of "
            f"{len(rows)}{': ' if slower else ''}{'; '.join(slower)}."
        )
    return found


if __name__ == "__main__":
    main()
