"""Running a cell over time, and back."""

from sluice.run.choose import Choice as Choice
from sluice.run.choose import choose as choose
