"""From a graph to the programs and machine code that run it."""
