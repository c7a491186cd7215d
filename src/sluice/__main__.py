"""`python -m sluice`, which also lets torchrun start the command line."""

from sluice.cli import main

if __name__ == "__main__":
    main()
