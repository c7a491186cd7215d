"""Corrupt programs and calls for the kernels; run as a process that must not crash.

Prints how many were refused and how many ran.
"""

from __future__ import annotations

import os
import random
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent.parent))

import torch

import built_kernels  # noqa: F401
from cell_list import CELLS
from run.cases import draw
from sluice.codegen.body import lanes_per_block
from sluice.equations.specs import Sizes
from sluice.run.kernels import extension, fused
from sluice.run.kernels.call_encoder import CallEncoder
from sluice.run.kernels.compiled_cell import LAYER_CLASSES
from sluice.run.kernels.encode import BACKWARD_CALL, FORWARD_CALL, ProgramEncoder, encode_tensors
from sluice.run.spec import map_parameters_by_name

REFUSALS = (ValueError, MemoryError)


def places(words: list[int]) -> list[int]:
    """The position of each section's tag."""
    found, at = [], 2
    while at < len(words):
        found.append(at)
        at += 2 + words[at + 1]
    assert at == len(words)
    return found


def iterate_malformed(words: list[int]) -> Iterator[list[int]]:
    """Malformed lists: all of them must be refused."""
    for at in (0, 1):
        for change in (-1, 1, 1 << 40):
            yield [*words[:at], words[at] + change, *words[at + 1 :]]
    for length in range(len(words)):
        yield words[:length]
    yield [*words, 0]
    for at in places(words):
        end = at + 2 + words[at + 1]
        yield words[:at] + words[end:]
        for tag in (words[at] - 1, words[at] + 1, -1, 1 << 62):
            yield [*words[:at], tag, *words[at + 1 :]]
        for length in (words[at + 1] - 1, words[at + 1] + 1, -1, 1 << 62):
            yield [*words[: at + 1], length, *words[at + 2 :]]
        if end > at + 2:  # one word less, and the length says so
            yield [*words[: at + 1], words[at + 1] - 1, *words[at + 2 : end - 1], *words[end:]]
        yield [*words[: at + 1], words[at + 1] + 1, *words[at + 2 : end], 0, *words[end:]]


def iterate_changed(words: list[int], fixed: set[int], rng: random.Random) -> Iterator[list[int]]:
    """Lists with some numbers replaced; a few of them may still be valid."""
    free = [k for k in range(len(words)) if k not in fixed]
    for k in free:
        old = words[k]
        for new in {old + 1, old - 1, 0, -1, 1 << 40, -(1 << 63), (1 << 63) - 1, rng.choice(words)}:
            if new != old and abs(new) < 1 << 63:
                yield [*words[:k], new, *words[k + 1 :]]
    for _ in range(1500):
        changed = list(words)
        for k in rng.sample(free, rng.choice((2, 3, 4))):
            changed[k] = rng.choice((rng.randrange(-1, 40), rng.choice(words)))
        yield changed


