"""Training: configuration, schedules, checkpoints, one process or several."""

from sluice.sequence.training.config import TrainingConfig as TrainingConfig
from sluice.sequence.training.progress import Progress as Progress
from sluice.sequence.training.progress import TrainingResult as TrainingResult
from sluice.sequence.training.schedules import ConstantRate as ConstantRate
from sluice.sequence.training.schedules import Cosine as Cosine
from sluice.sequence.training.schedules import Exponential as Exponential
from sluice.sequence.training.schedules import Plateau as Plateau
from sluice.sequence.training.schedules import StepDecay as StepDecay
from sluice.sequence.training.trainer import train as train
from sluice.sequence.training.validation import compute_loss as compute_loss
from sluice.sequence.training.validation import compute_loss_per_token as compute_loss_per_token
