"""`Monitor`: looks into a model while it is trained."""

from __future__ import annotations

import time
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from torch import nn

from sluice.files import StrPath
from sluice.insight.monitor.diagnosis import Diagnosis
from sluice.insight.monitor.errors import MonitorError
from sluice.insight.monitor.flow import measure_flow
from sluice.insight.monitor.journal import JournalWriter
from sluice.insight.monitor.log import DiagnosisLog
from sluice.insight.monitor.measuring import LayerMeasurement, measure_layer
from sluice.insight.monitor.observation import LayerObservation, Observation
from sluice.insight.monitor.passes import MonitorTape, SequenceMarks, choose_rows
from sluice.insight.monitor.schedule import MonitorCost, ObservationSchedule
from sluice.insight.monitor.thresholds import find_faults
from sluice.insight.monitor.window import LayerWindow
from sluice.insight.recording.recorded import RecordedLayer
from sluice.nn.stack import RecurrentStack
from sluice.run.recording.recorded_calls import RecordedCalls

if TYPE_CHECKING:
    from rich.console import RenderableType

_KEPT = 512


class MonitorWarning(UserWarning):
    """What a monitor says of a training."""


class Monitor:
    """Looks into a model's recurrent layers while it is trained, in any training loop.

    In some of the steps it records what the layers compute, and measures of each layer and
    direction, of a few sequences: the gates' means and saturation, norms of the loss's derivatives
    by gates and states, how much of a gradient at the last state arrives at each earlier step,
    timescales, units that are dead. Outputs, gradients and random numbers of the training stay bit
    for bit what they are without it, on the kernels and the reference; an observed step of a layer
    that would run on torch's own kernels, which show no gates, runs on Sluice's, equal up to
    rounding.

    What is wrong in several observations in a row is said once, as a sentence with what is usually
    done, and taken back when it is over (`sluice.insight.Diagnosis`).

    Args:
        model: the model, with layers of `sluice.nn`; what `DistributedDataParallel` wraps or is.
        every: observe every so many steps; None to keep to `budget`.
        budget: the share of the time of forward and backward passes that observing may take,
            measured in this process. The first ten seconds' share may be spent in advance.
        sequences: how many sequences of a batch are looked at.
        patience: how many observations in a row must agree before something is said.
        settle: how many first steps are not judged, while the weights are nearly random.
        journal: a file to append observations to, such as `"out/monitor.jsonl"`, which
            ``sluice look --live`` follows.
        on_observation: called with each `Observation`.
        on_message: called with each sentence; by default it is a `MonitorWarning`.
        clock: monotonic seconds.

    Attributes:
        observations: the latest `Observation` objects, at most 512.
        cost: what observing has cost, in seconds.

    Raises:
        MonitorError: the model has no recurrent layer to look into, or is compiled; an argument out
            of range.

    Example:
        >>> import torch, sluice
        >>> model, data = sluice.nn.LSTM(3, 8), torch.randn(30, 5, 4, 3)   # 30 batches
        >>> monitor = sluice.insight.Monitor(model, every=10)
        >>> for x in data:                                 # time, batch, input
        ...     with monitor.observe():
        ...         model(x)[0].square().mean().backward()
        >>> [one.step for one in monitor.observations]
        [1, 11, 21]
        >>> forget = monitor.observations[-1].layers["l0"].values["forget"]
        >>> 0.3 < forget.mean < 0.7
        True
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        every: int | None = None,
        budget: float = 0.02,
        sequences: int = 4,
        patience: int = 5,
        settle: int = 20,
        journal: StrPath | None = None,
        on_observation: Callable[[Observation], None] | None = None,
        on_message: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        for name, value in (("every", every), ("sequences", sequences), ("patience", patience)):
            if value is not None and value < 1:
                raise MonitorError(f"{name} must be at least 1, got {value}.")
        if not 0 < budget <= 1:
            raise MonitorError(f"budget must be above 0 and at most 1, got {budget}.")
        self.model, self.sequences = model, sequences
        self.patience, self.settle = patience, settle
        self._listeners = [] if on_observation is None else [on_observation]
        self.on_message = on_message or _warn
        self.observations: deque[Observation] = deque(maxlen=_KEPT)
        self.step = 0
        self._clock, self._started = clock, clock()
        self._schedule = ObservationSchedule(every, budget)
        self._log, self._windows = DiagnosisLog(patience), dict[str, LayerWindow]()
        self._watched, self._said = 0, set[str]()
        self.journal = journal
        self._writer: JournalWriter | None = None
        self._make_tape()  # refuses here what it cannot look into
        self._find_hidden_layers()

    @property
    def cost(self) -> MonitorCost:
        return self._schedule.cost

    @property
    def diagnoses(self) -> tuple[Diagnosis, ...]:
        """What is wrong now."""
        return self._log.active

    @contextmanager
    def observe(
        self, *, step: int | None = None, loss_scale: float | Callable[[], float] = 1.0
    ) -> Iterator[None]:
        """Surround the forward and backward pass of one step; observe it if it is due.

        Leave `optimizer.step()` out of the block. If it holds several calls of a layer, the last
        that recorded derivatives is looked at. Under gradient accumulation surround the last of the
        passes of an update, or each of them.

        Args:
            step: the step's number; None to count the blocks.
            loss_scale: what the loss is multiplied by before the backward pass, or a function that
                is asked for it afterwards: `scaler.get_scale` under automatic mixed precision.

        Raises:
            RuntimeError: the model runs under a compiler or a transform of `torch.func`; a call
                that cannot be recorded.
        """
        self.step = self.step + 1 if step is None else step
        self._watched += 1
        if not self._schedule.is_due():
            started = self._clock()
            yield
            self._schedule.add_plain(self._clock() - started)
            return
        started = self._clock()
        with self._make_tape() as tape:
            yield
        ended = self._clock()
        scale = loss_scale() if callable(loss_scale) else loss_scale
        self._finish(tape, float(scale))
        self._schedule.add_observed(ended - started, self._clock() - ended)

    def subscribe(self, listener: Callable[[Observation], None]) -> None:
        """Call `listener` with each observation from now on."""
        self._listeners.append(listener)

    def begin(self, step: int = 0) -> None:
        """Open the journal, if there is one; without this the first observation does.

        Args:
            step: how many steps were done before. At 0 an older journal is replaced; a training
                that goes on continues it.

        Raises:
            OSError: the file cannot be written to.
        """
        if self.journal is not None:
            self._writer = JournalWriter(self.journal, step)

    def close(self, reason: str = "end") -> None:
        """Say in the journal that the training has ended, and close it."""
        if self._writer is not None:
            self._writer.close(reason)

    def __rich__(self) -> RenderableType:
        """The display of the latest observation, for `rich.print(monitor)`."""
        from sluice.insight.monitor.display import render_observations

        return render_observations(self.observations)

    def _make_tape(self) -> MonitorTape:
        try:
            return MonitorTape(self.model)
        except ValueError as error:
            raise MonitorError(f"{str(error).rstrip('.')}.") from None

    def _find_hidden_layers(self) -> None:
        """Say which layers of torch's are not seen beside those that are."""
        for name, module in self.model.named_modules():
            if isinstance(module, nn.RNNBase) and not isinstance(module, RecurrentStack):
                self._say_once(
                    f"The gates of {name}, a {type(module).__name__} of torch's, cannot be seen; "
                    "sluice.nn.convert(model) makes it one of Sluice's with the same weights."
                )

    def _finish(self, tape: MonitorTape, scale: float) -> None:
        seen: dict[str, LayerObservation] = {}
        judged = self._watched > self.settle
        for label, measurement in self._measure(tape, scale):
            if judged:
                window = self._windows.setdefault(label, LayerWindow(self.patience))
                seen[label] = window.add(measurement)
            else:
                seen[label] = measurement.seen
        if not seen:
            self._say_once(
                "Nothing was seen: no recurrent layer of the model ran inside the block of "
                "monitor.observe(); call the model and backward() inside it."
            )
            return
        faults = [one for label, of in seen.items() for one in find_faults(label, of)]
        change = self._log.add(faults if judged else [], self.step)
        observation = Observation(
            step=self.step,
            seconds=self._clock() - self._started,
            share=self.cost.share,
            layers=seen,
            diagnoses=self._log.active,
            raised=change.raised,
            withdrawn=change.withdrawn,
        )
        self.observations.append(observation)
        self._publish(observation)

    def _publish(self, observation: Observation) -> None:
        if self.journal is not None:
            if self._writer is None:
                self.begin(0 if self._watched == observation.step else observation.step - 1)
            assert self._writer is not None
            self._writer.write(observation)
        for one in observation.raised:
            self.on_message(str(one))
        for one in observation.withdrawn:
            self.on_message(one.describe_end())
        for listen in self._listeners:
            listen(observation)

    def _measure(self, tape: MonitorTape, scale: float) -> Iterator[tuple[str, LayerMeasurement]]:
        for name in tape:
            module = tape[name]
            if not module._recordings:  # it was not called
                continue
            for place, recorded in zip(
                sorted(module._recordings), module.layers.values(), strict=True
            ):
                found = self._measure_place(tape, name, place, recorded, scale)
                if found is not None:
                    yield recorded._label, found

    def _measure_place(
        self, tape: MonitorTape, name: str, place: int, recorded: RecordedLayer, scale: float
    ) -> LayerMeasurement | None:
        source = recorded._recording
        if not isinstance(source, RecordedCalls):  # a stream, which does not train
            return None
        ran = tape.find_pass(name, place, source.rows)
        flow = None
        if ran is not None and recorded.has_gradient:
            flow = measure_flow(ran.spec, recorded.backend, self.sequences)
        batch = recorded[source.names[0]].shape[1] if ran is None else ran.spec.x.shape[1]
        rows = choose_rows(batch, self.sequences)
        marks = SequenceMarks(rows, None if ran is None else ran.find_valid(rows))
        return measure_layer(recorded, source.graph, marks, flow, scale)

    def _say_once(self, message: str) -> None:
        if message not in self._said:
            self._said.add(message)
            self.on_message(message)


def _warn(message: str) -> None:
    warnings.warn(message, MonitorWarning, stacklevel=4)
