"""The archive: what the studio stores, and every question asked of it."""
