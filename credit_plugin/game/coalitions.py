"""Coalitions as boolean rows: their names as bit strings, and which rows are the same.

A coalition of n contributors is a boolean vector of length n in contributor order; several of
them are a boolean matrix [m, n]. Rows are compared as packed bytes, so that a thousand
contributors cost 125 bytes a row and no coalition is too large for an integer type.
"""

import numpy as np


def to_bits(mask: np.ndarray) -> str:
    """Return a coalition's bit string.

    Args:
        mask: bool [n].

    Returns:
        n characters 0 or 1 in contributor order, for instance ``"0110"``.
    """
    return "".join("1" if member else "0" for member in np.asarray(mask, dtype=bool))


def from_bits(bits: str) -> np.ndarray:
    """Return the coalition of a bit string.

    Args:
        bits: Characters 0 and 1 in contributor order.

    Returns:
        bool [n].

    Raises:
        ValueError: If another character is among them.
    """
    if set(bits) - {"0", "1"}:
        raise ValueError(f"a coalition is written with 0 and 1, got {bits!r}")
    return np.fromiter((bit == "1" for bit in bits), dtype=bool, count=len(bits))


def row_keys(coalitions: np.ndarray) -> np.ndarray:
    """Return one comparable key for each coalition.

    Args:
        coalitions: bool [m, n].

    Returns:
        void [m]; two keys are equal exactly when their rows are.
    """
    packed = np.ascontiguousarray(np.packbits(coalitions, axis=1))
    return packed.view(np.dtype((np.void, packed.shape[1]))).ravel()


def distinct_rows(coalitions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the distinct coalitions of a matrix, in the order of their first appearance.

    Args:
        coalitions: bool [m, n].

    Returns:
        first: int64 [d], the row in which each distinct coalition appears first, ascending.
        group: int64 [m], for each row the position of its coalition in ``first``.
    """
    _, first, inverse = np.unique(row_keys(coalitions), return_index=True, return_inverse=True)
    order = np.argsort(first)
    position = np.empty_like(order)
    position[order] = np.arange(len(order))
    return first[order], position[inverse.ravel()]


def complements(coalitions: np.ndarray) -> np.ndarray:
    """Find for each of several distinct coalitions the row that holds its complement.

    Args:
        coalitions: bool [d, n], distinct rows.

    Returns:
        int64 [d]: index of the complement's row, or -1 where it is missing.
    """
    where = {key.tobytes(): row for row, key in enumerate(row_keys(coalitions))}
    wanted = row_keys(~coalitions)
    return np.array([where.get(key.tobytes(), -1) for key in wanted], dtype=np.int64)
