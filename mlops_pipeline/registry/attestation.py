"""A version's birth certificate: what it was made from, signed, beside its files.

An in-toto Statement v1 (https://in-toto.io/Statement/v1) over every file of the bundle, with a SLSA
provenance v1 predicate (https://slsa.dev/provenance/v1), in a DSSE envelope
(https://github.com/secure-systems-lab/dsse) signed by Ed25519. Serving verifies it before it loads
anything, so this module imports no client but `cryptography`, and that only when asked.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mlops_pipeline.data.objects import canonical_json, digest_of
from mlops_pipeline.errors import RegistryError, Tampered, Unsigned, UntrustedKey
from mlops_pipeline.registry.bundle import (
    ATTESTATION,
    LINEAGE,
    Bundle,
    open_bundle,
    tree_digest,
)
from mlops_pipeline.registry.keys import key_id, trusted_keys
from mlops_pipeline.registry.lineage import Lineage, read_lineage

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )

PAYLOAD = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD = "urn:mlops_pipeline:train:1"
DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature of an envelope."""

    keyid: str
    sig: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """A DSSE envelope."""

    payload: str
    payloadType: str
    signatures: tuple[Signature, ...]


def attest(
    files: Mapping[str, bytes], *, report: str, run: str, key: "Ed25519PrivateKey"
) -> dict[str, bytes]:
    """The bundle's files with their signed statement; equal arguments give equal bytes.

    Args:
        report: digest of the evaluation that the gate judged.
        run: who built it, such as the id of the MLflow run.
    """
    plain = {name: content for name, content in files.items() if name != ATTESTATION}
    payload = canonical_json(statement(plain, report=report, run=run))
    signed = Signature(
        key_id(key.public_key()), base64.b64encode(key.sign(_encoded(payload))).decode()
    )
    envelope = Envelope(base64.b64encode(payload).decode(), PAYLOAD, (signed,))
    return {**plain, ATTESTATION: canonical_json(msgspec.to_builtins(envelope))}


def statement(files: Mapping[str, bytes], *, report: str, run: str) -> dict[str, Any]:
    """The in-toto statement: its subjects are the files, its predicate how they came about."""
    lineage = read_lineage(files[LINEAGE])
    return {
        "_type": STATEMENT,
        "subject": [
            {"name": name, "digest": {"sha256": digest_of(files[name])}} for name in sorted(files)
        ],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD,
                "externalParameters": {
                    "model": lineage.model,
                    "candidate": lineage.candidate,
                    "trainer": lineage.trainer,
                    "params": dict(lineage.params),
                    "seed": lineage.seed,
                    "windows": {
                        "train": str(lineage.train),
                        "validation": str(lineage.validation),
                        "test": str(lineage.test),
                    },
                },
                "internalParameters": msgspec.to_builtins(lineage.environment),
                "resolvedDependencies": _dependencies(lineage),
            },
            "runDetails": {
                "builder": {"id": "urn:mlops_pipeline:dagster"},
                "metadata": {"invocationId": run},
                "byproducts": [{"name": "evaluation report", "digest": {"sha256": report}}],
            },
        },
    }


