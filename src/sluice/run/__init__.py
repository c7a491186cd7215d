"""Running a cell over time, and back."""

from sluice.run.dispatch import BackendChoice as BackendChoice
from sluice.run.dispatch import choose_backend as choose_backend
