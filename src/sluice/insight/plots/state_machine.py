"""State diagrams: circles for states, double ones for accepting, arrows with their symbols."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.insight.machines.state_machine import StateMachine, StateMachineError
from sluice.insight.plots.canvas import Canvas, document_plot
from sluice.insight.plots.machine_layout import Arrow, Diagram, lay_out, split_label
from sluice.insight.plots.style import LARGE, NORMAL, SMALL
from sluice.render.theme import Theme

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MARGIN = 0.12
_MOST = 40


@document_plot
def plot_state_machine(
    machine: StateMachine,
    *,
    show_traps: bool = True,
    title: str | None = None,
    theme: str = "light",
) -> Figure:
    """The state diagram of a machine, as textbooks draw it.

    A short arrow leads to the start; accepting states have double circles; a machine that shows
    texts has them below the states' numbers or names. States stand in columns by their distance
    from the start, in a row below them the traps, faint: states that no symbol leaves.

    Args:
        machine: What to draw, up to 40 states.
        show_traps: Whether to draw traps that do not accept, and the arrows into them. Textbooks
            often leave them out: a word without an arrow is then rejected.

    Raises:
        StateMachineError: the machine has more than 40 states.

    Example:
        >>> from sluice.insight import StateMachine, plots
        >>> parity = StateMachine(("0", "1"), ((0, 1), (1, 0)), (False, True))
        >>> picture = plots.plot_state_machine(parity)
        >>> sorted(text.get_text() for text in picture.axes[0].texts if text.get_text())
        ['0', '0', '0', '1', '1', '1']
    """
    if len(machine) > _MOST:
        raise StateMachineError(
            f"a diagram has at most {_MOST} states, and this machine has {len(machine)}; draw "
            "machine.minimise(), or a machine for shorter words"
        )
    traps = {s for s in machine.find_traps() if s != machine.start and machine.outputs[s] is False}
    hidden = set() if show_traps else traps
    radius = 0.27 if machine.names is None and machine.is_acceptor else 0.4
    diagram = lay_out(machine, radius, 1.25 * NORMAL / 72, 0.62 * NORMAL / 72, hidden)
    low, high = diagram.bounds
    start = diagram.centres[machine.start]
    low = low.clip(max=[start[0] - radius - 0.45, low[1]]) - _MARGIN
    width, height = high + _MARGIN - low
    head = 0.3 if title else 0.0
    canvas = Canvas(theme, float(width), float(height + head))
    canvas.figure.set_layout_engine("none")
    axes = canvas.figure.add_axes((0.0, 0.0, 1.0, float(height / (height + head))))
    axes.set_xlim(low[0], low[0] + width)
    axes.set_ylim(low[1], low[1] + height)
    axes.axis("off")
    if title:
        place = 1 - 0.08 / (height + head)
        canvas.figure.text(0.5, place, title, ha="center", va="top", fontsize=LARGE,
                           color=canvas.theme.ink)  # fmt: skip
    for arrow in diagram.arrows:
        faint = arrow.target in traps
        _draw_arrow(axes, arrow, canvas.theme, faint)
    _draw_line(axes, [start - [radius + 0.42, 0], start - [radius + 0.02, 0]], canvas.theme.ink)
    for state in range(len(machine)):
        if state not in hidden:
            _draw_state(axes, diagram, machine, state, canvas.theme, state in traps)
    return canvas.figure


def _draw_state(
    axes: Axes, diagram: Diagram, machine: StateMachine, state: int, theme: Theme, faint: bool
) -> None:
    from matplotlib.patches import Circle

    x, y = map(float, diagram.centres[state])
    output = machine.outputs[state]
    line = _mix(theme) if faint else theme.ink
    for inset in (0.0, 0.05)[: 1 + (output is True)]:
        circle = Circle(
            (x, y),
            diagram.radius - inset,
            facecolor=theme.body,
            edgecolor=line,
            linewidth=1.2,
            zorder=4,
        )
        axes.add_patch(circle)
    name = str(state) if machine.names is None else machine.names[state]
    text = isinstance(output, str) and output != name
    axes.text(x, y + 0.09 * text, name, ha="center", va="center", color=line,
              fontsize=NORMAL, zorder=5)  # fmt: skip
    if text:
        axes.text(x, y - 0.12, str(output), ha="center", va="center", color=theme.lines[0],
                  fontsize=SMALL, zorder=5)  # fmt: skip


def _draw_arrow(axes: Axes, arrow: Arrow, theme: Theme, faint: bool) -> None:
    colour = _mix(theme) if faint else theme.ink
    _draw_line(axes, list(arrow.control), colour)
    x, y = map(float, arrow.box.centre)
    axes.text(
        x,
        y,
        split_label(arrow.symbols),
        ha="center",
        va="center",
        multialignment="center",
        fontsize=NORMAL,
        linespacing=1.05,
        color=colour,
        zorder=3,
        bbox={"facecolor": theme.page, "edgecolor": "none", "pad": 1.2},
    )


def _draw_line(axes: Axes, control: list[object], colour: str) -> None:
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    codes = {
        2: [Path.MOVETO, Path.LINETO],
        3: [Path.MOVETO, Path.CURVE3, Path.CURVE3],
        4: [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4],
    }[len(control)]
    axes.add_patch(
        FancyArrowPatch(
            path=Path(control, codes),  # type: ignore[arg-type]
            arrowstyle="-|>,head_length=5,head_width=2.4",
            color=colour,
            linewidth=1.1,
            shrinkA=0,
            shrinkB=0,
            zorder=2,
            mutation_scale=1.0,
        )
    )


def _mix(theme: Theme) -> str:
    """A colour for what is faint: half ink, half paper."""
    from matplotlib.colors import to_hex, to_rgb

    (a, b, c), (x, y, z) = to_rgb(theme.ink), to_rgb(theme.page)
    return to_hex((0.6 * a + 0.4 * x, 0.6 * b + 0.4 * y, 0.6 * c + 0.4 * z))
