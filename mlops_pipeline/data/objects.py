"""A content-addressed store: an object's name is the SHA-256 of its bytes, so it cannot change.

Everything that a decision may rest on is kept here: snapshots, feature matrices, candidates,
evaluation reports, the bundles that serve. A *tree* is a folder, stored as a JSON object that names
the digest of each file: equal folders have equal digests.

    objects/ab/cdef…      one object, written once by rename, checked at every read
"""

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from mlops_pipeline.errors import SnapshotCorrupt, SnapshotMissing

DIGEST = re.compile(r"[0-9a-f]{64}")


def canonical_json(value: Any) -> bytes:
    """The one JSON text of a value: sorted keys, no spaces, no NaN."""
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def digest_of(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """Objects below one local folder; safe for any number of writers and readers."""

    root: Path

    def put(self, content: bytes) -> str:
        """`content` is durably stored; its digest is returned. Storing it again changes nothing."""
        digest = digest_of(content)
        path = self._path(digest)
        try:
            os.utime(path)  # wanted again: a collection counts its age from now
        except FileNotFoundError:
            write_durably(path, content)
        return digest

    def get(self, digest: str) -> bytes:
        """The object of that digest, verified.

        Raises:
            SnapshotMissing: there is none.
            SnapshotCorrupt: its bytes have another digest.
        """
        if not DIGEST.fullmatch(digest):
            raise SnapshotMissing(
                f"{digest!r} is no digest; give the 64 hexadecimal digits of an object"
            )
        path = self._path(digest)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            raise SnapshotMissing(
                f"no object {digest} in {self.root}; was the state folder moved or cleaned?"
            ) from None
        found = digest_of(content)
        if found != digest:
            raise SnapshotCorrupt(
                f"{path} holds {found[:12]}…, not {digest[:12]}…: the disk or somebody changed it; "
                "delete the file and build the object again"
            )
        return content

    def __contains__(self, digest: object) -> bool:
        if not isinstance(digest, str) or not DIGEST.fullmatch(digest):
            return False
        return self._path(digest).exists()

    def put_json(self, value: Any) -> str:
        """A JSON value is stored as canonical JSON."""
        return self.put(canonical_json(value))

    def get_json(self, digest: str) -> Any:
        """The JSON value of that digest."""
        return json.loads(self.get(digest))

    def put_tree(self, files: Mapping[str, bytes]) -> str:
        """The files are stored as one tree; names are relative, with `/` between folders."""
        return self.put_json({_safe(name): self.put(files[name]) for name in sorted(files)})

    def put_folder(self, folder: Path) -> str:
        """Every regular file below `folder` is stored as one tree."""
        return self.put_tree(
            {
                path.relative_to(folder).as_posix(): path.read_bytes()
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            }
        )

    def get_tree(self, digest: str) -> dict[str, bytes]:
        """Every file of the tree, verified, by name."""
        return {name: self.get(child) for name, child in self.get_json(digest).items()}

    def check_out(self, digest: str, folder: Path) -> Path:
        """The tree stands in `folder`, whole or not at all; returns `folder`."""
        if folder.is_dir():
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".checkout-") as scratch:
            staged = Path(scratch) / "tree"
            staged.mkdir()
            for name, content in self.get_tree(digest).items():
                target = staged / _safe(name)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content)
            try:
                os.rename(staged, folder)
            except OSError:
                if not folder.is_dir():  # else another process was first, with the same bytes
                    raise
        return folder

    def _path(self, digest: str) -> Path:
        return self.root / digest[:2] / digest[2:]


def write_durably(path: Path, content: bytes) -> None:
    """`path` holds `content`, or what it held before: written aside, synced, renamed."""
    with _written_aside(path, content) as name:
        os.replace(name, path)


def write_once(path: Path, content: bytes) -> bool:
    """`path` holds `content`, whole, unless another writer was first: then False, and untouched."""
    with _written_aside(path, content) as name:
        try:
            os.link(name, path)
        except FileExistsError:
            return False
        return True


@contextmanager
def _written_aside(path: Path, content: bytes) -> Iterator[str]:
    """The name of a synced file beside `path`; it is gone afterwards, and the folder is synced."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield name
    finally:
        Path(name).unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _safe(name: str) -> str:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise SnapshotCorrupt(f"a tree names {name!r}; names are relative and stay inside")
    return name