class Case:
    """A program, and a forward and a backward call of it."""

    def __init__(self, name: str, sizes: Sizes, dtype: torch.dtype, **ways: bool) -> None:
        self.job = draw(CELLS[name]().graph, sizes, 4, 3, dtype=dtype, **ways)
        self.settings = fused.FusedCall.of_spec(self.job)
        cell = self.settings.cell
        self.bits = cell.bits
        self.layer_class = getattr(
            extension.load_extension(), LAYER_CLASSES[self.settings.precision]
        )
        program = ProgramEncoder(cell.graph, cell.program, cell.sizes, cell.bodies.addresses)
        self.program, self.bodies = program.encode(), program.encode_bodies()
        parameters = map_parameters_by_name(cell.graph, self.job.parameters)
        self.parameters = encode_tensors(*(parameters.get(p.name) for p in cell.graph.parameters))
        self._calls()

    def _calls(self) -> None:
        job, s = self.job, self.settings
        like = torch.empty_like
        self.y = job.x.new_empty(4, 3, job.sizes.of(job.graph.states[0].width))
        self.forward_call = CallEncoder(FORWARD_CALL, s, job.x, job.states, self.y)
        self.backward_call = CallEncoder(BACKWARD_CALL, s, job.x, job.states, self.y)
        self.outputs = [like(t) for t in job.states]
        self.gradients = [torch.ones_like(t) for t in (self.y, *job.states)]
        self.targets = [like(t) for t in (job.x, *job.states)]
        self.restart = [torch.zeros_like(t) for t in (job.learned_initial_states or ())]
        parameters = map_parameters_by_name(job.graph, job.parameters)
        self.learned = [
            torch.zeros_like(parameters[p.name]) if p.name in parameters else None
            for p in job.graph.parameters
        ]
        self.forward_call.add_section(6, self.outputs)
        self.backward_call.add_section(6, self.gradients)
        self.backward_call.add_section(7, self.targets)
        self.backward_call.add_section(8, self.restart)
        self.backward_call.add_section(9, self.learned)

    def make(self, words: list[int]) -> object:
        lanes = lanes_per_block(self.bits)
        return extension.load_extension().Program(words, self.bodies, lanes, self.settings.cell)

    def run(self, program: object, forward: list[int], backward: list[int]) -> None:
        layer = self.layer_class(program, self.parameters, True, 1)
        tape = layer.forward(forward, True)
        layer.forward(forward, False)
        layer.backward(backward, tape)
        tape = self.layer_class.forward_once(program, self.parameters, forward, True)
        self.layer_class.backward_once(program, self.parameters, backward, tape)

    def whole(self, words: list[int]) -> None:
        """Run a program forward and backward, if it is one."""
        self.run(self.make(words), self.forward_call.integers, self.backward_call.integers)


def addresses(words: list[int]) -> set[int]:
    """Positions of addresses in a call: memory there cannot be checked."""
    found: set[int] = set()
    for at in places(words):
        tag, length = words[at], words[at + 1]
        if tag == 5:  # masks: two distances, then an array
            found |= set(range(at + 4, at + 2 + length, 4))
        elif tag != 1:
            found |= set(range(at + 2, at + 2 + length, 2))
    return found


def attempt(counts: dict[str, int], run: Callable[..., None], *arguments: object) -> None:
    try:
        run(*arguments)
        counts["ran"] += 1
    except REFUSALS as refusal:
        assert isinstance(refusal, MemoryError) or "expected" in str(refusal), refusal
        counts["refused"] += 1


def main(name: str, sizes: tuple[int, int, int], bits: int, ways: list[str]) -> None:
    torch.set_num_threads(1)
    if "libasan" not in os.environ.get("LD_PRELOAD", ""):  # absurd sizes are refused, not tried
        resource.setrlimit(resource.RLIMIT_AS, (1 << 36, 1 << 36))
    dtype = torch.float32 if bits == 32 else torch.float64
    case, rng = Case(name, Sizes(*sizes), dtype, **dict.fromkeys(ways, True)), random.Random(0)
    case.whole(case.program)
    program = case.make(case.program)
    forward, backward = case.forward_call.integers, case.backward_call.integers

    counts = {"refused": 0, "ran": 0}
    for words in iterate_malformed(case.program):
        attempt(counts, case.whole, words)
    for words in iterate_malformed(forward):
        attempt(counts, case.run, program, words, backward)
    for words in iterate_malformed(backward):
        attempt(counts, case.run, program, forward, words)
    assert counts["ran"] == 0 and counts["refused"] > 100, counts
    sys.stdout.write(f"broken {counts}\n")

    counts = {"refused": 0, "ran": 0}
    for words in iterate_changed(case.program, set(), rng):
        attempt(counts, case.whole, words)
    for words in iterate_changed(forward, addresses(forward), rng):
        attempt(counts, case.run, program, words, backward)
    for words in iterate_changed(backward, addresses(backward), rng):
        attempt(counts, case.run, program, forward, words)
    assert counts["refused"] > 10 * counts["ran"] > 0, counts
    sys.stdout.write(f"flipped {counts}\n")


if __name__ == "__main__":
    main(sys.argv[1], (5, 18, 9), int(sys.argv[2]), sys.argv[3:])
