"""`python -m sluice.studio.composing --address unix:/path`: a composing process."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from pathlib import Path

from sluice.errors import SluiceError
from sluice.studio.composing.config import SECRET_VARIABLE, ComposingConfig


def main() -> None:
    """Read the arguments, and serve."""
    usual = ComposingConfig("")
    parser = argparse.ArgumentParser(description="Compose tunes for the web workers of a studio.")
    parser.add_argument("--address", required=True, help="unix:/path or tcp://host:port")
    parser.add_argument("--models", type=Path, help="a folder of .safetensors files")
    parser.add_argument("--max-running", type=int, default=usual.max_running)
    parser.add_argument("--max-waiting", type=int, default=usual.max_waiting)
    parser.add_argument("--deadline", type=float, default=usual.deadline)
    parser.add_argument("--listener-seconds", type=float, default=usual.listener_seconds)
    parser.add_argument("--parent", type=int, default=0, help="end with this process")
    chosen = parser.parse_args()
    config = ComposingConfig(**vars(chosen), secret=os.environ.pop(SECRET_VARIABLE, ""))
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    try:
        config.check()
        from sluice.studio.composing.process import run_composing_process  # loads torch

        run_composing_process(config)
    except (SluiceError, OSError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
