"""What one pass leaves for its recorders."""
