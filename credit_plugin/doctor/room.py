"""Is there room for a study, on disk and in memory?"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from credit_plugin.doctor.finding import FIX, OK, Finding

LEAST_DISK_GB = 5.0
LEAST_MEMORY_GB = 2.0
"""Two workers on a small model; presets say what they need."""
GB = 1e9


def check_disk() -> Finding:
    """Check the disk that studies are written to."""
    folder = Path(os.environ.get("CREDIT_WORKDIR", ".")).absolute()
    while not folder.exists():  # the first study makes it
        folder = folder.parent
    free = shutil.disk_usage(folder).free / GB
    subject = f"disk: {free:.0f} GB free for studies in {folder}"
    if free >= LEAST_DISK_GB:
        return Finding(OK, subject)
    mend = f"free {LEAST_DISK_GB:.0f} GB or more, or choose another folder with --workdir"
    return Finding(FIX, subject, mend)


def check_memory() -> Iterator[Finding]:
    """Check the memory that is left; nothing is said on systems without ``/proc``."""
    left = free_memory()
    if left is None:
        return
    subject = f"memory: {left / GB:.1f} GB free"
    if left / GB >= LEAST_MEMORY_GB:
        yield Finding(OK, subject)
        return
    mend = (
        f"end other programs until {LEAST_MEMORY_GB:.0f} GB are free, or let fewer workers work: "
        "--set execution.workers=1"
    )
    yield Finding(FIX, subject, mend)


def free_memory(root: Path = Path("/")) -> float | None:
    """Return bytes that can still be used: the machine's, or the container's if it has fewer.

    Args:
        root: Where ``proc`` and ``sys`` are.
    """
    try:
        lines = (root / "proc/meminfo").read_text("ascii").splitlines()
    except OSError:
        return None
    available = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    if not available:
        return None
    return min(float(available[0]) * 1024, _left_to_container(root / "sys/fs/cgroup"))


def _left_to_container(group: Path) -> float:
    """Return what a control group (version 2) lacks to its limit; what is cached can be freed."""
    try:
        limit, used = (float((group / f"memory.{name}").read_text()) for name in ("max", "current"))
        stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):  # no group, or "max": no limit
        return float("inf")
    return limit - used + float(stat.get("inactive_file", 0))
