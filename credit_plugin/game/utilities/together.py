"""Several coalitions evaluated at once, their networks stacked on one device.

What :meth:`credit_plugin.game.utilities.TrainedUtility.evaluate` does for one coalition, with the
same seeds, batches and noise (:mod:`credit_plugin.diffusion.stacked`). Whether a study's networks
can be stacked at all is tried before anything is evaluated: some operations cannot be vectorised,
and dropout draws from no generator of its own. So is whether it pays: steps that keep a device busy
are slower in a stack, whose convolutions are grouped ones.
"""

import math
import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch

from credit_plugin.diffusion.stacked import Room, Stack, StackedTrainer, room
from credit_plugin.diffusion.training import Trainer
from credit_plugin.game.coalitions import from_bits
from credit_plugin.game.utilities import SAMPLING_SHARE, Report, Stopwatch, TrainedUtility
from credit_plugin.game.utilities.workbench import Workbench
from credit_plugin.signs import standing

Payload = Mapping[str, Any]

TIMED, TIMES = 8, 3
"""Networks in the stack whose step is compared with theirs alone, and how often each is made."""


def find_capacity(utility: TrainedUtility, bench: Workbench) -> dict[str, Any]:
    """Return how many coalitions fit at once, and why it is one if stacks cannot be or do not pay.

    Returns:
        ``size``, and ``reason``, which is empty if they do.
    """
    try:
        _try_out(utility, bench)
    except (RuntimeError, ValueError, NotImplementedError) as error:
        # whatever it is, one by one it works, or says itself what is wrong; the reason is logged
        return {"size": 1, "reason": str(error).strip().partition("\n")[0]}
    size = _room(utility, bench).trained
    if size > 1:
        count = min(size, TIMED)
        alone, stacked = (_seconds_a_step(utility, bench, k) for k in (1, count))
        if stacked > count * alone:
            known = f"{stacked / alone:.1f} times as long as one of one"
            return {"size": 1, "reason": f"a step of {count} takes {known}"}
    return {"size": size, "reason": ""}


def _try_out(utility: TrainedUtility, bench: Workbench) -> None:
    """Make one step of two networks, and one step of sampling."""
    everybody = "1" * bench.dataset.n_contributors
    settings = utility.training(bench.study)
    once = settings.model_copy(update={"steps": 1, "warmup_steps": 0, "batch_size": 2})
    networks = [utility.start(bench, bench.study.seed) for _ in range(2)]
    stack = Stack(networks)
    trainer = StackedTrainer(bench.task, stack, once, [0, 1])
    coalitions = [from_bits(everybody)] * 2
    trainer.run(bench.stacked_examples(coalitions))
    study = bench.study
    quick = study.sampling.model_copy(update={"steps": 2})
    tried = Workbench(study.model_copy(update={"sampling": quick}), bench.folders, bench.device)
    tried.sample_stack(stack, [0, 0], coalitions, at_once=len(stack))


def _seconds_a_step(utility: TrainedUtility, bench: Workbench, count: int) -> float:
    """Return the least time of a step of so many networks; one is trained as itself."""
    once = utility.training(bench.study).model_copy(update={"steps": 1, "warmup_steps": 0})
    networks = [utility.start(bench, bench.study.seed) for _ in range(count)]
    everybody = from_bits("1" * bench.dataset.n_contributors)
    seconds = []
    for _ in range(1 + TIMES):  # the first call chooses its kernels
        if count == 1:
            one, examples = Trainer(bench.task, networks[0], once, 0), bench.examples(everybody)
            run = partial(one.run, examples)
        else:
            stack = StackedTrainer(bench.task, Stack(networks), once, range(count))
            run = partial(stack.run, bench.stacked_examples([everybody] * count))
        started = time.perf_counter()
        run()  # ends with the loss, which waits for the device
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])


def _room(utility: TrainedUtility, bench: Workbench) -> Room:
    settings, network = utility.training(bench.study), utility.start(bench, bench.study.seed)
    examples, sampling = bench.all_examples[: settings.batch_size], bench.study.sampling
    return room(bench.task, network, settings, sampling, examples, workers_on(bench))


def workers_on(bench: Workbench) -> int:
    """Return how many workers share the memory of a bench's device, at most."""
    execution = bench.study.execution
    if bench.device == "cpu":
        return execution.workers or os.cpu_count() or 1
    if execution.stack.over == "ray":
        return math.ceil(1 / (execution.ray.gpus or 1.0))
    return math.ceil(max(1, execution.workers) / torch.cuda.device_count())


def evaluate_together(
    utility: TrainedUtility, bench: Workbench, payloads: Sequence[Payload], report: Report
) -> list[dict[str, Any]]:
    """Train, sample and measure several coalitions.

    A stack that the device has no memory for is halved.

    Args:
        utility: How v(S) is obtained.
        bench: Data, models and references.
        payloads: ``coalition`` (not the empty one), ``repeat`` and ``key`` of each.
        report: Called with (work done, work in all).

    Returns:
        For each ``result``, as ``evaluate`` returns it, or ``error``, why it has none.
    """
    try:
        return _evaluate_stack(utility, bench, payloads, report)
    except torch.OutOfMemoryError:
        if len(payloads) == 1:
            raise
    torch.cuda.empty_cache()
    half = len(payloads) // 2
    parts = payloads[:half], payloads[half:]
    return [found for some in parts for found in evaluate_together(utility, bench, some, report)]


def _evaluate_stack(
    utility: TrainedUtility, bench: Workbench, payloads: Sequence[Payload], report: Report
) -> list[dict[str, Any]]:
    settings = utility.training(bench.study)
    coalitions = [from_bits(payload["coalition"]) for payload in payloads]
    share = max(1, settings.steps // SAMPLING_SHARE)
    total, clock = settings.steps + share, Stopwatch()
    seeds = [utility.seed_of(bench, payload) for payload in payloads]
    stack = Stack([utility.start(bench, seed) for seed in seeds])
    trainer = StackedTrainer(bench.task, stack, settings, seeds)
    trainer.run(bench.stacked_examples(coalitions), lambda done, _: report(done, total))
    clock.lap("training")
    repeats = [payload["repeat"] for payload in payloads]
    images = bench.sample_stack(
        stack,
        repeats,
        coalitions,
        _room(utility, bench).sampled,
        lambda done, of: report(settings.steps + share * done // of, total),
    )
    clock.lap("sampling")
    shared = {name: seconds / len(payloads) for name, seconds in clock.seconds.items()}
    measuring = standing(report, total, total)
    found: list[dict[str, Any]] = []
    for k, payload in enumerate(payloads):
        if k in trainer.errors:
            found.append({"error": f"FloatingPointError: {trainer.errors[k]}"})
            continue
        ends, spent = trainer.results[k].ends, Stopwatch(shared)
        try:
            result = utility.judge(bench, payload, images[k], ends, spent, measuring)
        except FloatingPointError as error:
            found.append({"error": f"FloatingPointError: {error}"})
        else:
            found.append({"result": result})
    return found
