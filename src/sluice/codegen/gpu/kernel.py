"""The text of a kernel: one direction of a program, all steps in one launch.

A program owns a tile of units and sequences for all steps, so that what is elementwise stays in
registers from one step to the next: states on the way forward, their gradients on the way back,
sums over rows. What other programs read is stored first, then the program *arrives*; while it
waits for the others it stores what nobody waits for and loads what its next step needs.

A recurrent network as one persistent kernel: Diamos et al. 2016, "Persistent RNNs: stashing
recurrent weights on-chip".
"""

from __future__ import annotations

from sluice.codegen.body import LOAD, SCALAR
from sluice.codegen.gpu.layout import Addresses, KernelShape
from sluice.codegen.gpu.meetings import find_meetings, find_wide_buffers
from sluice.codegen.gpu.norms import find_partial_phases
from sluice.codegen.gpu.operations import PRELUDE
from sluice.codegen.gpu.phase import PhaseEmitter
from sluice.codegen.gpu.text import TextBuilder

CONSTEXPRS = (
    "BM",
    "BN",
    "BK",
    "ACC",
    "DOT",
    "MUL",
    "OUT",
    "PRECISION",
    "MEET",
    "LENGTHS",
    "RESETS",
    "PREVIOUS",
    "FLIP",
    "TRAIN",
)
"""Arguments that are fixed when a kernel is compiled."""
SCALARS = ("B", "T", "PID0")
"""Arguments that are integers."""


def emit_kernel(shape: KernelShape) -> tuple[str, tuple[str, ...]]:
    """The source of a module with the function ``kernel``, and the names of its other arguments.

    These are tensors: ``P3`` is buffer 3, ``S0`` the tape of state 0, ``X0`` the same in the type
    of products, ``R0`` what it restarts from, ``W_hh`` and ``B_hh`` weights and biases, ``M0`` a
    mask with its strides ``M0_time`` and ``M0_row``, ``Y`` the output, ``LEN`` lengths, ``RST``
    resets, ``G0`` and ``GO0`` gradients of the last and first state, ``RG0`` those of restarts,
    ``Q1_0`` and ``QN1_0`` partial statistics and how many units each is of, ``BAR`` counters of
    arrivals.
    """
    return _KernelEmitter(shape).emit()


