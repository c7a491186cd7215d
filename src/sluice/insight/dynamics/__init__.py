"""A trained layer as a dynamical system, in float64."""
