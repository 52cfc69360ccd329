"""The Ray engine on local clusters: the laws of engines, lost machines, files that travel."""

import logging
import threading
import time

import pytest
import ray
from ray.cluster_utils import Cluster

from credit_plugin.config import ExecutionSettings
from credit_plugin.errors import InputError
from credit_plugin.execution.engine import Job, create_engine
from credit_plugin.testing import EngineSuite
from credit_plugin.testing.engine_jobs import FolderFactory, JoiningTrialFactory, TrialFactory
from credit_plugin.testing.engine_suite import squares

pytestmark = pytest.mark.slow


def engine_on(address="", **settings):
    options = {"engine": "ray", "workers": 2, "patience_seconds": 60.0, **settings}
    asked = {"address": address, **options.pop("ray", {})}
    return create_engine(ExecutionSettings(ray=asked, **options))


@pytest.fixture(scope="module")
def one_machine():
    ray.init(address="local", num_cpus=3, log_to_driver=False, logging_level=logging.ERROR)
    yield
    ray.shutdown()


@pytest.mark.usefixtures("one_machine")
class TestRay(EngineSuite):
    engine = "ray"


@pytest.mark.usefixtures("one_machine")
class TestRayStacked(EngineSuite):
    engine = "stacked"
    settings = {"stack": {"over": "ray"}}  # noqa: RUF012 - as the suite declares it
    factory = JoiningTrialFactory()


@pytest.mark.usefixtures("one_machine")
class TestOneMachine:
    def test_without_a_number_there_are_as_many_workers_as_there_is_room_for(self):
        with engine_on(workers=0) as engine:
            assert engine.workers() == 3
            assert engine.workers(threads=2) == 1
        with engine_on(workers=0, ray={"cpus": 0.5}) as engine:
            assert engine.workers() == 6

    def test_needs_that_no_machine_has_are_named(self):
        with engine_on(workers=0, ray={"gpus": 1}) as engine, pytest.raises(InputError) as caught:
            list(engine.run(TrialFactory(), squares(1)))
        assert "no machine of the cluster has 1 CPUs, 1 GPUs" in str(caught.value)

    @pytest.mark.parametrize("files", ["auto", "sent"])
    def test_files_are_shared_or_travel_both_ways(self, tmp_path, files):
        (tmp_path / "inputs").mkdir()
        (tmp_path / "inputs" / "number").write_text("7")
        with engine_on(ray={"files": files}) as engine:
            found = list(engine.run(FolderFactory(tmp_path), squares(5)))
        assert all(o.error is None for o in found)
        used = {o.result for o in found}
        assert (used == {str(tmp_path)}) == (files == "auto")
        written = {p.name: p.read_text() for p in (tmp_path / "outputs").iterdir()}
        assert written == {str(x): str(7 * x) for x in range(5)}
        assert {p.name for p in tmp_path.iterdir()} == {"inputs", "outputs"}

    def test_leaving_in_the_middle_ends_the_workers(self):
        jobs = [*squares(1), Job("slow", {"do": "sleep", "seconds": 600})]
        with engine_on() as engine:
            next(engine.run(TrialFactory(), jobs))
        deadline = time.monotonic() + 30
        while ray.available_resources().get("CPU", 0) < 3 and time.monotonic() < deadline:
            time.sleep(0.2)
        assert ray.available_resources()["CPU"] == 3


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "127.0.0.1:1", "host:port"])
def test_a_cluster_that_cannot_be_used_is_one_line(address):
    if ray.is_initialized():
        ray.shutdown()
    with engine_on(address) as engine, pytest.raises(InputError, match=r"execution.ray.address"):
        engine.warm_up()


@pytest.fixture
def cluster():
    if ray.is_initialized():
        ray.shutdown()
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    yield made
    ray.shutdown()
    made.shutdown()


def test_a_lost_machine_costs_its_running_jobs_and_nothing_else(cluster):
    cluster.add_node(num_cpus=1)
    lost = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    jobs = [Job(str(i), {"do": "sleep", "seconds": 1.0, "x": i}) for i in range(12)]
    found = {}
    with engine_on(cluster.address, attempts=1, workers=0) as engine:
        for outcome in engine.run(TrialFactory(), jobs):
            found[outcome.job.key] = outcome
            if len(found) == 4:
                threading.Thread(
                    target=cluster.remove_node, args=(lost,), kwargs={"allow_graceful": False}
                ).start()
    assert {key: o.result for key, o in found.items()} == {str(i): i * i for i in range(12)}
    # one try each: the machine was to blame, not the jobs
    assert all(o.attempts == 1 for o in found.values())
    assert len({o.worker for o in found.values()}) == 2


def test_a_machine_that_joins_gets_work(cluster):
    cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    jobs = [Job(str(i), {"do": "sleep", "seconds": 1.5, "x": i}) for i in range(16)]
    workers = set()
    with engine_on(cluster.address, workers=0) as engine:
        for done, outcome in enumerate(engine.run(TrialFactory(), jobs)):
            workers.add(outcome.worker)
            if done == 1:
                cluster.add_node(num_cpus=1)
    assert len(workers) == 2
