"""A version is served only as it was signed; every other one is refused by name."""

import base64
import json
from pathlib import Path

import pytest

from mlops_pipeline.data.objects import digest_of
from mlops_pipeline.errors import RegistryError, Tampered, Unsigned, UntrustedKey
from mlops_pipeline.registry.attestation import attest, open_signed, verify
from mlops_pipeline.registry.bundle import ATTESTATION, LINEAGE, MANIFEST, open_bundle, tree_digest
from mlops_pipeline.registry.keys import SIGNING, TRUSTED, signing_key, trusted_keys
from mlops_pipeline_tests.registry.parts import bundle, laid_out, lineage, sign_in_place

REPORT = "f" * 64


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """A folder of keys, not made yet."""
    return tmp_path / "keys"


@pytest.fixture
def signed(tmp_path: Path, keys: Path) -> Path:
    """A bundle on disk that the key in `keys` signed."""
    return sign_in_place(tmp_path / "bundle", bundle(), keys)


def test_what_was_signed_opens(signed: Path, keys: Path) -> None:
    assert open_signed(signed, keys / TRUSTED).manifest.model == "visits"


def test_signing_changes_no_file_and_equal_files_sign_equally(keys: Path) -> None:
    files, key = bundle(), signing_key(keys)
    first = attest(files, report=REPORT, run="r1", key=key)
    assert {n: c for n, c in first.items() if n != ATTESTATION} == files
    assert attest(first, report=REPORT, run="r1", key=key) == first


def test_the_statement_is_slsa_provenance_of_every_file_and_cause(keys: Path) -> None:
    files, key = bundle(), signing_key(keys)
    content = attest(files, report=REPORT, run="r1", key=key)[ATTESTATION]
    told = verify(content, trusted_keys(keys / TRUSTED))
    assert told["_type"] == "https://in-toto.io/Statement/v1"
    assert told["predicateType"] == "https://slsa.dev/provenance/v1"
    assert {s["name"]: s["digest"]["sha256"] for s in told["subject"]} == {
        name: digest_of(content) for name, content in files.items()
    }
    found = {
        d["digest"]["sha256"] for d in told["predicate"]["buildDefinition"]["resolvedDependencies"]
    }
    made = lineage()
    causes = {made.snapshot, made.definition, made.contract, made.code.sources}
    assert causes | {made.environment.packages} == found
    assert told["predicate"]["runDetails"]["byproducts"][0]["digest"]["sha256"] == REPORT


@pytest.mark.parametrize(
    "name", ["manifest.json", "contract.json", "lineage.json", "model/model.txt"]
)
def test_one_changed_byte_in_any_file_is_refused(signed: Path, keys: Path, name: str) -> None:
    content = bytearray((signed / name).read_bytes())
    content[-2] ^= 1
    (signed / name).write_bytes(content)
    with pytest.raises(Tampered, match=name):
        open_signed(signed, keys / TRUSTED)


def test_a_file_more_or_less_is_refused(signed: Path, keys: Path) -> None:
    (signed / "model" / "extra").write_bytes(b"")
    with pytest.raises(Tampered, match=r"model/extra"):
        open_signed(signed, keys / TRUSTED)
    (signed / "model" / "extra").unlink()
    (signed / "model" / "model.txt").unlink()
    with pytest.raises(Tampered, match=r"model/model\.txt"):
        open_signed(signed, keys / TRUSTED)


def test_another_versions_lineage_with_a_manifest_to_match_is_refused(
    signed: Path, keys: Path
) -> None:
    other = bundle(seed=2)
    for name in (LINEAGE, MANIFEST):
        (signed / name).write_bytes(other[name])
    assert open_bundle(signed).manifest.lineage_digest  # by itself it is a whole bundle
    with pytest.raises(Tampered, match=r"lineage\.json"):
        open_signed(signed, keys / TRUSTED)


def test_another_versions_statement_is_refused(signed: Path, keys: Path, tmp_path: Path) -> None:
    other = sign_in_place(tmp_path / "other", bundle(seed=2), keys)
    (signed / ATTESTATION).write_bytes((other / ATTESTATION).read_bytes())
    with pytest.raises(Tampered, match=r"lineage\.json"):
        open_signed(signed, keys / TRUSTED)


