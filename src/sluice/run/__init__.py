"""Running a cell over time, and back."""

from sluice.run.choose import BackendChoice as BackendChoice
from sluice.run.choose import choose_backend as choose_backend
