"""Looking inside a model: what its gates did, and what the loss says of them."""

from sluice.extras import MissingExtraError as MissingExtraError
from sluice.insight import plots as plots
from sluice.insight.clamping import clamp_gates as clamp_gates
from sluice.insight.clamping import clamp_units as clamp_units
from sluice.insight.dynamics.fixed_points import FixedPoints as FixedPoints
from sluice.insight.dynamics.fixed_points import find_fixed_points as find_fixed_points
from sluice.insight.dynamics.jacobians import lyapunov_spectrum as lyapunov_spectrum
from sluice.insight.dynamics.jacobians import product_singular_values as product_singular_values
from sluice.insight.dynamics.jacobians import step_jacobians as step_jacobians
from sluice.insight.dynamics.step_map import Trajectory as Trajectory
from sluice.insight.dynamics.step_map import run_trajectory as run_trajectory
from sluice.insight.interop.keras_weights import from_keras as from_keras
from sluice.insight.interop.torch_models import ConversionReport as ConversionReport
from sluice.insight.interop.torch_models import from_state_dict as from_state_dict
from sluice.insight.interop.torch_models import from_torch as from_torch
from sluice.insight.machines.extraction import ExtractedMachine as ExtractedMachine
from sluice.insight.machines.extraction import extract_state_machine as extract_state_machine
from sluice.insight.machines.state_machine import StateMachine as StateMachine
from sluice.insight.machines.state_machine import StateMachineError as StateMachineError
from sluice.insight.measures.constant_spans import ConstantSpan as ConstantSpan
from sluice.insight.measures.constant_spans import find_constant_spans as find_constant_spans
from sluice.insight.measures.gradients import StateGradientPaths as StateGradientPaths
from sluice.insight.measures.gradients import connectivity as connectivity
from sluice.insight.measures.gradients import forget_product as forget_product
from sluice.insight.measures.gradients import gradient_flow as gradient_flow
from sluice.insight.measures.gradients import gradients_per_loss as gradients_per_loss
from sluice.insight.measures.gradients import state_gradient_paths as state_gradient_paths
from sluice.insight.measures.matching import Match as Match
from sluice.insight.measures.matching import active_units as active_units
from sluice.insight.measures.matching import find_matches as find_matches
from sluice.insight.measures.memory import Saturation as Saturation
from sluice.insight.measures.memory import TimescaleDistribution as TimescaleDistribution
from sluice.insight.measures.memory import memory_capacity as memory_capacity
from sluice.insight.measures.memory import memory_length as memory_length
from sluice.insight.measures.memory import saturation as saturation
from sluice.insight.measures.memory import timescale_distribution as timescale_distribution
from sluice.insight.measures.memory import timescales as timescales
from sluice.insight.measures.memory_operations import MemoryOperations as MemoryOperations
from sluice.insight.measures.memory_operations import MemoryOperationsError as MemoryOperationsError
from sluice.insight.measures.memory_operations import (
    classify_memory_operations as classify_memory_operations,
)
from sluice.insight.measures.probes import Probe as Probe
from sluice.insight.measures.probes import find_correlated_units as find_correlated_units
from sluice.insight.measures.probes import probe as probe
from sluice.insight.measures.weight_gradients import WeightGradients as WeightGradients
from sluice.insight.measures.weight_gradients import step_weight_gradients as step_weight_gradients
from sluice.insight.recording.first_nonfinite import NonFiniteValue as NonFiniteValue
from sluice.insight.recording.first_nonfinite import find_first_nonfinite as find_first_nonfinite
from sluice.insight.recording.recorded import RecordedLayer as RecordedLayer
from sluice.insight.recording.recorder import Tape as Tape
from sluice.insight.recording.recorder import record as record
from sluice.insight.recording.storage import load_recording as load_recording
from sluice.insight.sketches import sketch_recorded as sketch_recorded
from sluice.insight.sketches import sketch_saved_recording as sketch_saved_recording
