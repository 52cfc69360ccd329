"""How fast the pages of the MLflow server are on a large study, and how much memory they take.

    python -m tests.benchmarks.pages [--contributors 1000] [--coalitions 10000]

Makes a sealed report of a toy game of that size (minutes), registers it, starts ``credit ui`` on
it, asks for every page, and prints the median time of each and the memory of the server before and
after.
"""

import argparse
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import mlflow
import numpy as np
import psutil
import requests

from credit_plugin.compensation.commitment import FILE, commit_study, read_commitments
from credit_plugin.compensation.report import ReportInputs, write_report
from credit_plugin.compensation.valuing import valuation_of
from credit_plugin.config import load_study
from credit_plugin.game import UtilityTable, design
from credit_plugin.tracking.registry import Registry

sys.path.insert(0, str(Path(__file__).parent.parent / "server"))

from servers import credit_ui, free_port, running

NAME, HEADLINE, REPEATS = "large.values", "inception_score", 9


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contributors", type=int, default=1000)
    parser.add_argument("--coalitions", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="credit-pages-") as home:
        folder = Path(home)
        uri = f"sqlite:///{folder}/mlflow.db"
        names = _register(uri, folder, given.contributors, given.coalitions)
        port = free_port()
        url, start = f"http://127.0.0.1:{port}/credit", time.perf_counter()
        with running(credit_ui(uri, port), url, folder / "log.txt"):
            print(f"credit ui is up after {time.perf_counter() - start:.1f} s")
            before = _memory(folder)
            for path, arguments in _pages(names):
                _measure(url, path, arguments)
            after = _memory(folder)
            print(f"memory of the server: {before:.0f} MB, after all pages {after:.0f} MB "
                  f"(+{after - before:.0f} MB)")  # fmt: skip


def _register(uri: str, folder: Path, players: int, rows: int) -> tuple[str, ...]:
    rng, start = np.random.default_rng(0), time.perf_counter()
    names = tuple(f"contributor {i:04d}" for i in range(players))
    study = load_study(
        "digits",
        overrides=("name=large", f"properties.names=[{HEADLINE}]", "values.resamples=50"),
    )
    coalitions = design(players, rows, seed=0)
    utilities = coalitions @ rng.gamma(1, 1, players) + rng.normal(0, 1, len(coalitions))
    table = UtilityTable.from_arrays(coalitions, utilities, names, property=HEADLINE)
    counts = np.full(players, 10)
    valuation = valuation_of(study, names, counts)
    values = valuation.values(table, HEADLINE)
    commit_study(study, {HEADLINE: 1}, folder, 0)
    inputs = ReportInputs(
        study=study, created=datetime(2026, 1, 1, tzinfo=UTC), values={HEADLINE: values},
        directions={HEADLINE: 1}, table=table, image_counts=counts, attribution=(), licences=(),
        dataset_name="large", dataset_digest="d" * 64, contributor_digests={}, models={},
        full_model_properties={}, pruned_model_properties={}, baselines={}, costs={}, lost=(),
        versions={}, reliability={values.property: valuation.reliability(table, values)},
        commitments=tuple(read_commitments(folder / FILE)),
    )  # fmt: skip
    write_report(inputs, folder / "report")
    mlflow.set_tracking_uri(uri)
    client = mlflow.MlflowClient()
    experiment = client.create_experiment("large", artifact_location=str(folder / "artifacts"))
    run_id = client.create_run(experiment, tags={"credit.role": "study"}).info.run_id
    registry = Registry(client, "large")
    for content in ("one", "two"):
        registry.publish_values(folder / "report", run_id, content, ())
    print(f"{players} contributors, {len(coalitions)} coalitions: report made and registered twice "
          f"in {time.perf_counter() - start:.0f} s")  # fmt: skip
    return names


def _pages(names: tuple[str, ...]) -> list[tuple[str, dict[str, str]]]:
    one = {"name": NAME, "version": "1"}
    who = {**one, "who": names[7]}
    bits = "1" * len(names)
    return [
        ("", {}),
        ("/version", one),
        ("/version", {**one, "pool": "5000", "paid_by": "values"}),
        ("/review", one),
        ("/contributor", who),
        ("/compare", {"name": NAME, "before": "1", "version": "2"}),
        ("/coalitions", one),
        ("/coalitions", {**one, "having": names[3], "sort": "size"}),
        ("/coalition", {**one, "bits": bits}),
        ("/report", one),
        ("/summary", one),
        ("/statement", who),
    ]


def _measure(url: str, path: str, arguments: dict[str, str]) -> None:
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        answer = requests.get(url + path, params=arguments, timeout=120)
        seconds.append(time.perf_counter() - start)
        answer.raise_for_status()
    own = [f"{k}={v[:14]}" for k, v in arguments.items() if k not in ("name", "version")]
    shown = " ".join(own)
    median, first = statistics.median(seconds[1:]) * 1000, seconds[0] * 1000
    size = len(answer.content) / 1000
    print(
        f"{path or '/':14}{median:7.0f} ms median, first {first:6.0f} ms, {size:7.0f} kB  {shown}"
    )


def _memory(folder: Path) -> float:
    """Return the resident memory of every process that works on this store, MB."""
    total = 0
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in part for part in process.info["cmdline"] or ()):
            total += process.memory_info().rss
            for child in process.children(recursive=True):
                if not any(str(folder) in part for part in child.cmdline()):
                    total += child.memory_info().rss
    return total / 1e6


if __name__ == "__main__":
    main()
