"""How slow does a training of two threads become when another process wants a core?

    python -m tests.benchmarks.busy_cores

Trains the network of ``digits`` for some steps with two threads, alone and beside a process that
never rests, with threads that spin while they wait for each other (OpenMP's default) and with
threads that sleep (``OMP_WAIT_POLICY=passive``, which the engine sets for its workers). Prints
milliseconds a step. A training that exceeds the limit is stopped and its step is called longer.
"""

import os
import subprocess
import sys

import click

TRAINING = """
import sys, time, torch
from credit_plugin.config import load_study
from credit_plugin.diffusion.domain import ImageDomain
from credit_plugin.diffusion.examples import Examples
from credit_plugin.diffusion.tasks import create_task
from credit_plugin.diffusion.training import Trainer
torch.set_num_threads(2)
study, steps = load_study("digits"), int(sys.argv[1])
settings = study.diffusion.training.model_copy(update={"steps": steps, "warmup_steps": 0})
task = create_task(study.diffusion, ImageDomain(study.data.image_size, 1))
examples = Examples(torch.randn(256, *task.shape))
trainer = Trainer(task, task.build(0), settings, 0)
started = time.monotonic()
trainer.run(examples)
print(1000 * (time.monotonic() - started) / steps)
"""


def measure(policy: str | None, steps: int, limit: int) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    if policy:
        environment["OMP_WAIT_POLICY"] = policy
    command = [sys.executable, "-c", TRAINING, str(steps)]
    try:
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=limit, check=True
        )
    except subprocess.TimeoutExpired:
        return f"> {1000 * limit / steps:.0f}"
    return f"{float(ended.stdout):.0f}"


@click.command()
@click.option("--steps", default=40, show_default=True)
@click.option("--limit", default=120, show_default=True, help="Seconds for each training.")
def main(steps: int, limit: int) -> None:
    print(f"{'ms a step':<12}{'alone':>10}{'beside a busy process':>24}")
    for name, policy in (("spinning", None), ("sleeping", "passive")):
        alone = measure(policy, steps, limit)
        with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
            beside = measure(policy, steps, limit)
            busy.kill()
        print(f"{name:<12}{alone:>10}{beside:>24}")


if __name__ == "__main__":
    main()
