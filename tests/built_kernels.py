"""Kernels from the folder SLUICE_KERNELS in place of the installed ones: see `make sanitize`.

Imported before anything runs. An editable installation finds its own modules before any path is
searched, so these are loaded from their files and put where an import looks first.
"""

import importlib.util
import os
import sys
from pathlib import Path

from sluice.run.kernels import extension

if folder := os.environ.get("SLUICE_KERNELS"):
    for path in Path(folder).glob("_kernels_*.so"):
        name = "sluice." + path.name.partition(".")[0]
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.loader is not None, path
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    assert Path(extension.load_extension().__file__).parent == Path(folder), (
        f"{extension.get_isa()} is not built there"
    )
