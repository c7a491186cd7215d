"""Recordings: taking them, reading them, storing them."""
