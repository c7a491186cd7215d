"""Any cell on a GPU: kernels in Triton, rendered from the cell's program."""
