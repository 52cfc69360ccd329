"""Is this installation sound? One line for each subject, with the mend where it is not."""

import os
import re
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version

LEAST_FREE_GB = 5.0
CREDIT_PACKAGES = ("mlflow", "torch", "torchvision", "diffusers", "torch-pruning", "optuna", "peft")

Finding = tuple[bool, str, str]


def diagnose(tracking_uri: str | None = None) -> Iterator[Finding]:
    """Yield (sound, subject, advice) for everything worth checking."""
    yield from _versions()
    yield _torch_pair()
    yield _device()
    yield _disk()
    yield _tracking(tracking_uri)


def _versions() -> Iterator[Finding]:
    for package in CREDIT_PACKAGES:
        try:
            yield True, f"{package} {version(package)}", ""
        except PackageNotFoundError:
            yield False, f"{package} is missing", "run: pip install -e ."


def _torch_pair() -> Finding:
    """Check that torchvision was built for this torch: only published pairs go together."""
    torch, vision = version("torch"), version("torchvision")
    needed = next(
        (r for r in requires("torchvision") or [] if re.match(r"torch\s*\(?==", r)), "torch"
    )
    wanted = re.sub(r"[^0-9.]", "", needed.partition("==")[2])
    subject = f"torch {torch} with torchvision {vision}"
    advice = (
        f"torchvision {vision} needs the published torch {wanted or 'of its release'}, not a "
        "CPU-only or other build; run: pip install --force-reinstall torch torchvision"
    )
    if wanted and torch.partition("+")[0] != wanted:
        return False, subject, advice
    try:
        from torchvision.ops import nms  # noqa: F401 - fails where the pair does not match
    except (ImportError, RuntimeError, AttributeError) as error:
        return False, f"{subject}: {str(error).splitlines()[0]}", advice
    return True, subject, ""


def _device() -> Finding:
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if torch.cuda.is_available():
        names = {torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())}
        return True, f"{torch.cuda.device_count()} GPU ({', '.join(sorted(names))})", ""
    return True, f"no GPU; coalitions run on {cores} CPU cores", ""


def _disk() -> Finding:
    free = shutil.disk_usage(".").free / 1e9
    subject = f"{free:.0f} GB free in this folder"
    return (
        free >= LEAST_FREE_GB,
        subject,
        f"a study needs room: free {LEAST_FREE_GB:.0f} GB or more",
    )


def _tracking(tracking_uri: str | None) -> Finding:
    from credit_plugin.tracking.health import check_store

    return check_store(tracking_uri)
