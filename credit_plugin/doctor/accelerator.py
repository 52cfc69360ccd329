"""Is a GPU used, and if one is there that PyTorch does not see, why?"""

import os
import shutil
import subprocess
from pathlib import Path

from credit_plugin.doctor.finding import FIX, NOTE, OK, Finding

DRIVER = Path("/proc/driver/nvidia/gpus")
ANSWER_WITHIN = 20
"""Seconds that nvidia-smi gets: it can hang on a broken GPU."""


def check_gpu() -> Finding:
    """Say which GPUs coalitions run on, or what to do about one that PyTorch does not see."""
    try:
        import torch
    except (ImportError, OSError) as error:
        mend = "run: pip install --force-reinstall torch torchvision"
        return Finding(FIX, f"PyTorch cannot be imported: {str(error).splitlines()[0]}", mend)
    if torch.cuda.is_available():
        names = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        shown = ", ".join(f"{names.count(name)} x {name}" for name in dict.fromkeys(names))
        return Finding(OK, f"GPU: {shown}")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    present, said = _nvidia()
    if present:
        return _unseen(torch.version.cuda)
    if said:
        mend = "start the container with its GPUs (docker run --gpus all), or load the driver"
        return Finding(NOTE, f"no GPU, though nvidia-smi is installed; it says: {said}", mend)
    return Finding(OK, f"no GPU: coalitions run on {cores} CPU cores")


def _nvidia() -> tuple[bool, str]:
    """Return whether an NVIDIA GPU is there, and what nvidia-smi says if it names none."""
    if DRIVER.is_dir() and any(DRIVER.iterdir()):
        return True, ""
    program = shutil.which("nvidia-smi")
    if program is None:
        return False, ""
    try:
        told = subprocess.run(  # noqa: S603 - lists GPUs
            [program, "-L"], capture_output=True, text=True, timeout=ANSWER_WITHIN, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return False, f"{type(error).__name__}"
    lines = f"{told.stdout}\n{told.stderr}".split("\n")
    said = next((line.strip() for line in lines if line.strip()), "nothing")
    return told.returncode == 0 and said.startswith("GPU "), said


def _unseen(built_for: str | None) -> Finding:
    """Say why PyTorch does not see the GPU that is there.

    Args:
        built_for: Version of CUDA that PyTorch was built for, None for none.
    """
    if built_for is None:
        return Finding(
            FIX,
            "an NVIDIA GPU is there, but this PyTorch was built without CUDA",
            "run: pip install --force-reinstall torch torchvision",
        )
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
    if hidden is not None:
        return Finding(
            NOTE,
            f"an NVIDIA GPU is there; CUDA_VISIBLE_DEVICES={hidden!r} hides it from PyTorch",
            "unset it to use the GPU",
        )
    return Finding(
        FIX,
        f"an NVIDIA GPU is there, but PyTorch, built for CUDA {built_for}, does not see it",
        "update the driver, or install PyTorch for the CUDA that nvidia-smi names "
        "(https://pytorch.org/get-started/locally)",
    )
