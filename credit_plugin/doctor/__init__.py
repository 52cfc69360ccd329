"""Is this installation sound? One finding for each subject, with the mend where it is not.

Nothing is changed: no store is made or migrated, no network is downloaded. What is missing but
needed for some studies only is a note.
"""

from collections.abc import Iterator
from contextlib import suppress

from credit_plugin.doctor.accelerator import check_gpu
from credit_plugin.doctor.finding import FIX, NOTE, OK, Finding
from credit_plugin.doctor.networks import check_networks
from credit_plugin.doctor.packages import check_extras, check_packages, check_torch_pair
from credit_plugin.doctor.room import check_disk, check_memory

__all__ = ["FIX", "NOTE", "OK", "Finding", "diagnose"]


def diagnose(tracking_uri: str | None = None) -> Iterator[Finding]:
    """Yield a finding for everything worth checking.

    Args:
        tracking_uri: Of the MLflow store to look at; its own default if left out.
    """
    yield from check_packages()
    yield from check_torch_pair()
    yield check_gpu()
    yield check_disk()
    yield from check_memory()
    yield _store(tracking_uri)
    yield from check_extras()
    with suppress(ImportError, OSError):  # the lines about packages say what to do
        yield from check_networks()


def _store(tracking_uri: str | None) -> Finding:
    try:
        from credit_plugin.tracking.health import check_store
    except ImportError as error:  # the line about MLflow says what to do
        return Finding(FIX, f"MLflow cannot be imported: {error}", "run: pip install -e .")
    sound, subject, advice = check_store(tracking_uri)
    return Finding(OK if sound else FIX, subject, advice)
