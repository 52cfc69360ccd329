"""One hash for many records, and a short proof that a record is among them.

A payee gets their own record and about log2(n) hashes, and can verify that the record is one of
those that were sealed, without seeing anybody else's.

The tree is that of RFC 9162 (Certificate Transparency), section 2.1: a leaf is the SHA-256 of a
zero byte and the record, a node that of a one byte and its two children, and n > 1 leaves are
split at the largest power of two below n. Since leaves and nodes are told apart, no inner node can
be passed off as a record; since nothing is doubled to fill a level, no two lists share a root.

Sibling hashes tell nothing only if records cannot be guessed. A name and an amount can, so whoever
makes the records puts something secret into each
(:func:`credit_plugin.compensation.statements.statement_records`).
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from credit_plugin.errors import InputError


@dataclass(frozen=True)
class Proof:
    """That a record is in a tree.

    Attributes:
        index: Position of the record.
        size: Records in the tree.
        path: Hashes of the siblings from the leaf upwards, hexadecimal.
    """

    index: int
    size: int
    path: tuple[str, ...]

    def to_json_dict(self) -> dict[str, Any]:
        """Return the proof as JSON holds it."""
        return {"index": self.index, "size": self.size, "path": list(self.path)}

    @classmethod
    def from_json_dict(cls, stated: Any) -> "Proof":
        """Read a proof.

        Raises:
            InputError: If it is none.
        """
        try:
            index, size, path = stated["index"], stated["size"], stated["path"]
            hashes = [bytes.fromhex(digest) for digest in path]
        except (TypeError, KeyError, ValueError):
            raise InputError("proof: it must have index, size and path") from None
        whole = all(isinstance(x, int) and not isinstance(x, bool) for x in (index, size))
        if not whole or not 0 <= index < size or any(len(digest) != 32 for digest in hashes):
            raise InputError("proof: index and size do not fit, or a hash has not 32 bytes")
        return cls(index, size, tuple(path))


class MerkleTree:
    """The tree of some records.

    Args:
        records: One or more, as bytes; each is hashed as it comes, and none is kept.
    """

    def __init__(self, records: Iterable[bytes]) -> None:
        self._levels = [[leaf_hash(record) for record in records]]
        if not self._levels[0]:
            raise InputError("records: there is none to seal")
        while len(self._levels[-1]) > 1:
            below = self._levels[-1]
            pairs = [node_hash(*below[i : i + 2]) for i in range(0, len(below) - 1, 2)]
            # the last of an odd number goes up as it is: the same tree as by powers of two
            self._levels.append(pairs + below[len(pairs) * 2 :])

    @property
    def root(self) -> str:
        """The hash of everything, hexadecimal."""
        return self._levels[-1][0].hex()

    def proof(self, index: int) -> Proof:
        """Return the proof of the record at a position."""
        position, path = index, []
        for level in self._levels[:-1]:
            sibling = position ^ 1
            if sibling < len(level):
                path.append(level[sibling].hex())
            position //= 2
        return Proof(index, len(self._levels[0]), tuple(path))


def verify(record: bytes, proof: Proof, root: str) -> bool:
    """Return whether a record is where its proof says in the tree of a root."""
    found = leaf_hash(record)
    position, last = proof.index, proof.size - 1
    path = list(proof.path)
    while last > 0:
        if position % 2 or position < last:
            if not path:
                return False
            sibling = bytes.fromhex(path.pop(0))
            found = node_hash(sibling, found) if position % 2 else node_hash(found, sibling)
        position //= 2
        last //= 2
    return not path and found.hex() == root


def leaf_hash(record: bytes) -> bytes:
    """Return the hash of a record."""
    return hashlib.sha256(b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()
