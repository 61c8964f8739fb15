"""The image's words: an unprivileged user, and every package that a server imports.

It was never built where these tests run; they hold what can be held without a builder.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "serving"
IMPORTED = """
import importlib, json, sys
from importlib.metadata import packages_distributions
for name in ("__main__", "app", "scorers", "lightgbm_native", "onnx", "server", "compaction",
             "log_parquet", "lookups", "predictor", "faults"):
    importlib.import_module("mlops_pipeline.serving." + name)
importlib.import_module("mlops_pipeline.registry.attestation")
importlib.import_module("cryptography.hazmat.primitives.asymmetric.ed25519")
tops = {name.partition(".")[0] for name in sys.modules}
found = packages_distributions()
print(json.dumps(sorted({d for top in tops for d in found.get(top, ())})))
"""
OWN = {"mlops-pipeline"}
# Optional to uvicorn and pyarrow, or the interpreter's own.
HERE_ALONE = {"setuptools", "watchfiles", "cloudpickle"}


def packages() -> set[str]:
    lines = (FOLDER / "packages.txt").read_text().splitlines()
    return {plain(line) for line in lines if line and not line.startswith("#")}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_package_that_a_server_imports_is_in_the_image() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True, cwd=ROOT
    )
    imported = {plain(name) for name in json.loads(done.stdout)} - OWN - HERE_ALONE
    assert imported <= packages()
    assert not packages() & {"pandas", "torch", "mlflow", "scikit-learn", "scipy"}


def test_each_is_pinned_by_the_lock() -> None:
    locked = {
        plain(line.partition("==")[0]) for line in (ROOT / "requirements.lock").read_text().split()
    }
    assert packages() <= locked


def test_nothing_after_the_user_runs_as_root() -> None:
    lines = (FOLDER / "Dockerfile").read_text().splitlines()
    last = lines.index("USER 10001:10001")
    assert not [line for line in lines[last + 1 :] if line.startswith(("RUN", "USER", "COPY"))]
    assert lines[-1] == 'ENTRYPOINT ["python", "-m", "mlops_pipeline.serving"]'
