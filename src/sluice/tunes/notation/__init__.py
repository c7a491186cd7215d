"""ABC notation read into a score, and a tune as tokens."""