def verify(content: bytes, trusted: "Mapping[str, Ed25519PublicKey]") -> dict[str, Any]:
    """The statement in the envelope, signed by a trusted key.

    Raises:
        Unsigned: this is no signed envelope of an in-toto statement.
        UntrustedKey: nobody who is trusted signed it.
        Tampered: a trusted key's signature does not fit the payload.
    """
    from cryptography.exceptions import InvalidSignature

    try:
        envelope = msgspec.json.decode(content, type=Envelope)
        payload = base64.b64decode(envelope.payload, validate=True)
        signed = [(s.keyid, base64.b64decode(s.sig, validate=True)) for s in envelope.signatures]
    except (msgspec.DecodeError, binascii.Error) as error:
        raise Unsigned(f"{ATTESTATION} is no DSSE envelope: {error}") from error
    if envelope.payloadType != PAYLOAD or not signed:
        raise Unsigned(
            f"{ATTESTATION} carries {envelope.payloadType!r} and {len(signed)} signatures"
        )
    known = [(name, sig) for name, sig in signed if name in trusted]
    if not known:
        raise UntrustedKey(
            f"signed by {', '.join(name for name, _ in signed)}; trusted are "
            f"{', '.join(trusted) or 'no keys'}: add the builder's public key to keys/trusted/ "
            "if you trust it"
        )
    name, sig = known[0]
    try:
        trusted[name].verify(sig, _encoded(payload))
    except InvalidSignature:
        raise Tampered(f"{ATTESTATION} was altered: the signature of {name} does not fit") from None
    told: dict[str, Any] = msgspec.json.decode(payload)
    if (told.get("_type"), told.get("predicateType")) != (STATEMENT, PREDICATE):
        raise Unsigned(f"{ATTESTATION} states {told.get('predicateType')!r}, not {PREDICATE}")
    return told


def open_signed(folder: Path, trusted: Path) -> Bundle:
    """The bundle in `folder`: signed by a key in `trusted`, and every byte as it was signed.

    Raises:
        Unsigned, UntrustedKey, Tampered: see `verify`; Tampered also where a file differs, or where
            the folder bears the digest of another bundle than it holds.
        RegistryError: see `open_bundle`.
    """
    try:
        content = (folder / ATTESTATION).read_bytes()
    except OSError:
        raise Unsigned(
            f"{folder} holds no {ATTESTATION}: it is no registered version; register it, or serve "
            "it with --unsigned on a machine of your own"
        ) from None
    try:
        told = verify(content, trusted_keys(trusted))
    except RegistryError as error:
        raise type(error)(f"{folder}: {error}") from error
    check_subjects(folder, told)
    _check_name(folder)
    return open_bundle(folder)


def check_subjects(folder: Path, told: Mapping[str, Any]) -> None:
    """Every file in the folder is one that the statement names, byte for byte.

    Raises:
        Tampered: naming the first that is not.
    """
    said = {s["name"]: s["digest"]["sha256"] for s in told["subject"]}
    found = {
        path.relative_to(folder).as_posix(): digest_of(path.read_bytes())
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ATTESTATION
    }
    for name in sorted({*said, *found}):
        if said.get(name) != found.get(name):
            raise Tampered(
                f"{folder / name}: sha256 {str(found.get(name))[:12]}…, signed was "
                f"{str(said.get(name))[:12]}…; delete the folder and check it out again"
            )


def _check_name(folder: Path) -> None:
    """A folder that is named by a tree's digest holds that tree, not another version, well signed.

    Raises:
        Tampered: it does not.
    """
    if DIGEST.fullmatch(folder.name) is None:
        return
    files = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    if (found := tree_digest(files)) != folder.name:
        raise Tampered(
            f"{folder} holds bundle {found[:12]}…, another version than it is named for; "
            "delete the folder and check it out again"
        )


def _dependencies(lineage: Lineage) -> list[dict[str, Any]]:
    code: dict[str, Any] = {
        "uri": "urn:mlops_pipeline:sources",
        "digest": {"sha256": lineage.code.sources},
    }
    if lineage.code.commit:
        code["digest"]["gitCommit"] = lineage.code.commit
        code["annotations"] = {"dirty": lineage.code.dirty}
    return [
        {"uri": f"urn:mlops_pipeline:snapshot:{lineage.model}", "digest": _sha(lineage.snapshot)},
        {"uri": "urn:mlops_pipeline:features", "digest": _sha(lineage.definition)},
        {"uri": "urn:mlops_pipeline:contract", "digest": _sha(lineage.contract)},
        code,
        {"uri": "urn:mlops_pipeline:packages", "digest": _sha(lineage.environment.packages)},
    ]


def _sha(digest: str) -> dict[str, str]:
    return {"sha256": digest}


def _encoded(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding, protocol.md section "Signature Definition"."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)
