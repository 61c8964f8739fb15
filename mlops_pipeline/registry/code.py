"""Which code ran: the git commit where there is one, and the digest of the package's sources."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import mlops_pipeline
from mlops_pipeline.data.objects import canonical_json, digest_of

PACKAGE = Path(mlops_pipeline.__file__).parent
SOURCE_SUFFIXES = frozenset({".py", ".yaml", ".jinja", ".mako"})
GIT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class CodeState:
    """`sources` alone decides what ran; the commit tells a person where to look for it."""

    commit: str | None  # None: not a checkout, or no git on this machine
    dirty: bool | None  # the checkout differs from its commit; None where there is no commit
    sources: str


def read_code(package: Path = PACKAGE) -> CodeState:
    """The state of the code in `package`, now."""
    commit = _git(package, "rev-parse", "--verify", "HEAD")
    changed = _git(package, "status", "--porcelain", "--", ".") if commit else None
    return CodeState(
        commit=commit,
        dirty=None if changed is None else bool(changed),
        sources=sources_digest(package),
    )


def sources_digest(package: Path) -> str:
    """SHA-256 over names and contents of the package's source files."""
    return digest_of(
        canonical_json(
            {
                path.relative_to(package).as_posix(): digest_of(path.read_bytes())
                for path in package.rglob("*")
                if path.suffix in SOURCE_SUFFIXES and path.is_file()
            }
        )
    )


def _git(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
