"""The same micro study by other engines: the same table, and models that came back."""

import json
import os

import numpy as np
import pytest
import torch
from micro import EVALUATIONS, copy_studies, ledger_lines, micro_study, run_in

from credit_plugin.errors import InputError
from credit_plugin.game.utilities import get_utility, together
from credit_plugin.game.utilities.workbench import Workbench

pytestmark = pytest.mark.slow


def properties(workdir):
    lines = ledger_lines(workdir)
    return {(line["coalition"], line["repeat"]): line["properties"] for line in lines}


def again(finished, home, place, *overrides):
    """Evaluate the coalitions of the finished study once more, from its own models."""
    copy_studies(home, place)
    for ledger in place.glob("studies/micro/table-*/ledger.jsonl"):
        ledger.unlink()
    run_in(place, micro_study(*overrides), until="coalitions")
    return properties(home / "studies"), properties(place / "studies")


def test_stacked_coalitions_measure_what_single_ones_do(finished, home, tmp_path, caplog):
    one, other = again(
        finished, home, tmp_path, "execution.engine=stacked", "execution.stack.size=4"
    )  # a size of our own: whether stacks pay is a matter of time, which no test may rest on
    assert "one at a time" not in caplog.text
    assert one.keys() == other.keys()
    assert len(one) == EVALUATIONS
    # equal up to rounding, which moves some pixels by one of 255
    for key, measured in one.items():
        assert other[key] == pytest.approx(measured, rel=2e-3, abs=2e-3), key
    lines = ledger_lines(tmp_path / "studies")
    assert all(line["error"] is None and line["attempts"] == 1 for line in lines)
    # the seconds of a stack are shared out: the table says what each coalition cost
    trained = [line["costs"]["training"] for line in lines if "1" in line["coalition"]]
    assert len(set(trained)) < len(trained)
    assert min(trained) > 0


def test_where_steps_are_slower_together_each_coalition_is_trained_alone(finished, monkeypatch):
    bench = Workbench(finished.folders.study, finished.folders, "cpu")
    utility = get_utility("sparsified_finetuning")
    assert all(together._seconds_a_step(utility, bench, count) > 0 for count in (1, 2))
    took = {1: 0.010, together.TIMED: 0.079}
    monkeypatch.setattr(together, "_seconds_a_step", lambda utility, bench, count: took[count])
    found = together.find_capacity(utility, bench)
    assert found["size"] > 1
    assert found["reason"] == ""
    took[together.TIMED] = 0.105
    known = {"size": 1, "reason": "a step of 8 takes 10.5 times as long as one of one"}
    assert together.find_capacity(utility, bench) == known


def test_a_study_on_ray_whose_files_are_sent_is_the_same_study(finished, home, tmp_path):
    asked = ["execution.engine=ray", "execution.ray={files: sent, address: local}"]
    result = run_in(tmp_path, micro_study(*asked, "execution.workers=2"))
    one, other = properties(home / "studies"), properties(tmp_path / "studies")
    assert other.keys() == one.keys()
    for key, measured in one.items():
        assert other[key] == pytest.approx(measured, rel=1e-4), key
    assert np.allclose(result.headline.values, finished.headline.values, rtol=1e-4)
    made = {path.name.partition("-")[0] for path in (tmp_path / "studies" / "micro").iterdir()}
    assert {"data", "reference", "full", "pruned", "table"} <= made
    assert len(list(result.folders.previews.glob("*.png"))) == EVALUATIONS + 2
    assert json.loads((result.folders.table / "full.json").read_text())["properties"]


def test_other_kernels_measure_the_same_up_to_rounding(finished, home, tmp_path):
    asked = "execution.kernels.memory_format=channels_last"
    one, other = again(finished, home, tmp_path, asked)
    assert other.keys() == one.keys()
    assert other != one  # they were used
    for key, measured in one.items():
        assert other[key] == pytest.approx(measured, rel=2e-3, abs=2e-3), key


@pytest.mark.parametrize(
    ("device", "gpus", "overrides", "sharing"),
    [
        ("cpu", 0, ["execution.workers=3"], 3),
        ("cpu", 0, ["execution.workers=0"], os.cpu_count()),
        ("cuda:0", 2, ["execution.workers=0"], 1),
        ("cuda:0", 2, ["execution.workers=6"], 3),
        ("cuda:0", 1, ["execution.workers=64", "execution.stack.over=ray"], 1),
        ("cuda:0", 1, ["execution.stack.over=ray", "execution.ray.gpus=0.25"], 4),
    ],
)
def test_the_memory_of_a_device_is_shared_by_its_workers(
    monkeypatch, device, gpus, overrides, sharing
):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    bench = Workbench(micro_study(*overrides), None, device)
    assert together.workers_on(bench) == sharing


def test_stacks_of_stacks_are_refused():
    with pytest.raises(InputError, match=r"execution.stack.over.*stacks cannot be stacked"):
        micro_study("execution.stack.over=stacked")
