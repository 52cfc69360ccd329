"""Every test runs in a folder of its own: MLflow and studies write where they are started."""

import gc
import os
import signal

import pytest

# networks of tests are tiny: threads that wait for each other cost more than they bring
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)


@pytest.fixture
def hears_ctrl_c():
    """Undo what a shell does that runs the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Look for no garbage while everything is imported: that takes a quarter of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items):
    """Put whole studies first: the longest modules must not be left for one process at the end."""
    items.sort(
        key=lambda item: item.path.parent.name != "study" and "notebooks" not in item.path.name
    )
