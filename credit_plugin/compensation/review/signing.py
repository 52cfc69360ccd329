"""Ed25519 signatures of ledger entries: by who acts, and by the server that knows who that is.

A server that verifies passwords *attests* a name with a key of its own. Without that, whoever may
write to the tracking store could write an entry in anybody's name. Which servers are trusted the
policy says (``compensation.review.servers``), or whoever verifies (``CREDIT_SERVER_KEYS``).

A *signature* proves a name to somebody who trusts no server. Keys are made by ``credit review
key``, or by ``ssh-keygen`` or ``openssl``: a private key in PEM (PKCS #8 or OpenSSH), with or
without a passphrase. The policy may list who signs with which key; then nothing is accepted of
theirs without it.
"""

import os
import secrets
from dataclasses import replace
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from credit_plugin.compensation.review.entries import Entry
from credit_plugin.errors import InputError


def make_key(path: Path, passphrase: str = "") -> str:
    """Write a new private key, readable by its owner alone, and return its public key.

    Args:
        path: File to make.
        passphrase: Encrypts the file unless it is empty.

    Returns:
        32 bytes in hexadecimal, as a policy lists them.

    Raises:
        InputError: If the file exists or cannot be written.
    """
    key = Ed25519PrivateKey.generate()
    secret = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text)
        os.link(draft, path)  # whole or not at all, and never over another one
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; choose another file") from None
    finally:
        draft.unlink(missing_ok=True)
    return public_of(key)


def read_key(path: Path, passphrase: str = "") -> Ed25519PrivateKey:
    """Return the private key of a file.

    Raises:
        InputError: If it cannot be read, is of another kind, or the passphrase is wrong.
    """
    password = passphrase.encode() or None
    try:
        text = path.read_bytes()
        load = load_ssh_private_key if b"OPENSSH" in text else load_pem_private_key
        key = load(text, password)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        why = "it needs a passphrase" if password is None and "encrypted" in str(error) else ""
        raise InputError(
            f"{path}: {why or 'is no private key in PEM, or the passphrase is wrong'}"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise InputError(f"{path}: is a key of another kind; Ed25519 is needed")
    return key


def public_of(key: Ed25519PrivateKey) -> str:
    """Return the public key, hexadecimal."""
    return key.public_key().public_bytes_raw().hex()


def sign(entry: Entry, key: Ed25519PrivateKey) -> Entry:
    """Return the entry with a signature of it."""
    named = entry.with_signature(public_of(key), "")
    return named.with_signature(named.key, key.sign(named.signed_bytes).hex())


def attest(entry: Entry, key: Ed25519PrivateKey) -> Entry:
    """Return the entry with a server's word that the identity in it is true."""
    named = replace(entry, server=public_of(key), attestation="")
    return replace(named, attestation=key.sign(named.attested_bytes).hex())


def signature_holds(entry: Entry) -> bool:
    """Return whether a signature is of this entry by the key that it names."""
    return _holds(entry.key, entry.signature, entry.signed_bytes)


def attestation_holds(entry: Entry) -> bool:
    """Return whether an attestation is of this entry by the server that it names."""
    return _holds(entry.server, entry.attestation, entry.attested_bytes)


def _holds(key: str, signature: str, signed: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(bytes.fromhex(key)).verify(
            bytes.fromhex(signature), signed
        )
    except (ValueError, InvalidSignature):
        return False
    return True
