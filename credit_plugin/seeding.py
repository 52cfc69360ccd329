"""Random numbers that depend on what is computed, never on when or where.

Every draw in this package comes from a generator derived from (study seed, coalition key,
purpose). The order of execution, the number of workers, crashes and resumes therefore do not
change a result, and two coalitions that use the same purpose with an empty key share their
random numbers (common random numbers: the initial noise of all coalitions is the same).
"""

import hashlib

import numpy as np


def derive_seed(seed: int, key: str, purpose: str) -> int:
    """Return an integer in [0, 2**63) that is a pure function of its arguments.

    Args:
        seed: The study's seed.
        key: Which coalition (or stage) draws; the empty string is shared by all.
        purpose: What is drawn, for instance ``"batches"``.
    """
    digest = hashlib.sha256(f"{seed}\x1f{key}\x1f{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def numpy_generator(seed: int, key: str, purpose: str) -> np.random.Generator:
    """Return the numpy generator of (seed, key, purpose)."""
    return np.random.default_rng(derive_seed(seed, key, purpose))
