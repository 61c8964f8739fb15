import subprocess
from pathlib import Path

import pytest

from mlops_pipeline.registry.code import read_code, sources_digest


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A package of two files."""
    folder = tmp_path / "repository" / "package"
    folder.mkdir(parents=True)
    (folder / "a.py").write_text("x = 1\n")
    (folder / "contract.yaml").write_text("name: a\n")
    return folder


def git(folder: Path, *words: str) -> None:
    """One git command, by nobody in particular."""
    who = ["-c", "user.name=nobody", "-c", "user.email=nobody@example.org"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


def test_code_outside_a_checkout_has_sources_but_no_commit(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(package.parent))
    state = read_code(package)
    assert (state.commit, state.dirty) == (None, None)
    assert state.sources == sources_digest(package)


def test_a_machine_without_git_has_no_commit(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert read_code(package).commit is None


def test_a_checkout_tells_its_commit_and_whether_it_was_changed(package: Path) -> None:
    git(package.parent, "init", "--quiet")
    git(package.parent, "add", ".")
    git(package.parent, "commit", "--quiet", "-m", "first")
    clean = read_code(package)
    assert clean.commit is not None
    assert len(clean.commit) == 40
    assert clean.dirty is False
    (package / "a.py").write_text("x = 2\n")
    changed = read_code(package)
    assert (changed.commit, changed.dirty) == (clean.commit, True)
    assert changed.sources != clean.sources


def test_a_checkout_without_a_commit_has_none(package: Path) -> None:
    git(package.parent, "init", "--quiet")
    assert read_code(package).commit is None


def test_sources_are_the_files_that_can_change_what_runs(package: Path) -> None:
    before = sources_digest(package)
    (package / "notes.md").write_text("nothing\n")
    (package / "__pycache__").mkdir()
    (package / "__pycache__" / "a.pyc").write_bytes(b"\0")
    assert sources_digest(package) == before
    (package / "contract.yaml").write_text("name: b\n")
    assert sources_digest(package) != before


def test_a_renamed_file_is_another_source(package: Path) -> None:
    before = sources_digest(package)
    (package / "a.py").rename(package / "b.py")
    assert sources_digest(package) != before