class _KernelEmitter:
    """Emits the loop over time around the phases."""

    def __init__(self, shape: KernelShape) -> None:
        self.shape, self.text = shape, TextBuilder()
        self.phases = shape.phases
        self.at = Addresses(shape)
        self.partial = find_partial_phases(shape)
        self.meets = find_meetings(shape.program, shape.part, self.partial)
        self.wide = find_wide_buffers(shape.program, shape.part, self.partial)
        self.prefetched = self._find_prefetched()
        self.emitter = PhaseEmitter(
            shape, self.text, self.at, self.wide, self.partial, dict(self.prefetched)
        )

    @property
    def is_backward(self) -> bool:
        return self.shape.part == "backward"

    def emit(self) -> tuple[str, tuple[str, ...]]:
        line = self.text
        line.depth = 1
        self._emit_head()
        if self.shape.is_resident:
            for number, phase in enumerate(self.phases):
                self.emitter.products.emit_weights(number, phase)
        self.emitter.emit_constants()
        self._emit_carried()
        if self.meets[0]:
            self._emit_arrival()
        with line.block("for step in tl.range(0, T, num_stages=1):"):
            line("t = zero + ((T - 1 - step) if FLIP else step)")
            self._emit_step()
        self._emit_end()
        arguments = tuple(self.at.arguments)
        constexprs = ", ".join(f"{name}: tl.constexpr" for name in CONSTEXPRS)
        names = ", ".join((*SCALARS, *arguments))
        fixed = ", ".join(repr(name) for name in SCALARS)
        head = [
            f"@triton.jit(do_not_specialize=[{fixed}])",
            f"def kernel({names}, {constexprs}):",
        ]
        return "\n".join([PRELUDE, "", *head, *line.lines, ""]), arguments

    def _emit_head(self) -> None:
        line, shape = self.text, self.shape
        line("zero = tl.full([], 0, tl.int64)")
        line("program = tl.program_id(0) + PID0")
        line(f"unit_tile = program % {shape.unit_programs}")
        line(f"row_tile = program // {shape.unit_programs}")
        line("rows = row_tile * BM + tl.arange(0, BM)")
        line("inside = rows < B")
        line("row = rows[:, None]")
        for number, width in enumerate(shape.widths):
            total, per_head = shape.width(width), shape.count_tiles_per_head(width)
            units = total // shape.count_heads(width)
            line(f"first{number} = unit_tile // {per_head} * {units}")
            line(f"local = unit_tile % {per_head} * BN + tl.arange(0, BN)")
            line(f"u{number} = first{number} + local")
            line(f"is_unit{number} = (local < {units}) & (u{number} < {total})")
            line(f"m{number} = inside[:, None] & is_unit{number}[None, :]")
        with line.block("if LENGTHS:"):
            line(f"length = tl.load({self.at.argument('LEN')} + rows, mask=inside, other=0)")
        line("goal = tl.full([], 0, tl.int32)")
        line("is_met = goal == 0  # otherwise what follows is NaN")

    # What stays from one step to the next

    def _find_prefetched(self) -> list[tuple[tuple[int, int], str]]:
        """What bodies read that is known before the step: by buffer and item, a variable each."""
        written: set[int] = set()
        for phase in self.phases:
            written |= {
                phase.buffers[a.slot] for _, a in (phase.body.outputs if phase.body else ())
            }
            written |= {product.target for product in phase.products}
            written |= {statistics.target for statistics in phase.statistics}
            written |= {mean.target for mean in phase.means}
        found: dict[tuple[int, int], str] = {}
        for phase in self.phases:
            for _, access in phase.body.inputs if phase.body else ():
                k = phase.buffers[access.slot]
                role = self.shape.buffer(k).role
                if access.kind not in (LOAD, SCALAR) or k in written or role == "flow":
                    continue
                if role == "previous" and not self.is_backward:
                    continue
                found.setdefault((k, access.item), f"early{len(found)}")
        return list(found.items())

    def _emit_prefetch(self, prefix: str, time: str, more: str) -> None:
        """Load what the step ``time`` needs into variables that begin with ``prefix``."""
        line, at = self.text, self.at
        with line.block("if RESETS:"):
            line(
                f"{prefix}begins = tl.load({at.argument('RST')} + {time} * B + rows, "
                f"mask=inside & {more}, other=0) != 0"
            )
        for (k, item), name in self.prefetched:
            buffer = self.shape.buffer(k)
            if not buffer.width:
                where = at.scalar(k, item, time)
                line(f"{prefix}{name} = tl.load({where}, mask=inside & {more}, other=0.0)")
                continue
            w = self.shape.widths.index(buffer.width)
            where = at.value(k, item, f"u{w}[None, :]", time)
            line(f"{prefix}{name} = tl.load({where}, mask=m{w} & {more}, other=0.0).to(ACC)")
            if buffer.role == "previous":
                with line.block("if RESETS:"):
                    fresh = f"{at.argument(f'R{buffer.index}')} + u{w}"
                    line(f"fresh = tl.load({fresh}, mask=is_unit{w}, other=0.0)[None, :]")
                    value = f"{prefix}{name}"
                    line(f"{value} = tl.where({prefix}begins[:, None], fresh, {value})")

    def _emit_carried(self) -> None:
        line, at, shape = self.text, self.at, self.shape
        line("first_time = zero + ((T - 1) if FLIP else 0)")
        line("is_any = T > 0")
        self._emit_prefetch("", "first_time", "is_any")
        for number, state in enumerate(shape.graph.states):
            w = shape.widths.index(state.width)
            width = shape.width(state.width)
            if self.is_backward:
                where = f"{at.argument(f'G{number}')} + row * {width} + u{w}[None, :]"
                line(f"flow{number} = tl.load({where}, mask=m{w}, other=0.0)")
                with line.block("if RESETS:"):
                    line(f"restart{number} = tl.zeros([BM, BN], ACC)")
                continue
            where = at.state(number, f"u{w}[None, :]", "(first_time + PREVIOUS)")
            line(f"own{number} = tl.load({where}, mask=m{w}, other=0.0)")
            with line.block("if RESETS:"):
                name = at.argument(f"R{number}")
                line(f"fresh{number} = tl.load({name} + u{w}, mask=is_unit{w}, other=0.0)[None, :]")
        for k, item in self.emitter.row_gradients:
            line(f"sum{k}_{item} = tl.zeros([BM, BN], ACC)")

    # A step

    def _emit_step(self) -> None:
        line, shape = self.text, self.shape
        line("live = inside")
        with line.block("if LENGTHS:"):
            line("live = inside & (t < length)")
        line("alive = live[:, None]")
        if not self.is_backward:
            for number, _ in enumerate(shape.graph.states):
                with line.block("if RESETS:"):
                    line(f"own{number} = tl.where(begins[:, None], fresh{number}, own{number})")
        count = len(self.phases)
        arrives = [self.meets[(number + 1) % count] for number in range(count)]
        last = max((n for n, is_arrival in enumerate(arrives) if is_arrival), default=count - 1)
        self.emitter.begin_step()
        for number, phase in enumerate(self.phases):
            if self.meets[number]:
                self._emit_wait()
            self.emitter.emit_compute(number, phase)
            if arrives[number]:
                self._emit_arrival()
            if number == last:
                line("next_time = (t - 1) if FLIP else (t + 1)")
                line("is_more = step + 1 < T")
                self._emit_prefetch("next_", "next_time", "is_more")
            self.emitter.emit_deferred_stores()
        if self.is_backward:
            self._emit_gradients_of_states()
        else:
            for number, _ in enumerate(shape.graph.states):
                line(f"own{number} = new{number}")
        for name in [name for _, name in self.prefetched]:
            line(f"{name} = next_{name}")
        with line.block("if RESETS:"):
            line("begins = next_begins")

    def _emit_gradients_of_states(self) -> None:
        """Rows that have ended pass their gradient on; those that begin give it to the restart."""
        line = self.text
        for number, _ in enumerate(self.shape.graph.states):
            line(f"found = tl.where(alive, {self.emitter.get_flow(number)}, flow{number})")
            with line.block("if RESETS:"):
                line("is_fresh = (begins & live)[:, None]")
                line(f"restart{number} += tl.where(is_fresh, found, 0.0)")
                line("found = tl.where(is_fresh, 0.0, found)")
            line(f"flow{number} = tl.where(is_met, found, float('nan')) if MEET else found")

    @property
    def _counter(self) -> str:
        group = self._group
        base = f"{self.at.argument('BAR')} + row_tile * {32 * (self.shape.unit_programs // group)}"
        return base if group == self.shape.unit_programs else f"{base} + unit_tile // {group} * 32"

    @property
    def _group(self) -> int:
        """How many programs wait for each other: those of one head where heads are separate."""
        shape = self.shape
        is_separate = len(shape.widths) == 1 and not any(
            p.statistics or p.means for p in self.phases
        )
        heads = {shape.stack(x.stack).heads for phase in self.phases for x in phase.products}
        if is_separate and heads == {shape.count_heads(shape.widths[0])}:
            return shape.count_tiles_per_head(shape.widths[0])
        return shape.unit_programs

    def _emit_arrival(self) -> None:
        if self._group == 1:
            self.text("tl.debug_barrier()")
            return
        with self.text.block("if MEET:"):
            self.text(f"_arrive({self._counter})")
        with self.text.block("else:"):
            self.text("tl.debug_barrier()")

    def _emit_wait(self) -> None:
        if self._group == 1:
            return
        with self.text.block("if MEET:"):
            self.text(f"goal += {self._group}")
            self.text(f"is_met = _wait({self._counter}, goal, is_met)")

    def _emit_end(self) -> None:
        """What was summed over all steps."""
        line, shape, at = self.text, self.shape, self.at
        if self.is_backward:
            for number, state in enumerate(shape.graph.states):
                w, width = shape.widths.index(state.width), shape.width(state.width)
                where = f"{at.argument(f'GO{number}')} + row * {width} + u{w}[None, :]"
                line(f"tl.store({where}, flow{number}, mask=m{w})")
                with line.block("if RESETS:"):
                    where = f"{at.argument(f'RG{number}')} + row_tile * {width} + u{w}"
                    line(f"total = tl.sum(tl.where(m{w}, restart{number}, 0.0), 0)")
                    line(f"tl.store({where}, total, mask=is_unit{w})")
        for k, item in self.emitter.row_gradients:
            buffer = shape.buffer(k)
            w, width = shape.widths.index(buffer.width), shape.width(buffer.width)
            first = f"row_tile * {buffer.items * width} + {item * width}"
            where = f"{at.argument(f'P{k}')} + {first} + u{w}"
            line(f"tl.store({where}, tl.sum(sum{k}_{item}, 0), mask=is_unit{w})")
