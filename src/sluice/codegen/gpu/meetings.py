"""Where programs must meet: before a phase that reads what others have written in this step.

A program owns some units of some sequences. A product, a norm or a mean reads whole rows, which
several programs have written. Before such a phase all of them must have stored their parts; and a
buffer that is used again at every step must not be overwritten while others still read it.
"""

from __future__ import annotations

from sluice.codegen.program import STEP, Phase, Program

_Key = tuple[str, int]


def find_wide_buffers(program: Program, part: str, partial: set[int]) -> set[int]:
    """The buffers whose rows some phase of ``part`` reads; arguments as of `find_meetings`."""
    found: set[int] = set()
    for number, phase in enumerate(get_phases(program, part)):
        found |= _list_wide_reads(phase, number in partial)
    states = {program.buffers[k].index for k in found if program.buffers[k].role == "previous"}
    return found | {
        k
        for k, buffer in enumerate(program.buffers)
        if buffer.role == "next" and buffer.index in states
    }


def find_meetings(program: Program, part: str, partial: set[int]) -> list[bool]:
    """Before which phases of a step all programs of a batch tile must have met.

    Args:
        program: The program.
        part: ``"forward"`` or ``"backward"``.
        partial: The phases whose statistics are combined from what each program finds in its own
            tile.
    """
    phases = get_phases(program, part)
    meets = [False] * len(phases)
    for _ in range(len(phases) + 1):  # a meeting that is found changes what later ones must cover
        written, read = set[_Key](), set[_Key]()
        for _ in range(2):  # two steps, so that what crosses from one to the next is seen
            for number, phase in enumerate(phases):
                reads = {_key(program, k) for k in _list_wide_reads(phase, number in partial)}
                if number in partial:
                    reads.add(("partial", number))
                writes = _list_writes(program, phase)
                if (number + 1) in partial:
                    writes.add(("partial", number + 1))
                reused = {key for key in writes if _is_reused(program, key)}
                if reads & written or reused & read:
                    meets[number] = True
                if meets[number]:
                    written, read = set(), set()
                written |= writes
                read |= reads
    return meets


def get_phases(program: Program, part: str) -> list[Phase]:
    """The phases of ``"forward"`` or ``"backward"``."""
    return program.forward if part == "forward" else program.backward


def _list_wide_reads(phase: Phase, has_partial: bool) -> set[int]:
    found = {product.operand for product in phase.products}
    found |= {mean.source for mean in phase.means}
    if not has_partial:
        found |= {k for statistics in phase.statistics for k, _ in statistics.sources}
    return found


def _list_writes(program: Program, phase: Phase) -> set[_Key]:
    outputs = phase.body.outputs if phase.body is not None else ()
    found = {_key(program, phase.buffers[access.slot]) for _, access in outputs}
    if phase.body is None:
        found |= {_key(program, product.target) for product in phase.products}
    return found


def _key(program: Program, k: int) -> _Key:
    """A buffer's key; the states of all steps are one tape, whichever step they are seen from."""
    buffer = program.buffers[k]
    return ("state", buffer.index) if buffer.role in ("previous", "next") else ("buffer", k)


def _is_reused(program: Program, key: _Key) -> bool:
    """Whether the same memory is written again at every step."""
    kind, k = key
    return kind == "partial" or (kind == "buffer" and program.buffers[k].scope == STEP)
