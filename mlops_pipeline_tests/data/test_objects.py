import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlops_pipeline.data.objects import (
    ObjectStore,
    canonical_json,
    digest_of,
    write_durably,
    write_once,
)
from mlops_pipeline.errors import SnapshotCorrupt, SnapshotMissing


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "objects")


def path_of(store: ObjectStore, digest: str) -> Path:
    return store.root / digest[:2] / digest[2:]


def test_an_object_is_named_by_its_content(store: ObjectStore) -> None:
    digest = store.put(b"abc")
    assert digest == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert store.get(digest) == b"abc"
    assert digest in store
    assert store.put(b"abc") == digest


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: bytes([content[0] ^ 1]) + content[1:],
        lambda content: content[:-1],
        lambda content: content + b"x",
        lambda content: b"",
    ],
    ids=["bit flipped", "truncated", "appended", "emptied"],
)
def test_damage_is_found_at_read(store: ObjectStore, damage: object) -> None:
    digest = store.put(b"what was trained on")
    path = path_of(store, digest)
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(SnapshotCorrupt, match=f"not {digest[:12]}"):
        store.get(digest)


def test_a_missing_object_is_named(store: ObjectStore) -> None:
    with pytest.raises(SnapshotMissing, match=f"no object {'0' * 64}"):
        store.get("0" * 64)


@pytest.mark.parametrize("digest", ["", "ba", "../../etc/passwd", "G" * 64])
def test_what_is_no_digest_is_nowhere(store: ObjectStore, digest: str) -> None:
    store.put(b"abc")
    assert digest not in store
    with pytest.raises(SnapshotMissing, match="is no digest"):
        store.get(digest)


def test_equal_folders_are_one_tree(store: ObjectStore, tmp_path: Path) -> None:
    files = {"a/b.txt": b"1", "c.txt": b"2"}
    digest = store.put_tree(files)
    assert store.put_tree(dict(reversed(files.items()))) == digest
    folder = store.check_out(digest, tmp_path / "out")
    assert store.put_folder(folder) == digest
    assert store.get_tree(digest) == files


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", ""])
def test_a_tree_stays_inside_its_folder(store: ObjectStore, name: str) -> None:
    with pytest.raises(SnapshotCorrupt, match="names are relative and stay inside"):
        store.put_tree({name: b""})


def test_a_damaged_file_leaves_no_checked_out_folder(store: ObjectStore, tmp_path: Path) -> None:
    digest = store.put_tree({"a": b"1", "b": b"2"})
    path_of(store, digest_of(b"2")).write_bytes(b"3")
    with pytest.raises(SnapshotCorrupt, match="the disk or somebody changed it"):
        store.check_out(digest, tmp_path / "out")
    assert list(tmp_path.iterdir()) == [store.root]


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.booleans()))
def test_canonical_json_does_not_depend_on_the_order_of_keys(value: dict[str, object]) -> None:
    assert canonical_json(value) == canonical_json(dict(reversed(value.items())))


def test_canonical_json_has_no_nan() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_json(float("nan"))


def test_a_rewrite_replaces_and_leaves_nothing_aside(tmp_path: Path) -> None:
    write_durably(tmp_path / "x", b"1")
    write_durably(tmp_path / "x", b"2")
    assert os.listdir(tmp_path) == ["x"]
    assert (tmp_path / "x").read_bytes() == b"2"


def test_the_first_writer_wins_where_writing_is_once(tmp_path: Path) -> None:
    assert write_once(tmp_path / "x", b"1")
    assert not write_once(tmp_path / "x", b"2")
    assert os.listdir(tmp_path) == ["x"]
    assert (tmp_path / "x").read_bytes() == b"1"


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "x"
    target.mkdir()
    with pytest.raises(IsADirectoryError, match="x"):
        write_durably(target, b"1")
    assert os.listdir(tmp_path) == ["x"]
