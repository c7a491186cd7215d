"""Models and weights of other libraries."""
