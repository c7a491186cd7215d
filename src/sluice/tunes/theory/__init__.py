"""Keys, dances and durations."""
