"""How large a recording is, and whether there is room for it."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from sluice.equations.graph import Graph
from sluice.equations.specs import Sizes
from sluice.files import StrPath
from sluice.run.recording.record_spec import RecordSpec

_CGROUP = Path("/sys/fs/cgroup")


def estimate_bytes(
    spec: RecordSpec, graph: Graph, sizes: Sizes, steps: int, batch: int, item_size: int
) -> int:
    """The bytes of one layer's recorded values, with ``item_size`` bytes for each number."""
    named = spec.instrument(graph).outputs_by_name
    widths = [sizes.of(_resolve_width(named[name].width)) for name in spec.select_names(graph)]
    return sum(widths) * -(-steps // spec.every) * batch * item_size


def _resolve_width(width: str) -> str:
    return "hidden" if width == "1" else width


def require_memory(needed: int, device: torch.device, folder: StrPath | None) -> None:
    """Raise MemoryError where ``needed`` bytes are more than a folder or a device has free."""
    free = _read_free_disk(Path(folder)) if folder is not None else free_memory(device)
    if free is None or needed <= free:
        return
    place = f"the disk of {folder}" if folder is not None else f"the memory of {device.type}"
    remedy = "to=another folder" if folder is not None else "to=a folder on disk"
    raise MemoryError(
        f"recording this call takes {format_bytes(needed)}, and {place} has {format_bytes(free)} "
        "free; record less of it with layers=, names= or every=, fewer sequences or steps, or "
        f"{remedy}"
    )


def format_bytes(size: int) -> str:
    """A size with a readable unit.

    Example:
        >>> format_bytes(1536), format_bytes(3 << 30)
        ('1.5 KiB', '3.0 GiB')
    """
    amount, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):
        if amount < 1024 or unit == "TiB":
            break
        amount /= 1024
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"


def free_memory(device: torch.device) -> int | None:
    """The free bytes of ``device``; None if unknown."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    known = [
        found for found in (_read_available_memory(), _read_cgroup_memory()) if found is not None
    ]
    return min(known, default=None)


def _read_available_memory() -> int | None:
    """The memory that the operating system can give without swapping."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return None


def _read_cgroup_memory() -> int | None:
    """The memory that remains below the limit of a control group, as of a container."""
    try:
        limit = (_CGROUP / "memory.max").read_text().strip()
        return int(limit) - int((_CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        return None


def _read_free_disk(folder: Path) -> int | None:
    there = next((path for path in (folder, *folder.absolute().parents) if path.exists()), None)
    return None if there is None else shutil.disk_usage(there).free
