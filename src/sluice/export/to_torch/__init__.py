"""Programs of torch alone."""
