"""The keys of this installation: one that signs, and the public ones that are trusted.

    <keys>/signing.pem            Ed25519, PKCS 8, mode 0600, made at its first use
    <keys>/trusted/<key id>.pem   public keys; add another installation's to trust its versions

The folder has mode 0700. Whoever can read it can sign: this proves who built a version against
changes afterwards, not against the build machine itself (SLSA build level 2, not 3).
"""

from pathlib import Path
from typing import TYPE_CHECKING

from mlops_pipeline.data.objects import digest_of, write_once
from mlops_pipeline.errors import RegistryError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

SIGNING = "signing.pem"
TRUSTED = "trusted"


def signing_key(folder: Path) -> "Ed25519PrivateKey":
    """The installation's key; made where there is none, its public half trusted.

    Raises:
        RegistryError: the file holds something else, or others may read it.
    """
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    path = folder / SIGNING
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        made = Ed25519PrivateKey.generate().private_bytes(
            form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()
        )
        write_once(path, made)  # another process may have been first: its key is the key
    if path.stat().st_mode & 0o077:
        raise RegistryError(f"{path} may be read by others: chmod 600 it, and consider a new key")
    try:
        key = form.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise RegistryError(f"{path} holds no private key: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise RegistryError(f"{path} holds a {type(key).__name__}; versions are signed by Ed25519")
    public = key.public_key()
    trust(folder / TRUSTED, public)
    return key


def trust(folder: Path, key: "Ed25519PublicKey") -> str:
    """Versions signed by that key are trusted; its id."""
    from cryptography.hazmat.primitives import serialization as form

    name = key_id(key)
    if not (folder / f"{name}.pem").exists():
        pem = key.public_bytes(form.Encoding.PEM, form.PublicFormat.SubjectPublicKeyInfo)
        write_once(folder / f"{name}.pem", pem)
    return name


def trusted_keys(folder: Path) -> "dict[str, Ed25519PublicKey]":
    """Every key in the folder, by id.

    Raises:
        RegistryError: a file there is no Ed25519 public key.
    """
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    found: dict[str, Ed25519PublicKey] = {}
    for path in sorted(folder.glob("*.pem")):
        try:
            key = form.load_pem_public_key(path.read_bytes())
        except ValueError as error:
            raise RegistryError(f"{path} holds no public key: {error}") from error
        if not isinstance(key, Ed25519PublicKey):
            raise RegistryError(f"{path} holds a {type(key).__name__}, not an Ed25519 key")
        found[key_id(key)] = key
    return found


def key_id(key: "Ed25519PublicKey") -> str:
    """The first 32 digits of the SHA-256 over the raw public key."""
    return digest_of(key.public_bytes_raw())[:32]
