"""Training: plans, schedules, checkpoints, one process or many."""

from sluice.sequence.training.evaluate import evaluate as evaluate
from sluice.sequence.training.evaluate import loss_per_token as loss_per_token
from sluice.sequence.training.plan import Plan as Plan
from sluice.sequence.training.progress import Outcome as Outcome
from sluice.sequence.training.progress import Progress as Progress
from sluice.sequence.training.schedules import Constant as Constant
from sluice.sequence.training.schedules import Cosine as Cosine
from sluice.sequence.training.schedules import Exponential as Exponential
from sluice.sequence.training.schedules import Plateau as Plateau
from sluice.sequence.training.schedules import Steps as Steps
from sluice.sequence.training.train import train as train