def test_another_signed_version_under_this_ones_name_is_refused(keys: Path, tmp_path: Path) -> None:
    key = signing_key(keys)
    first, second = (attest(bundle(seed=s), report=REPORT, run="r1", key=key) for s in (1, 2))
    right = laid_out(tmp_path / tree_digest(first), first)
    assert open_signed(right, keys / TRUSTED).manifest.model == "visits"
    wrong = laid_out(tmp_path / "bundles" / tree_digest(first), second)
    with pytest.raises(Tampered, match="another version than it is named for"):
        open_signed(wrong, keys / TRUSTED)


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "model/../../outside"])
def test_a_manifest_that_leads_out_of_the_bundle_opens_nothing(
    tmp_path: Path, keys: Path, name: str
) -> None:
    files = bundle()
    (tmp_path / "outside").write_bytes(b"secret")
    told = json.loads(files[MANIFEST])
    told["files"][name] = digest_of(b"secret")
    evil = {**files, MANIFEST: json.dumps(told).encode()}
    folder = sign_in_place(tmp_path / "bundle", evil, keys)  # even signed by a trusted key
    with pytest.raises(RegistryError, match="it is not the bundle that was registered"):
        open_signed(folder, keys / TRUSTED)


def test_a_link_in_place_of_a_file_is_refused(signed: Path, keys: Path, tmp_path: Path) -> None:
    outside = tmp_path / "model.txt"
    outside.write_bytes((signed / "model" / "model.txt").read_bytes())
    (signed / "model" / "model.txt").unlink()
    (signed / "model" / "model.txt").symlink_to(outside)
    with pytest.raises(RegistryError, match="leads out of the bundle"):
        open_signed(signed, keys / TRUSTED)


def test_a_statement_that_was_edited_is_refused(signed: Path, keys: Path) -> None:
    envelope = json.loads((signed / ATTESTATION).read_text())
    payload = base64.b64decode(envelope["payload"]).replace(b'"seed":1', b'"seed":2')
    envelope["payload"] = base64.b64encode(payload).decode()
    (signed / ATTESTATION).write_text(json.dumps(envelope))
    with pytest.raises(Tampered, match=r"the signature of [0-9a-f]{32} does not fit"):
        open_signed(signed, keys / TRUSTED)


def test_another_installations_key_is_refused_until_it_is_trusted(
    signed: Path, keys: Path, tmp_path: Path
) -> None:
    signing_key(tmp_path / "others")
    with pytest.raises(UntrustedKey, match="add the builder's public key"):
        open_signed(signed, tmp_path / "others" / TRUSTED)
    for public in (keys / TRUSTED).iterdir():
        (tmp_path / "others" / TRUSTED / public.name).write_bytes(public.read_bytes())
    assert open_signed(signed, tmp_path / "others" / TRUSTED)


def test_a_bundle_without_a_statement_is_refused_but_can_be_read(
    tmp_path: Path, keys: Path
) -> None:
    folder = laid_out(tmp_path / "plain", bundle())
    with pytest.raises(Unsigned, match=r"holds no attestation\.json"):
        open_signed(folder, keys / TRUSTED)
    assert open_bundle(folder).manifest.model == "visits"


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"no json",
        json.dumps({"payload": "", "payloadType": "text/plain", "signatures": []}).encode(),
        json.dumps({"payload": "%", "payloadType": "x", "signatures": []}).encode(),
    ],
)
def test_what_is_no_envelope_counts_as_unsigned(signed: Path, keys: Path, content: bytes) -> None:
    (signed / ATTESTATION).write_bytes(content)
    with pytest.raises(Unsigned, match=r"attestation\.json"):
        open_signed(signed, keys / TRUSTED)


def test_the_key_is_made_once_and_is_for_its_owner_alone(keys: Path) -> None:
    first = signing_key(keys).private_bytes_raw()
    assert signing_key(keys).private_bytes_raw() == first
    assert keys.stat().st_mode & 0o777 == 0o700
    assert (keys / SIGNING).stat().st_mode & 0o777 == 0o600
    (keys / SIGNING).chmod(0o644)
    with pytest.raises(RegistryError, match="may be read by others"):
        signing_key(keys)


def test_what_is_no_key_is_told(keys: Path) -> None:
    signing_key(keys)
    (keys / TRUSTED / "odd.pem").write_text("nothing")
    with pytest.raises(RegistryError, match=r"odd\.pem holds no public key"):
        trusted_keys(keys / TRUSTED)
    (keys / SIGNING).write_text("nothing")
    with pytest.raises(RegistryError, match=r"signing\.pem holds no private key"):
        signing_key(keys)
