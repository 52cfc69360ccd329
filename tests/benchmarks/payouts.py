"""How long it takes to divide a pool among very many payees. Prints seconds.

    python -m tests.benchmarks.payouts [--payees 1000000]

Weights are fractions that repeat. The pool is divided without bounds, and with a floor, a cap, a
reserve and a threshold; what is paid, held and carried forward is added up.
"""

import argparse
import time

from credit_plugin.compensation.payout import allocate
from credit_plugin.compensation.settlement import Terms, allocate_within, settle


def main() -> None:
    """Print both times."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--payees", type=int, default=1_000_000)
    payees = parser.parse_args().payees
    weights = [1 / (1 + i % 977) for i in range(payees)]
    started = time.perf_counter()
    assert sum(allocate(weights, 1000 * payees)) == 1000 * payees
    print(f"{payees:,} payees: {time.perf_counter() - started:.1f} s", flush=True)
    terms = Terms(
        1000 * payees, floor=100, cap=50_000, threshold=150, reserve=10 * payees, tie_key="key"
    )
    started = time.perf_counter()
    gross = allocate_within(weights, terms.pool, terms.floor, terms.cap, terms.tie_key)
    sums = settle(gross, terms).totals()
    assert sums["paid"] + sums["held"] + sums["carried"] == terms.pool
    seconds = time.perf_counter() - started
    print(f"with floor, cap, reserve and threshold: {seconds:.1f} s")


if __name__ == "__main__":
    main()
