"""Python modules of torch alone."""
