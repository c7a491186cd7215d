"""Kernels for GPUs: a program's phases as the text of one Triton function for each direction."""
