"""The tree of sealed records: roots of the standard, proofs that hold, and forgeries."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from credit_plugin.compensation.merkle import MerkleTree, Proof, leaf_hash, node_hash, verify
from credit_plugin.errors import InputError

records = st.lists(st.binary(max_size=6), min_size=1, max_size=40)


def by_the_standard(entries):
    """Return the hash of a list as RFC 9162 defines it, by recursion."""
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = 1
    while 2 * k < len(entries):
        k *= 2
    left, right = by_the_standard(entries[:k]), by_the_standard(entries[k:])
    return hashlib.sha256(b"\x01" + left + right).digest()


@given(records)
def test_roots_are_those_of_the_standard(entries):
    assert MerkleTree(entries).root == by_the_standard(entries).hex()


def test_known_roots():
    """Of the test data that implementations of Certificate Transparency share."""
    shared = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
    data = [bytes.fromhex(text) for text in (*shared, "606162636465666768696a6b6c6d6e6f")]
    assert MerkleTree(data[:1]).root == (
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    )
    assert MerkleTree(data).root == (
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    )


@given(records, st.data())
def test_every_record_is_proved_and_no_other_one(entries, data):
    tree = MerkleTree(entries)
    index = data.draw(st.integers(0, len(entries) - 1))
    proof = tree.proof(index)
    assert verify(entries[index], proof, tree.root)
    assert not verify(entries[index] + b"x", proof, tree.root)
    other = data.draw(st.integers(0, len(entries) - 1))
    if entries[other] != entries[index]:
        assert not verify(entries[other], proof, tree.root)
    assert Proof.from_json_dict(proof.to_json_dict()) == proof


@given(records.filter(lambda entries: len(entries) > 1), st.data())
def test_a_changed_proof_proves_nothing(entries, data):
    tree = MerkleTree(entries)
    index = data.draw(st.integers(0, len(entries) - 1))
    proof = tree.proof(index)
    at = data.draw(st.integers(0, len(proof.path) - 1))
    forged = list(proof.path)
    forged[at] = hashlib.sha256(bytes.fromhex(forged[at])).hexdigest()
    for path in (forged, proof.path[:-1], [*proof.path, proof.path[0]]):
        assert not verify(entries[index], Proof(index, len(entries), tuple(path)), tree.root)


def test_an_inner_node_is_no_record():
    entries = [b"a", b"b", b"c", b"d"]
    tree = MerkleTree(entries)
    inner = leaf_hash(b"a") + leaf_hash(b"b")
    right = node_hash(leaf_hash(b"c"), leaf_hash(b"d")).hex()
    assert not verify(inner, Proof(0, 2, (right,)), tree.root)


@pytest.mark.parametrize(
    "stated",
    [
        None,
        {},
        {"index": 0, "size": 1, "path": ["zz"]},
        {"index": 1, "size": 1, "path": []},
        {"index": -1, "size": 1, "path": []},
        {"index": True, "size": 2, "path": []},
        {"index": 0, "size": 2, "path": ["00"]},
        {"index": 0, "size": 2, "path": 7},
    ],
)
def test_what_is_no_proof_is_refused(stated):
    with pytest.raises(InputError, match="proof"):
        Proof.from_json_dict(stated)


def test_no_records_have_no_tree():
    with pytest.raises(InputError, match="none to seal"):
        MerkleTree([])
