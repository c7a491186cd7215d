"""ABC notation read into a score, and a tune as tokens."""

from sluice.tunes.notation import score as score
